package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/apptest"
)

// erased begins an erasure, waits for its end, and returns its id.
func erased(t testing.TB, s *apptest.Service, body string) string {
	t.Helper()
	answer := s.Do(t, http.MethodPost, "/v1/erasures", body)
	require.Equal(t, http.StatusAccepted, answer.Status, "%s", answer.Body)
	id := at[string](t, answer.JSON(t), "erasure_id")
	require.Equal(t, "/v1/erasures/"+id, answer.Header.Get("Location"))
	awaitErasure(t, s, id)
	return id
}

// awaitErasure waits until an erasure is finished, and returns it.
func awaitErasure(t testing.TB, s *apptest.Service, id string) (found map[string]any) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for found = mustGet(t, s.Client, "/v1/erasures/"+id); found["state"] != "finished"; found = mustGet(t, s.Client, "/v1/erasures/"+id) {
		require.True(t, time.Now().Before(deadline), "%v", found)
	}
	return found
}
