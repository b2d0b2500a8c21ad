package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
)

// Profiles show what is in memory, so they are there only for who asked for them.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for profiles, status := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/pprof/heap", nil)
		httpapi.NewOps(nil, profiles).ServeHTTP(recorder, request)
		require.Equal(t, status, recorder.Code, "profiles %t", profiles)
	}
}
