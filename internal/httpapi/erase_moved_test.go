package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestAnEventThatWasMovedStaysErasedWithItsSession(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	id, target := uuid.New(), uuid.New()
	original := fmt.Sprintf(`{"event_id":%q,"session_id":%q,"category":"page","name":"view","data":{},"timestamp":"2021-01-01T09:15:27Z"}`, id, uuid.New())
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", original).Status)
	moved := s.Do(t, http.MethodPatch, "/v1/events/"+id.String(), fmt.Sprintf(`{"session_id":%q}`, target))
	require.Equal(t, http.StatusOK, moved.Status, "%s", moved.Body)
	erased := s.Do(t, http.MethodDelete, "/v1/sessions/"+target.String(), "")
	require.Equal(t, http.StatusOK, erased.Status, "%s", erased.Body)
	require.Contains(t, string(erased.Body), `"events":1`)

	retry := s.Do(t, http.MethodPost, "/v1/events", original)

	require.Equal(t, http.StatusBadRequest, retry.Status, "%s", retry.Body)
	require.Contains(t, string(retry.Body), "event_erased")
	require.Equal(t, http.StatusNotFound, s.Do(t, http.MethodGet, "/v1/events/"+id.String(), "").Status)
}

// Events sent to an erased session are not kept, whatever the reason for their rejection.
func TestRefusalsOfAnErasedSessionAreNotKeptWhole(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := newID()
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", newEvent(t, session)).Status)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "").Status)
	for _, body := range []string{
		newEvent(t, session, "data", map[string]any{"who": "canary"}, "timestamp", "2999-01-01T00:00:00Z"),
		newEvent(t, session, "data", map[string]any{"who": "canary"}, "more", 1),
		newEvent(t, session, "data", map[string]any{"who": "canary"}),
	} {
		answer := s.Do(t, http.MethodPost, "/v1/events", body)
		require.Equal(t, http.StatusBadRequest, answer.Status, "%s", answer.Body)
		kept := s.Do(t, http.MethodGet, fmt.Sprint("/v1/errors/", answer.JSON(t)["error_id"]), "")
		require.Nil(t, kept.JSON(t)["raw"], "%s", kept.Body)
		require.NotContains(t, string(kept.Body), "canary")
	}
}
