package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A dry run has the verdicts of a real one, down to the version of the type.
func TestADryRunNamesTheVersionOfTheType(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	putType(t, s.Client, "form", "submit", `{"schema": {"required": ["email"]}}`)
	for _, data := range []map[string]any{{"email": "x"}, {}} {
		body := newEvent(t, newID(), "category", "form", "name", "submit", "data", data)
		for _, path := range []string{"/v1/validate", "/v1/events"} {
			verdict := s.WithKey(s.Ingest).Do(t, http.MethodPost, path, body).JSON(t)
			require.Equal(t, number(1), verdict["event_type_version"], "%s %v", path, data)
		}
	}
}

// An answer to a wrong value says what is expected in its place.
func TestAWrongTypeIsToldTheRightOne(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for body, detail := range map[string]string{
		`{"limit": "1"}`: "must be a whole number; got: string",
		`{"limit": 1.5}`: "must be a whole number; got: number 1.5",
		`{"all": 1}`:     "must be true or false; got: number",
		`{"code": []}`:   "must be a string; got: array",
		`{"ids": {}}`:    "must be an array; got: object",
	} {
		problem := requireProblem(t, s.Do(t, http.MethodPost, "/v1/errors/replay", body), http.StatusBadRequest, "invalid_request")
		require.Contains(t, fmt.Sprint(problem), detail, body)
	}

	problem := requireProblem(t, s.Do(t, http.MethodGet, "/v1/events?limit=", ""), http.StatusBadRequest, "invalid_parameter")
	require.Contains(t, fmt.Sprint(problem), "limit is empty; give a value, or leave it out")
}

// A dry run stores nothing, so its answer never says that the outcome is unknown.
func TestADryRunWithoutADatabaseStoresNothing(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	stored := at[string](t, mustPost(t, s.WithKey(s.Ingest), newEvent(t, newID())), "event_id")
	again := string(s.Do(t, http.MethodGet, "/v1/events/"+stored, "").Body)
	disconnectDatabase(t, s)
	for _, body := range []string{newEvent(t, newID()), again} {
		answer := s.Do(t, http.MethodPost, "/v1/validate", body)
		problem := requireProblem(t, answer, http.StatusServiceUnavailable, "unavailable")
		require.Contains(t, problem["detail"], "nothing of the request was stored")
	}
}
