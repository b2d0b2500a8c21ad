package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/browsersdk"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/migrations"
)

// unreachable is a database that no server serves, with a password that must stay hidden.
const (
	canary      = "canary-Zx81"
	unreachable = "postgres://theeye:" + canary + "@127.0.0.1:1/theeye"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "theeye.yaml")
	require.NoError(t, os.WriteFile(file, []byte("http:\n  listn: ':8080'\n"), 0o600))
	database := "THEEYE_DATABASE_URL=" + unreachable
	for _, c := range []struct {
		name      string
		environ   []string
		arguments string
		code      int
		says      string
	}{
		{name: "version", arguments: "version"},
		{name: "help", arguments: "help"},
		{name: "unknown flag", arguments: "serve --http-listn :8080", code: 64, says: "http-listn"},
		{name: "unknown command", arguments: "serv", code: 64, says: "serv"},
		{name: "unknown subcommand", arguments: "migrate sideways", code: 64, says: "sideways"},
		{name: "misspelt flag", arguments: "app list --jsn", code: 64, says: "did you mean --json?"},
		{name: "missing argument", arguments: "app create", code: 64, says: "NAME is missing: theeye app create NAME"},
		{name: "missing arguments", arguments: "event-type get", code: 64, says: "CATEGORY and NAME are missing"},
		{name: "missing second argument", arguments: "key revoke shop", code: 64, says: "KEY_ID is missing"},
		{name: "superfluous argument", arguments: "serve now", code: 64, says: `the argument "now" is one too many`},
		{name: "argument beside a plan", arguments: "event-type apply -f PLAN plan.yaml", code: 64, says: `the argument "plan.yaml" is one too many`},
		{name: "replay of nothing", environ: []string{database}, arguments: "rejection replay", code: 64, says: "--all"},
		{name: "erasure of no id", environ: []string{database}, arguments: "erase event nope", code: 64, says: "an id is a UUID"},
		{name: "update of nothing", environ: []string{database}, arguments: "app update shop --rate-limit 5 --no-rate-limit", code: 64, says: "rate-limit"},
		{name: "nothing to check", environ: []string{database}, arguments: "check", code: 64, says: "theeye: the URL of the service is missing: give --url, or set THEEYE_URL\n"},
		{name: "no URL to check", environ: []string{database}, arguments: "check --url eye:8080", code: 64, says: "theeye: the URL cannot be used: it must begin with http:// or https://\n"},
		{name: "rate limit in words", environ: []string{database}, arguments: "app update shop --rate-limit none", code: 64, says: "\"none\" for \"--rate-limit\" flag: a rate limit is a whole number of events per second up to 1000000000; 0 means no limit\n"},
		{name: "negative rate limit", environ: []string{database}, arguments: "app update shop --rate-limit -1", code: 64, says: "0 means no limit"},
		{name: "rate limit of a new application", environ: []string{database}, arguments: "app create shop --rate-limit 9999999999", code: 64, says: "0 means no limit"},
		{name: "check, unreachable", environ: []string{database}, arguments: "check --url http://127.0.0.1:1", code: 69, says: "database"},
		{name: "unknown output of a type", environ: []string{database}, arguments: "event-type get a b -o xml", code: 64, says: `--output must be yaml or json, not "xml"`},
		{name: "impossible version", environ: []string{database}, arguments: "event-type get a b --version -5", code: 64, says: "--version cannot be negative"},
		{name: "unknown output of an export", environ: []string{database}, arguments: "event-type export -o xml", code: 64, says: `--output must be yaml or json, not "xml"`},
		{name: "output of an export to files", environ: []string{database}, arguments: "event-type export -o json -d plan", code: 64, says: "--directory writes YAML: give it without --output"},
		{name: "sample of nothing", environ: []string{database}, arguments: "event-type infer a b --events 0", code: 64, says: "--events must be between"},
		{name: "preview of nothing", environ: []string{database}, arguments: "event-type preview -f plan --events 0", code: 64, says: "--events must be between"},
		{name: "impossible tolerance", environ: []string{database}, arguments: "event-type preview -f plan --max-failing -1", code: 64, says: "--max-failing cannot be negative"},
		{name: "code in no language", arguments: "event-type generate -f plan", code: 64, says: "--lang is required: go or ts"},
		{name: "code in an unknown language", arguments: "event-type generate --lang java", code: 64, says: `the language is go or ts, not "java"`},
		{name: "package of TypeScript", arguments: "event-type generate --lang ts --package events", code: 64, says: "TypeScript has no package"},
		{name: "code of nothing", arguments: "event-type generate --lang go", code: 64, says: "give --file, or --url, or set THEEYE_URL"},
		{name: "code of two sources", arguments: "event-type generate --lang go -f plan --url http://127.0.0.1:1", code: 64, says: "not from both"},
		{name: "code without a key", arguments: "event-type generate --lang go --url http://127.0.0.1:1", code: 64, says: "a key with the scope read is needed"},
		{name: "code of no URL", environ: []string{"THEEYE_KEY=x"}, arguments: "event-type generate --lang go --url eye:8080", code: 64, says: "the URL cannot be used: it must begin with http:// or https://"},
		{name: "code, unreachable", environ: []string{"THEEYE_KEY=x"}, arguments: "event-type generate --lang go --url http://127.0.0.1:1", code: 69, says: "the service cannot be reached"},
		{name: "no Secret", environ: []string{database}, arguments: "key bootstrap shop", code: 64, says: "--secret"},
		{name: "no cluster", environ: []string{database}, arguments: "key bootstrap shop --secret eye-admin", code: 78, says: "KUBERNETES_SERVICE_HOST"},
		{name: "unconfirmed", environ: []string{database}, arguments: "migrate down", code: 64, says: "--yes"},
		{name: "unknown variable", environ: []string{database, "THEEYE_HTTP_LISTN=:8080"}, arguments: "serve", code: 78, says: "THEEYE_HTTP_LISTN"},
		{name: "unknown setting in the file", environ: []string{database}, arguments: "serve --config " + file, code: 78, says: "listn"},
		{name: "setting out of bounds", environ: []string{database}, arguments: "serve --http-budget 1ms", code: 78, says: "http.budget"},
		{name: "no database", arguments: "serve", code: 78, says: "THEEYE_DATABASE_URL"},
		{name: "no database to migrate", arguments: "migrate up", code: 78, says: "THEEYE_DATABASE_URL"},
		{name: "address in use", environ: []string{database}, arguments: "serve --http-listen " + takenAddress(t) + " --ops-listen 127.0.0.1:0", code: 78, says: "address already in use; choose another address with --http-listen or THEEYE_HTTP_LISTEN"},
		{name: "serve, unreachable", environ: []string{database}, arguments: "serve --database-startup-timeout 300ms --http-listen 127.0.0.1:0 --ops-listen 127.0.0.1:0", code: 69, says: "database"},
		{name: "migrate, unreachable", environ: []string{database}, arguments: "migrate up", code: 69, says: "database"},
		{name: "administer, unreachable", environ: []string{database}, arguments: "app list", code: 69, says: "database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := finish(t, c.environ, strings.Fields(c.arguments)...)
			require.Equal(t, c.code, code, "%s%s", out, errOut)
			require.Contains(t, errOut, c.says)
			require.NotContains(t, out+errOut, canary)
		})
	}
}

