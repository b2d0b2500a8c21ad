package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// completions returns the program's completions of the last argument.
func completions(t *testing.T, environ []string, arguments ...string) []string {
	t.Helper()
	code, out, _ := finish(t, environ, append([]string{"__complete"}, arguments...)...)
	require.Zero(t, code)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Regexp(t, `^:\d+$`, lines[len(lines)-1])
	return lines[:len(lines)-1]
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for _, of := range []string{"form/submit", "page/leave", "page/view"} {
		answer := s.Do(t, http.MethodPut, "/v1/event-types/"+of, `{"schema":{},"mode":"observe"}`)
		require.Less(t, answer.Status, 300, "%s", answer.Body)
	}

	applications := []string{}
	code, out, errOut := finish(t, []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}, "app", "list")
	require.Zero(t, code, errOut)
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
		applications = append(applications, strings.Fields(line)[0])
	}

	require.NotEmpty(t, applications)

	database := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}
	client := []string{"THEEYE_URL=" + s.URL, "THEEYE_KEY=" + s.ReadAll}
	away := []string{"THEEYE_DATABASE_URL=" + unreachable, "THEEYE_URL=http://127.0.0.1:1", "THEEYE_KEY=nothing"}
	for typed, want := range map[string][]string{
		"app disable ":             applications,
		"app update ":              applications,
		"app create ":              {},
		"key create ":              applications,
		"key create shop --scope ": {"ingest", "read", "admin"},
		"event-type get ":          {"form", "page"},
		"event-type get page ":     {"leave", "view"},
		"event-type infer form ":   {"submit"},

		"event-type generate --lang ":   {"go", "ts"},
		"event-type generate --output ": {},

		"rejection replay --category page --name ": {"leave", "view"},
		"rejection list --status ":                 {"open", "replayed", "discarded"},
		"serve --log-level ":                       {"debug", "info", "warn", "error"},
		"serve --database-pooler ":                 {"none", "transaction"},
		"app list extra ":                          {},
	} {
		require.Equal(t, want, completions(t, database, strings.Split(typed, " ")...), typed)
	}

	require.Equal(t, []string{"form", "page"}, completions(t, client, "export", "--category", ""))
	require.Equal(t, []string{"leave", "view"}, completions(t, client, "export", "--category", "page", "--name", ""))
	for _, typed := range []string{"app disable ", "event-type get ", "export --category "} {
		require.Empty(t, completions(t, away, strings.Split(typed, " ")...), "an unreachable database is not an error")
	}
}
