package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// JSON ends with a newline, so that a shell's prompt begins on its own line, and is indented on
// request; problems, too.
func TestJSONEndsWithANewlineAndCanBeIndented(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, newID(), "data", map[string]any{"a": []any{1, "{", map[string]any{}}}))
	for _, route := range httpapi.Routes() {
		for _, key := range []string{s.Admin, ""} {
			method, path := route.Method, filledPath(route)
			plain := s.WithKey(key).Do(t, method, path, body(method))
			if len(plain.Body) == 0 {
				continue
			}

			require.True(t, strings.HasSuffix(string(plain.Body), "}\n"), "%s %s", method, path)
			require.Equal(t, strconv.Itoa(len(plain.Body)), plain.Header.Get("Content-Length"), "%s %s", method, path)
			for _, asks := range []string{"?pretty", "?pretty=true", "?pretty=1"} {
				pretty := s.WithKey(key).Do(t, method, path+asks, body(method))
				require.Equal(t, plain.Header.Get("Content-Type"), pretty.Header.Get("Content-Type"), "%s %s", method, path)
				require.True(t, json.Valid(pretty.Body))
				require.True(t, strings.HasPrefix(string(pretty.Body), "{\n  \""), "%s %s: %s", method, path, pretty.Body)
				require.True(t, strings.HasSuffix(string(pretty.Body), "\n}\n"))
				require.Equal(t, strconv.Itoa(len(pretty.Body)), pretty.Header.Get("Content-Length"))
			}
		}
	}

	// With other parameters, on other pages, and not if the value is false.
	answer := s.Do(t, http.MethodGet, "/v1/events?limit=1&pretty", "")
	require.Contains(t, string(answer.Body), "\n  \"events\": [\n    {\n      \"event_id\": ")
	require.NotContains(t, string(s.Do(t, http.MethodGet, "/v1/events?pretty=false", "").Body), "\n  ")
	for _, wrong := range []string{"pretty=maybe", "pretty&pretty", "prettyy"} {
		require.Equal(t, http.StatusBadRequest, s.Do(t, http.MethodGet, "/v1/limits?"+wrong, "").Status, wrong)
		require.Equal(t, http.StatusBadRequest, s.Do(t, http.MethodGet, "/v1/events?"+wrong, "").Status, wrong)
	}

	lines := s.Do(t, http.MethodGet, "/v1/events?pretty", "", "Accept", lineType)
	require.Equal(t, 1, strings.Count(string(lines.Body), "\n"), "lines stay lines")
}