// A pooler that rejects a setting of the service is reported at once, with the remedy.
func TestAPoolerThatIsNotToldOf(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	for _, c := range []struct {
		mode   pgtest.BouncerMode
		pooler string
		says   string
	}{
		{pgtest.BouncerRejectsParameters, "none", "set database.pooler to transaction"},
		{pgtest.BouncerInStatementMode, "transaction", "set pool_mode of PgBouncer to transaction"},
	} {
		environ := []string{"THEEYE_DATABASE_URL=" + database.BouncerDSN(t, c.mode), "THEEYE_DATABASE_POOLER=" + c.pooler}
		for _, arguments := range [][]string{{"serve", "--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, {"app", "list"}} {
			code, _, errOut := finish(t, environ, arguments...)
			require.Equal(t, 78, code, errOut)
			require.Contains(t, errOut, c.says)
		}
	}
}

// takenAddress returns an address on which a listener runs until the test ends.
func takenAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.Addr().String()
}

func TestConfigShowsNoSecret(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte(unreachable+"\n"), 0o600))
	for name, environ := range map[string][]string{
		"variable": {"THEEYE_DATABASE_URL=" + unreachable}, "file": {"THEEYE_DATABASE_URL_FILE=" + file},
	} {
		code, out, errOut := finish(t, environ, "config", "--http-budget", "7s")
		require.Zero(t, code, "%s: %s", name, errOut)
		require.NotContains(t, out+errOut, canary, name)
		require.Regexp(t, `(?m)^http\.budget +7s +flag`, out)
		require.Regexp(t, `(?m)^database\.url +\S*127\.0\.0\.1`, out)
		require.Regexp(t, `(?m)^ingest\.lanes +2 +default`, out)
		code, out, errOut = finish(t, environ, "config", "--json", "--http-budget", "7s")
		require.Zero(t, code, "%s: %s", name, errOut)
		require.NotContains(t, out+errOut, canary, name)
		var lines []map[string]string
		require.NoError(t, json.Unmarshal([]byte(out), &lines))
		require.Contains(t, lines, map[string]string{"key": "http.budget", "value": "7s", "source": "flag"})
	}
}

