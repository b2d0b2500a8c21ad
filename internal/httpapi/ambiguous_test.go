package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A text that can be read in two ways, one of which is an event of a type with marks, is rejected
// and kept nowhere: neither the database nor an answer has it.
func TestAmbiguousTextIsKeptNowhere(t *testing.T) {
	t.Parallel()
	const secret = "ambiguous-canary@example.com"
	s := apptest.Start(t, nil)
	putType(t, s.Client, "form", "submit", `{"schema": {"properties": {"email": {"x-theeye": "drop"}}}}`)
	data := `"data": {"email": "` + secret + `"}`
	envelope := func() string {
		return `"session_id": "` + newID() + `", "timestamp": "2021-01-01T09:15:27.243860Z", `
	}
	form, other := `"category": "form", "name": "submit", `, `"category": "page", "name": "view", `
	bodies := map[string]string{
		"category twice":                 `{` + envelope() + form + `"category": "page", ` + data + `}`,
		"category twice, the other way":  `{` + envelope() + `"category": "page", ` + form + data + `}`,
		"name twice":                     `{` + envelope() + form + `"name": "view", ` + data + `}`,
		"name twice, the other way":      `{` + envelope() + `"name": "view", ` + form + data + `}`,
		"payload twice":                  `{` + envelope() + form + data + `, "data": {}}`,
		"payload twice, the other way":   `{` + envelope() + form + `"data": {}, ` + data + `}`,
		"a member of the payload twice":  `{` + envelope() + form + `"data": {"email": "` + secret + `", "email": "x"}}`,
		"too large, with category twice": `{` + envelope() + form + other + data + `, "more": "` + strings.Repeat("x", 70_000) + `"}`,
		"many violations":                `{` + strings.Repeat(`"more": 1, `, 30) + envelope() + form + other + data + `}`,
		"two events in one text":         `{` + envelope() + other + `"data": {}} {` + envelope() + form + data + `}`,
		"not to be read to its end":      `{` + envelope() + other + `"data": {"a": 01, "b": {` + form + data + `}}}`,
		"in a batch":                     `[{` + envelope() + form + `"category": "page", ` + data + `}, {` + envelope() + other + `"data": {"a": 01}, ` + form + data + `}]`,
	}
	for name, body := range bodies {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body)
		require.GreaterOrEqual(t, answer.Status, http.StatusMultiStatus, "%s: %s", name, answer.Body)
		require.NotContains(t, string(answer.Body), secret, name)
	}

	require.Zero(t, tableCount(t, s, "event e"))
	require.EqualValues(t, len(bodies)+1, tableCount(t, s, "rejection r"), "a batch has two")
	require.Zero(t, tableCount(t, s, "rejection r where r::text like '%"+secret+"%' or r.raw is not null"))
	listed := mustGet(t, s.Client, "/v1/errors?limit=100")
	require.Len(t, listed["errors"], len(bodies)+1)
	require.Equal(t, len(bodies)+1, strings.Count(fmt.Sprint(listed), "raw_withheld:true"))
}
