package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// The parts of a schema without an effect are named in the response, and the schema is
// registered.
func TestWarningsOfASchema(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	path := typePath("form", "submit")
	const schema = `{"type": "object", "propertis": {}, "properties": {"email": {"format": "e-mail"}}}`
	want := []any{
		map[string]any{"pointer": "/schema/propertis", "detail": `the keyword "propertis" is unknown and does nothing`, "did_you_mean": "properties"},
		map[string]any{"pointer": "/schema/properties/email/format", "detail": `the format "e-mail" is unknown and is not checked`, "did_you_mean": "email"},
	}

	require.Equal(t, want, putType(t, s.Client, "form", "submit", `{"schema": `+schema+`}`)["warnings"])
	require.NotContains(t, mustGet(t, s.Client, path), "warnings")
	answer := s.Do(t, http.MethodPost, path+"/preview", `{"schema": `+schema+`}`)
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, want, answer.JSON(t)["warnings"])
	require.Equal(t, []any{}, putType(t, s.Client, "form", "submit", `{"schema": null}`)["warnings"])
}

// A schema of draft-07 is registered unchanged if it means the same, and rejected with each
// place and its remedy if it does not.
func TestASchemaOfDraft07(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	const schema = `{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/a"}@}}`
	made := putType(t, s.Client, "form", "submit", `{"schema": `+strings.Replace(schema, "@", "", 1)+`}`)
	require.Contains(t, made["schema"], "$schema")
	require.Empty(t, made["warnings"])

	answer := s.Do(t, http.MethodPut, typePath("form", "submit"), `{"schema": `+strings.Replace(schema, "@", `, "b": {"items": [{}]}`, 1)+`}`)
	requireProblem(t, answer, http.StatusBadRequest, "invalid_schema")
	require.Contains(t, string(answer.Body), `/schema/properties/b/items`)
	require.Contains(t, string(answer.Body), `theeye event-type convert --from draft-07`)
}

// Marked values are not in the errors of an event with another structure.
func TestMarkedValuesOfAnotherShapeAreNotAmongTheErrors(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	putType(t, s.Client, "form", "submit", `{"schema": {"type": "object", "required": ["user"], "properties": {
		"user": {"type": "object", "properties": {"ssn": {"x-theeye": "drop"}}}, "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"x-theeye": "hash"}}}}}}}`)

	for _, data := range []string{
		`{"user": [{"ssn": "canary"}]}`, `{"list": {"p": "canary"}}`, `{"list": [[{"p": "canary"}]]}`, `{"user": "canary"}`, `{"x": {"user": {"y": {"SSN": "canary"}}}}`,
	} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events",
			`{"session_id": "e2085be5-9137-4e4e-80b5-f1ffddc25423", "category": "form", "name": "submit", "timestamp": "2026-01-01T00:00:00Z", "data": `+data+`}`)
		require.Equal(t, http.StatusBadRequest, answer.Status, "%s", answer.Body)
		require.NotContains(t, string(answer.Body), "canary")
	}

	errors := s.WithKey(s.Read).Do(t, http.MethodGet, "/v1/errors", "")
	require.Equal(t, http.StatusOK, errors.Status)
	require.NotContains(t, string(errors.Body), "canary")
	require.Contains(t, string(errors.Body), `user`)
}

func TestUnregisteredTypes(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"types.unregistered": "reject"})
	refused := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, newID()))
	require.Equal(t, http.StatusBadRequest, refused.Status)
	require.Contains(t, string(refused.Body), "unknown_event_type")
	putType(t, s.Client, "page", "view", `{}`)
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, newID()))
}