// newDatabase creates an empty database and returns the variable that names it.
func newDatabase(t *testing.T, name string) string {
	t.Helper()
	database := pgtest.New(t)
	name = "empty_" + name
	_, err := database.Pool(t).Exec(context.Background(), "create database "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := pgtest.New(t).Pool(t).Exec(context.Background(), "drop database "+name+" with (force)")
		require.NoError(t, err)
	})
	return "THEEYE_DATABASE_URL=" + database.Server().DSN(name)
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	environ := []string{newDatabase(t, "migrate")}
	serve := []string{"serve", "--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}
	for _, arguments := range [][]string{serve, {"app", "list"}} {
		code, _, errOut := finish(t, environ, arguments...)
		require.Equal(t, 78, code, errOut)
		require.Contains(t, errOut, "theeye migrate up")
	}

	code, out, errOut := finish(t, environ, "migrate", "status")
	require.Zero(t, code, errOut)
	require.Regexp(t, `(?m)^1 +00001_\S+ +no$`, out)

	const processes = 4
	type end struct {
		code int
		text string
	}
	ends := make(chan end, processes)
	for range processes {
		go func() {
			command := theeye(environ, "migrate", "up")
			text, _ := command.CombinedOutput() // the exit code is checked
			ends <- end{command.ProcessState.ExitCode(), string(text)}
		}()
	}

	applied := 0
	for range processes {
		one := <-ends
		require.Zero(t, one.code, one.text)
		require.Contains(t, one.text, "the schema is current")
		applied += strings.Count(one.text, "applied ")
	}

	code, out, errOut = finish(t, environ, "migrate", "status")
	require.Zero(t, code, errOut)
	require.NotContains(t, out, " no\n")
	require.Equal(t, strings.Count(out, "\n")-1, applied, "each step was printed once")
	code, out, errOut = finish(t, environ, "migrate", "up")
	require.Zero(t, code, errOut)
	require.Equal(t, "nothing to do: the schema is current\n", out)
	code, out, errOut = finish(t, environ, "migrate", "up", "--json")
	require.Zero(t, code, errOut)
	require.JSONEq(t, `{"applied":[]}`, out)
	code, out, errOut = finish(t, environ, "migrate", "status", "--json")
	require.Zero(t, code, errOut)
	require.Contains(t, out, `"name": "00001_collector.sql"`)

	code, _, errOut = finish(t, environ, "migrate", "down", "--yes")
	require.Zero(t, code, errOut)
	code, _, errOut = finish(t, environ, serve...)
	require.Equal(t, 78, code, errOut)
}

// Each step down names the migration that it reverted, and a database without any says so.
func TestMigrateDown(t *testing.T) {
	t.Parallel()
	environ := []string{newDatabase(t, "down")}
	down := func(arguments ...string) string {
		t.Helper()
		code, out, errOut := finish(t, environ, append([]string{"migrate", "down", "--yes"}, arguments...)...)
		require.Zero(t, code, errOut)
		return out
	}
	require.Equal(t, "nothing to revert: no migration is applied\n", down())
	require.JSONEq(t, `{"reverted":[]}`, down("--json"))

	code, _, errOut := finish(t, environ, "migrate", "up")
	require.Zero(t, code, errOut)
	names, err := fs.Glob(migrations.Files(), "*.sql")
	require.NoError(t, err)
	slices.Reverse(names)
	require.Contains(t, down("--json"), `"name": "`+names[0]+`"`)
	for _, name := range names[1:] {
		require.Regexp(t, "^reverted "+regexp.QuoteMeta(name)+` in [0-9.]+m?s\n$`, down())
	}

	require.Equal(t, "nothing to revert: no migration is applied\n", down())
}

// A step down that waits for a table says so.
func TestMigrateDownWaits(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	reader, err := database.Pool(t).Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Rollback(context.Background()) }) // it may have ended
	_, err = reader.Exec(t.Context(), "select from api_key")
	require.NoError(t, err)

	r := start(t, []string{"THEEYE_DATABASE_URL=" + database.DSN()}, "migrate", "down", "--yes")
	r.await(t, "another transaction uses a table")
	require.NoError(t, reader.Rollback(t.Context()))
	r.await(t, "reverted 0")
}

