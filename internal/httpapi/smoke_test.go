package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/apptest"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	answer := s.As(s.Ingest).Do(t, http.MethodPost, "/v1/events", `{"session_id":"0190163d-8694-739b-aea5-966c26f8ad91","category":"page","name":"view","data":{},"timestamp":"2021-01-01 09:15:27.243860"}`)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
}
