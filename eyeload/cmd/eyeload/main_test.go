package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// TestMain builds the program that the tests run.
func TestMain(m *testing.M) {
	program.Build(filepath.Join("..", "..", "..", "bin", "eyeload-under-test"))
	pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate))
}

// runProgram runs the program to its end, with the given environment alone.
func runProgram(t *testing.T, environ []string, arguments ...string) (code int, out, errOut string) {
	t.Helper()
	command := program.Command(arguments...)
	command.Env = environ

	return program.Finish(t, command)
}

func serviceEnviron(s *apptest.Service) []string {
	return []string{"THEEYE_URL=" + s.URL, "THEEYE_INGEST_KEY=" + s.Ingest, "THEEYE_READ_KEY=" + s.Read, "THEEYE_DATABASE_URL=" + s.Database.DSN()}
}

func TestAttackFromTheEnvironment(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	at := t.TempDir()
	jsonFile := filepath.Join(at, "report.json")
	htmlFile := filepath.Join(at, "report.html")
	code, out, errOut := runProgram(t, serviceEnviron(service), "attack", "--rate", "20,40", "--duration", "1s", "--batch", "5", "--ndjson", "--gzip",
		"--timeout", "1m", "--min-rate", "0", "--json", jsonFile, "--html", htmlFile)
	require.Zero(t, code, out+errOut)
	require.Contains(t, out, "Reconciliation: consistent: 300 acknowledged events")
	require.Contains(t, errOut, "in flight")

	var r report.Report
	text, err := os.ReadFile(jsonFile)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r))
	require.True(t, r.Passed)
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome)
	require.True(t, r.Reconciliation.Tables)
	require.EqualValues(t, 200, r.Steps[1].Events)
	page, err := os.ReadFile(htmlFile)
	require.NoError(t, err)
	require.Contains(t, string(page), "<svg")

	code, out, errOut = runProgram(t, nil, "attack", "--url", service.URL, "--key", service.Ingest, "--read-key", service.ReadAll,
		"--duration", "1s", "--rate", "10", "--timeout", "1m", "--min-rate", "0", "--output", "json")
	require.Zero(t, code, out+errOut)
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.False(t, r.Reconciliation.Tables, "no database was named")
}

func TestARecordingIsReplayed(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	file := filepath.Join(t.TempDir(), "events.ndjson")
	require.NoError(t, os.WriteFile(file, []byte(`{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"recorded","name":"view","data":{},"timestamp":"2021-01-01 09:15:27"}`), 0o600))
	code, out, errOut := runProgram(t, serviceEnviron(service), "attack", "--kind", "file", "--file", file, "--rate", "10", "--duration", "1s", "--timeout", "1m", "--min-rate", "0")
	require.Zero(t, code, out+errOut)
	require.Len(t, service.Do(t, "GET", "/v1/events?category=recorded", "").JSON(t)["events"], 10)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	all := serviceEnviron(service)
	short := func(more ...string) []string {
		return append([]string{"attack", "--rate", "20", "--duration", "1s", "--timeout", "1m", "--min-rate", "0"}, more...)
	}

	for _, c := range []struct {
		code      int
		environ   []string
		arguments []string
		says      string
	}{
		{0, nil, []string{"--help"}, ""},
		{0, nil, []string{"--version"}, ""},
		{1, all, short("--max-p99", "1ns"), "a threshold was not kept: p99"},
		{1, all, short("--key", service.Read), "the service rejects the ingest key: 403"},
		{1, all, short("--database-url", "postgres://theeye@127.0.0.1:1/theeye"), "a threshold was not kept: reconciliation"},
		{64, all, []string{"atack"}, "unknown command"},
		{64, all, []string{"attack", "now"}, "now"},
		{64, all, short("--rates", "1"), "unknown flag"},
		{64, all, short("--max-failures", "many"), "--max-failures"},
		{64, all, short("--output", "xml"), "--output"},
		{64, all, short("--file", "x"), "--kind file"},
		{64, all, short("--kind", "file", "--file", filepath.Join(t.TempDir(), "none")), "no such file"},
		{64, all, short("--find-max"), "highest p99"},
		{64, nil, short(), "URL"},
		{69, all, short("--url", "http://127.0.0.1:1"), "cannot be reached"},
	} {
		code, out, errOut := runProgram(t, c.environ, c.arguments...)
		require.Equal(t, c.code, code, "%v\n%s%s", c.arguments, out, errOut)
		require.Contains(t, errOut, c.says, "%v", c.arguments)
	}
}
