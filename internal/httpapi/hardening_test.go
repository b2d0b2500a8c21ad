package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// patience is far more than anything here needs, and less than the timeouts that must not end a
// request.
const patience = 30 * time.Second

// dial opens a connection to a service.
func dial(t testing.TB, s *apptest.Service) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// reply is the part of a response before its body.
type reply struct {
	status, major int
	close         bool
	header        http.Header
}

// exchange writes a request unchanged and reads the response.
func exchange(t testing.TB, conn net.Conn, request string) reply {
	t.Helper()
	_, err := io.WriteString(conn, request)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return reply{response.StatusCode, response.ProtoMajor, response.Close, response.Header}
}

// TestHeadersOfEveryAnswer checks the headers of responses and of problems.
func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	always := map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	}
	known := append([]string{
		"X-Request-Id", "Content-Type", "Content-Length", "Date", "Allow", "Etag", "Link", "Location", "Retry-After", "Www-Authenticate", "Connection", "Transfer-Encoding",
	}, slices.Collect(func(yield func(string) bool) {
		for name := range always {
			if !yield(name) {
				return
			}
		}
	})...)
	for _, route := range httpapi.Routes() {
		path := strings.NewReplacer(":id", newID(), ":name", "shop").Replace(route.Paths[0])
		for _, key := range []string{s.Admin, s.Ingest, ""} {
			for _, method := range []string{route.Method, "PROPFIND"} {
				answer := s.WithKey(key).Do(t, method, path, body(method))
				for name, value := range always {
					require.Equal(t, value, answer.Header.Get(name), "%s %s", method, path)
				}

				for name := range answer.Header {
					require.Contains(t, known, name, "%s %s", method, path)
				}
			}
		}
	}
}

func TestNoHTTP2InClearText(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	response := exchange(t, dial(t, s), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	require.Equal(t, 1, response.major)
	require.GreaterOrEqual(t, response.status, 400)
	response = exchange(t, dial(t, s), "GET /v1/limits HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
	require.Equal(t, 1, response.major)
	require.Equal(t, http.StatusOK, response.status, "the upgrade is ignored")
}

// A body that arrives drop by drop is given up long before the timeout of the request.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"http.min_body_rate": "1MiB", "http.read_header_timeout": "200ms", "http.read_timeout": "10m"})
	head := "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + s.Ingest + "\r\nContent-Type: application/json\r\n"
	for name, request := range map[string]string{
		"a length": head + "Content-Length: 100000\r\n\r\n[", "nothing of it": head + "Content-Length: 100000\r\n\r\n",
		"chunks": head + "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", "gzip": head + "Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n\x1f\x8b\x08",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := exchange(t, dial(t, s), request)
			require.Equal(t, http.StatusRequestTimeout, response.status)
			require.True(t, response.close)
		})
	}

	// A body that keeps the rate is stored, and the connection serves the next request.
	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batchOf(strings.TrimSuffix(strings.Repeat(newEvent(t, newID())+",", 900), ",")))
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.False(t, answer.Close)
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"http.max_connections": "3"})
	get := "GET /v1/limits HTTP/1.1\r\nHost: a\r\n\r\n"
	held := make([]net.Conn, 3)
	for n := range held {
		held[n] = dial(t, s)
		require.Equal(t, http.StatusOK, exchange(t, held[n], get).status)
	}

	response, err := http.ReadResponse(bufio.NewReader(dial(t, s)), nil)
	require.NoError(t, err, "it is rejected at once, whatever it requests")
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "1", response.Header.Get("Retry-After"))
	require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"), "a page can read it, and when to come back")
	require.Contains(t, response.Header.Get("Access-Control-Expose-Headers"), "Retry-After")
	require.True(t, response.Close)
	require.Equal(t, http.StatusOK, exchange(t, held[0], get).status, "open connections stay open")

	// A client that leaves makes room, and a rejected one has used none.
	require.NoError(t, held[1].Close())
	require.Eventually(t, func() bool {
		conn := dial(t, s)
		defer conn.Close() //nolint:errcheck // the test is done with it

		_, err := io.WriteString(conn, get)
		if err != nil {
			return false
		}

		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return false
		}
		defer response.Body.Close() //nolint:errcheck // the body is not read

		return response.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond)
}

func TestFailedAuthenticationIsBoundedByPeer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"access.failures_per_minute": "5"})
	wrong := s.WithKey("eye_wrong")
	for range 5 {
		requireProblem(t, wrong.Do(t, http.MethodGet, "/v1/events", ""), http.StatusUnauthorized, "unauthorized")
	}

	for n := range 20 {
		// The addresses that a client claims do not count: no proxy is trusted.
		answer := wrong.Do(t, http.MethodGet, "/v1/events", "", "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n), "X-Real-Ip", "192.0.2.1", "Forwarded", "for=192.0.2.1")
		requireProblem(t, answer, http.StatusTooManyRequests, "too_many_failures")
		wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, wait)
		require.LessOrEqual(t, wait, 12)
		// The same peer with a valid key is served, and a key of another scope gets its own
		// problem.
		mustGet(t, s.Client, "/v1/events")
		requireProblem(t, s.WithKey(s.Ingest).Do(t, http.MethodGet, "/v1/events", ""), http.StatusForbidden, "forbidden")
	}
}

// A proxy may have checked the other one of two headers.
func TestRepeatedHeadersAreRejected(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for _, name := range []string{"Authorization", "Content-Type", "Origin"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/events", strings.NewReader(newEvent(t, newID())))
		require.NoError(t, err)
		request.Header = http.Header{"Authorization": {"Bearer " + s.Ingest}, "Content-Type": {"application/json"}, "Origin": {"https://shop.example"}}
		request.Header[name] = append(request.Header[name], request.Header.Get(name))
		response, err := s.HTTP.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusBadRequest, response.StatusCode, name)
	}

	require.Empty(t, mustGet(t, s.Client, "/v1/events")["events"])
}
