package httpapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// The total size of the bodies that are being read is bounded, whatever their number. A request
// without room is asked to come again, and whatever the outcome of a request, its room is free
// again.
func TestBodiesAreBoundedTogether(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{
		"limits.body_bytes": "4096", "limits.inflated_bytes": "4096", "limits.event_bytes": "4096", "ingest.group_bytes": "4096", "ingest.queue_bytes": "8192",
	})
	head := "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + s.Ingest + "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
	full := newEvent(t, newID())
	full += strings.Repeat(" ", 4096-len(full))
	for _, announced := range []string{"Content-Length: 4096\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"} {
		first, second := dial(t, s), dial(t, s)
		for _, conn := range []io.ReadWriter{first, second} {
			_, err := io.WriteString(conn, head+announced)
			require.NoError(t, err)
			line, err := bufio.NewReader(conn).ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, "100 Continue", "its body is being read")
		}

		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, newID()))
		requireProblem(t, answer, http.StatusServiceUnavailable, "overloaded")
		require.NotEmpty(t, answer.Header.Get("Retry-After"))
		require.Empty(t, mustGet(t, s.Client, "/v1/errors?code=overloaded")["errors"], "it is to be sent again, and not recorded as rejected")
		require.NoError(t, first.Close())
		require.NoError(t, second.Close())
		require.Eventually(t, func() bool {
			return s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", full).Status == http.StatusCreated
		}, patience, 10*time.Millisecond)
	}

	for _, body := range []string{full, `{}` + full[2:], full[:4000] + "}", full, full} {
		require.NotEqual(t, http.StatusServiceUnavailable, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body).Status)
	}
}

// An application's limit concerns events, however many come in a request.
func TestRateLimitCountsEvents(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	limited := newTenant(t, s, `"rate_limit":1`)
	session := newID()
	post := func(n int) *apptest.Answer {
		events := make([]string, n)
		for i := range events {
			events[i] = newEvent(t, session)
		}

		return limited.Ingest.Do(t, http.MethodPost, "/v1/events", batchOf(strings.Join(events, ",")))
	}
	require.Equal(t, http.StatusCreated, post(500).Status)
	answer := post(1)
	requireProblem(t, answer, http.StatusTooManyRequests, "rate_limited")
	wait, err := time.ParseDuration(answer.Header.Get("Retry-After") + "s")
	require.NoError(t, err)
	require.Greater(t, wait, 100*time.Second, "500 events are a debt of 500 seconds, and one request would leave none")
}

// Everybody can send with a public key, and holds no more than half of the memory for bodies: who
// has a secret key is served.
func TestBodiesOfPublicKeysLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{
		"limits.body_bytes": "4096", "limits.inflated_bytes": "4096", "limits.event_bytes": "4096", "ingest.group_bytes": "4096", "ingest.queue_bytes": "16384",
	})
	web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, "")
	head := "POST /v1/collect?key=" + p.key + " HTTP/1.1\r\nHost: a\r\nOrigin: " + shopOrigin + "\r\nExpect: 100-continue\r\nContent-Length: 4096\r\n\r\n"
	pages := []net.Conn{dial(t, s), dial(t, s)}
	for _, conn := range pages {
		_, err := io.WriteString(conn, head)
		require.NoError(t, err)
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, "100 Continue", "its body is being read")
	}

	requireProblem(t, p.post(t, newEvent(t, newID())), http.StatusServiceUnavailable, "overloaded")
	for range 3 {
		require.Equal(t, http.StatusCreated, web.Ingest.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID())).Status)
	}

	for _, conn := range pages {
		require.NoError(t, conn.Close())
	}

	require.Eventually(t, func() bool { return p.post(t, newEvent(t, newID())).Status == http.StatusCreated }, patience, 10*time.Millisecond)
}