func TestApplicationsAndKeys(t *testing.T) {
	t.Parallel()
	environ := []string{"THEEYE_DATABASE_URL=" + pgtest.New(t).DSN()}
	r := start(t, environ, "serve", "--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--drain-delay", "0s")
	r.await(t, "the service is ready")
	client := apptest.NewClient("http://"+addressOf(t, r), "")
	t.Cleanup(client.HTTP.CloseIdleConnections)
	ask := func(arguments ...string) map[string]any {
		code, out, errOut := finish(t, environ, append(arguments, "--json")...)
		require.Zero(t, code, "%s%s", out, errOut)
		answer := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(out), &answer), out)
		return answer
	}
	made := ask("app", "create", "shop", "--rate-limit", "1000", "--allowed-origin", "https://www.example.com")
	require.Equal(t, "shop", made["name"])
	require.InDelta(t, 1000, made["rate_limit"], 0)
	key := ask("key", "create", "shop", "--scope", "read", "--scope", "ingest", "--description", "a test")
	client.Key = fmt.Sprint(key["key"])
	require.True(t, strings.HasPrefix(client.Key, "eye_"), "%v", key)
	public := ask("key", "create", "shop", "--public", "--rate-limit", "7", "--registered-only")
	require.True(t, strings.HasPrefix(fmt.Sprint(public["key"]), "eyp_"), "%v", public)
	require.InDelta(t, 7, public["rate_limit"], 0)
	require.Equal(t, true, public["registered_only"])
	_, printed, explained := finish(t, environ, "key", "create", "shop", "--public")
	require.Regexp(t, `^eyp_\w+\n$`, printed, "scripts take standard output for the key")
	require.Contains(t, explained, `data-key="`+strings.TrimSpace(printed)+`"`)
	require.Contains(t, explained, browsersdk.Integrity())
	require.NotContains(t, explained, "no allowed origins")
	ask("app", "create", "closed")
	_, _, explained = finish(t, environ, "key", "create", "closed", "--public")
	require.Contains(t, explained, "theeye app update closed --allowed-origin https://www.example.com")
	status := func() int { return client.Do(t, http.MethodGet, "/v1/sessions", "").Status }
	becomes := func(want int) {
		t.Helper()
		require.Eventually(t, func() bool { return status() == want }, time.Minute, 20*time.Millisecond)
	}
	becomes(http.StatusOK)
	ask("app", "disable", "shop")
	becomes(http.StatusUnauthorized)
	ask("app", "enable", "shop")
	becomes(http.StatusOK)
	changed := ask("app", "update", "shop", "--no-rate-limit", "--disable")
	require.Nil(t, changed["rate_limit"])
	require.Equal(t, true, changed["disabled"])
	require.Equal(t, []any{"https://www.example.com"}, changed["allowed_origins"], "what is not named stays")
	becomes(http.StatusUnauthorized)
	changed = ask("app", "update", "shop", "--enable", "--rate-limit", "1000", "--allowed-origin", "*")
	require.Equal(t, []any{"*"}, changed["allowed_origins"])
	ask("app", "update", "shop", "--allowed-origin", "https://www.example.com")
	becomes(http.StatusOK)
	code, _, errOut := finish(t, environ, "app", "update", "shop")
	require.Equal(t, 64, code)
	require.Contains(t, errOut, "nothing to change")
	ask("key", "revoke", "shop", fmt.Sprint(key["key_id"]))
	becomes(http.StatusUnauthorized)

	code, out, _ := finish(t, environ, "key", "list", "shop")
	require.Zero(t, code)
	require.Regexp(t, `revoked +a test`, out)
	require.NotContains(t, out+r.log.String(), client.Key)
	code, out, _ = finish(t, environ, "app", "list")
	require.Zero(t, code)
	require.Regexp(t, `shop +false +1000/s +https://www\.example\.com`, out)
	for arguments, want := range map[string]int{
		"app create shop": 1, "key create nobody": 1, "key revoke shop nothing": 1, "app create a/b": 64, "key create shop --scope everything": 64,
	} {
		code, _, errOut := finish(t, environ, strings.Fields(arguments)...)
		require.Equal(t, want, code, "%s: %s", arguments, errOut)
		require.NotEmpty(t, errOut)
	}
}

// addressOf returns the address on which a ready program says that it listens.
func addressOf(t *testing.T, r *running) string {
	t.Helper()
	for line := range strings.Lines(r.log.String()) {
		entry := struct {
			Message string `json:"message"`
			Listen  string `json:"listen"`
		}{}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Listen != "" {
			return entry.Listen
		}
	}

	require.FailNow(t, "no address", "%s", r.log)
	return ""
}
