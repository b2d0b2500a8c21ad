package roundtrip_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/the-eye-events/the-eye/internal/cli/roundtrip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service answers like The Eye, except for the defects of a test.
type service struct {
	refusals int
	timeline func(id string) string
	verdict  string
	id       string
	posts    int
	erased   int
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer eye_key":
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodPost:
		s.posts++
		if s.posts <= s.refusals {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}

		var sent struct {
			EventID string `json:"event_id"`
		}
		_ = json.NewDecoder(r.Body).Decode(&sent)
		s.id = sent.EventID
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"event_id":"`+s.id+`","status":"`+s.verdict+`","sequence":1}`)
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, s.timeline(s.id))
	case r.Method == http.MethodDelete:
		s.erased++
		_, _ = io.WriteString(w, `{}`)
	}
}

func asPosted(id string) string {
	return `{"events":[{"event_id":"` + id + `","sequence":1,"name":"round trip","data":{"by":"theeye check"}}]}`
}

func run(t *testing.T, s *service, key string) error {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := roundtrip.New(server.URL, key, time.Now)
	require.NoError(t, err)
	return client.Run(t.Context())
}

func TestAKeyThatIsNotKnownYetIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := &service{refusals: 2, verdict: "stored", timeline: asPosted}
	require.NoError(t, run(t, s, "eye_key"))
	require.Equal(t, 3, s.posts)
	require.Equal(t, 1, s.erased)
}

func TestWhatIsWrongIsSaidAndErased(t *testing.T) {
	t.Parallel()
	s := &service{verdict: "stored", timeline: func(string) string { return `{"events":[]}` }}
	require.ErrorContains(t, run(t, s, "eye_key"), "0 events, not 1")
	require.Equal(t, 1, s.erased, "the event is erased")
	s = &service{verdict: "stored", timeline: func(string) string { return asPosted("another") }}
	require.ErrorContains(t, run(t, s, "eye_key"), "differs from the posted one")
	s = &service{verdict: "conflict", timeline: asPosted}
	require.ErrorContains(t, run(t, s, "eye_key"), "verdict")
	require.ErrorContains(t, run(t, &service{}, "wrong"), "403")
}

func TestItEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	t.Cleanup(server.Close)
	client, err := roundtrip.New(server.URL, "eye_key", time.Now)
	require.NoError(t, err)
	require.Error(t, client.Run(ctx))
	_, err = roundtrip.New("eye", "eye_key", time.Now)
	require.EqualError(t, err, "it must begin with http:// or https://")
}
