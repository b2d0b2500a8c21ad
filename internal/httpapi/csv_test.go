package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// inTable reads a response as CSV, as maps by the names of columns.
func inTable(t testing.TB, c *apptest.Client, path string) []map[string]string {
	t.Helper()
	answer := c.Do(t, http.MethodGet, path, "", "Accept", "text/csv")
	require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Body)
	require.Equal(t, "text/csv; charset=utf-8; header=present", answer.Header.Get("Content-Type"), path)
	records := parseCSV(t, string(answer.Body))
	rows := []map[string]string{}
	for _, record := range records[1:] {
		require.Len(t, record, len(records[0]), path)
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}

		rows = append(rows, row)
	}

	return rows
}

// Each list has the same content as CSV and as JSON.
func TestListsAsCSV(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	other := newTenant(t, s)
	for n := range 3 {
		session := newID()
		mustPost(t, s.WithKey(s.Ingest), newEvent(t, session, "name", fmt.Sprintf("=n%d", n)))
		mustPost(t, other.Ingest, newEvent(t, session))
		require.Equal(t, http.StatusBadRequest, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "category", "-c", "timestamp", "x")).Status)
	}

	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPut, "/v1/event-types/page/view", `{"schema":{"type":"object"},"description":"a, \"b\""}`).Status)
	require.Equal(t, http.StatusBadRequest, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", "=cmd").Status)
	for path, list := range map[string]string{
		"/v1/sessions?": "sessions", "/v1/sessions?application=" + other.Name: "sessions", "/v1/errors?": "errors", "/v1/errors?category=-c": "errors",
		"/v1/audit?": "entries", "/v1/event-types?": "event_types", "/v1/event-types/page/view/versions?": "versions",
		"/v1/stats?group_by=category,name,application&interval=day&from=2021-01-01": "buckets", "/v1/stats?": "buckets",
		"/v1/errors/stats?group_by=code,category": "buckets", "/v1/errors/groups?": "groups",
	} {
		answer := mustGet(t, s.Client, strings.TrimSuffix(path, "?"))
		documents := at[[]any](t, answer, list)
		rows := inTable(t, s.Client, strings.TrimSuffix(path, "?"))
		require.Len(t, rows, len(documents), path)
		require.NotEmpty(t, rows, path)
		for i, row := range rows {
			for name, cell := range row {
				document := at[map[string]any](t, documents[i])
				value, found := document[name]
				require.True(t, found, "%s: %s", path, name)
				if _, text := value.(string); !text && (strings.HasPrefix(cell, "[") || strings.HasPrefix(cell, "{")) {
					require.JSONEq(t, render(t, value), cell, "%s: %s", path, name)
				} else {
					require.Equal(t, asCell(t, value), cell, "%s: %s", path, name)
				}
			}
		}
	}

	// A list is complete unless it has a limit.
	require.Len(t, inTable(t, s.Client, "/v1/sessions?limit=2"), 2)
	require.Len(t, inTable(t, s.Client, "/v1/errors?limit=1"), 1)
	require.Len(t, inTable(t, s.WithKey(s.Read), "/v1/sessions"), 3)
	// Errors are problems, as in every format.
	for query, code := range map[string]string{"limit=0": "invalid_parameter", "nothing=1": "unknown_parameter", "cursor=x": "invalid_cursor"} {
		requireProblem(t, s.Do(t, http.MethodGet, "/v1/sessions?"+query, "", "Accept", "text/csv"), http.StatusBadRequest, code)
	}
}

// asCell converts a JSON value to a cell.
func asCell(t testing.TB, value any) string {
	t.Helper()
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		if v != "" && strings.ContainsAny(v[:1], "=-@+") {
			return "'" + v
		}

		return v
	case []any:
		names := make([]string, len(v))
		for i := range v {
			names[i] = at[string](t, v[i])
		}

		return strings.Join(names, " ")
	}

	return fmt.Sprint(value)
}
