package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

const (
	happened   = "2021-01-01 09:15:27.243860"
	happenedAt = "2021-01-01T09:15:27.243860Z"

	lineType   = "application/x-ndjson"
	mergePatch = "application/merge-patch+json"
)

// absent is a member that is left out of an event.
type absent struct{}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// newEvent renders a valid event of a session with the given changes: pairs of a member and its
// value.
func newEvent(t testing.TB, session string, changes ...any) string {
	t.Helper()
	document := map[string]any{
		"session_id": session, "category": "page", "name": "view", "data": map[string]any{}, "timestamp": happened,
	}
	for i := 0; i < len(changes); i += 2 {
		member, ok := changes[i].(string)
		require.True(t, ok)
		document[member] = changes[i+1]
		if _, gone := changes[i+1].(absent); gone {
			delete(document, member)
		}
	}

	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(document))
	return strings.TrimSpace(b.String())
}

func batchOf(events ...string) string { return "[" + strings.Join(events, ",") + "]" }

// mustPost posts events that must all be stored, and returns the response.
func mustPost(t testing.TB, c *apptest.Client, body string) map[string]any {
	t.Helper()
	answer := c.Do(t, http.MethodPost, "/v1/events", body)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	return answer.JSON(t)
}

// mustGet reads a document.
func mustGet(t testing.TB, c *apptest.Client, path string) map[string]any {
	t.Helper()
	answer := c.Do(t, http.MethodGet, path, "")
	require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Body)
	return answer.JSON(t)
}

// requireProblem checks the properties of every problem, and returns it.
func requireProblem(t testing.TB, answer *apptest.Answer, status int, code string) map[string]any {
	t.Helper()
	require.Equal(t, status, answer.Status, "%s", answer.Body)
	require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	problem := answer.JSON(t)
	require.Equal(t, code, problem["code"], "%s", answer.Body)
	require.Equal(t, json.Number(fmt.Sprint(status)), problem["status"])
	require.Equal(t, "https://the-eye.dev/problems/"+strings.ReplaceAll(code, "_", "-"), problem["type"])
	require.NotEmpty(t, problem["title"])
	require.NotEmpty(t, problem["detail"])
	require.Equal(t, answer.Header.Get("X-Request-Id"), problem["request_id"])
	require.NotEmpty(t, problem["request_id"])
	require.Regexp(t, "^[0-9a-f]{32}$", problem["trace_id"])
	for _, leak := range []string{"SQLSTATE", "pgx", "pq:", "goroutine", ".go:"} {
		require.NotContains(t, string(answer.Body), leak)
	}

	return problem
}

// reasons renders the violations of a document as "pointer code" or "?parameter code".
func reasons(t testing.TB, document any) []string {
	t.Helper()
	found := []string{}
	for _, one := range at[[]any](t, document, "errors") {
		violation := at[map[string]any](t, one)
		require.NotEmpty(t, violation["detail"])
		place := violation["pointer"]
		if parameter, ok := violation["parameter"]; ok {
			place = fmt.Sprint("?", parameter)
		}

		found = append(found, strings.TrimSpace(fmt.Sprint(place, " ", violation["code"])))
	}

	return found
}

// at walks into a document by member names and indexes, and asserts the type of the value.
func at[T any](t testing.TB, document any, path ...any) T {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, ok := document.(map[string]any)
			require.True(t, ok, "%q is not in an object: %v", step, document)
			document, ok = object[step]
			require.True(t, ok, "no %q in %v", step, object)
		case int:
			array, ok := document.([]any)
			require.True(t, ok && step < len(array), "no element %d in %v", step, document)
			document = array[step]
		}
	}

	value, ok := document.(T)
	require.True(t, ok, "%v is a %T", document, document)
	return value
}

// column reads one member of each object of an array.
func column(t testing.TB, array any, member string) []string {
	t.Helper()
	values := []string{}
	for _, one := range at[[]any](t, array) {
		values = append(values, fmt.Sprint(at[any](t, one, member)))
	}

	return values
}

func requireSameJSON(t testing.TB, expected, got string) {
	t.Helper()
	require.Equal(t, string(event.Canonicalize([]byte(expected))), string(event.Canonicalize([]byte(got))))
}

// render writes a decoded document as JSON.
func render(t testing.TB, document any) string {
	t.Helper()
	text, err := json.Marshal(document)
	require.NoError(t, err)
	return string(text)
}

// tenant is an application with a client for each of its keys.
type tenant struct {
	Name         string
	Ingest, Read *apptest.Client
}

// newTenant makes an application of a unique name; members are added to its document.
func newTenant(t testing.TB, s *apptest.Service, members ...string) tenant {
	t.Helper()
	name := "app-" + newID()
	body := `{"name":"` + name + `"` + strings.Join(append([]string{""}, members...), ",") + `}`
	answer := s.Do(t, http.MethodPost, "/v1/applications", body)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	_, ingest := newKey(t, s, name, `{"scopes":["ingest"]}`)
	_, read := newKey(t, s, name, `{"scopes":["read"]}`)
	return tenant{Name: name, Ingest: s.WithKey(ingest), Read: s.WithKey(read)}
}

// newKey makes a key and returns its id and its text.
func newKey(t testing.TB, s *apptest.Service, application, spec string) (id, text string) {
	t.Helper()
	answer := s.Do(t, http.MethodPost, "/v1/applications/"+application+"/keys", spec)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	key := answer.JSON(t)
	return at[string](t, key, "key_id"), at[string](t, key, "key")
}
