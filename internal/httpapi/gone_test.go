package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// sendHalfClosed sends a request, closes its half of the connection, and reads the response. To
// the server it looks as if the client has disconnected.
func sendHalfClosed(t *testing.T, s *apptest.Service, request string) (status int, body string) {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	tcp, ok := conn.(*net.TCPConn)
	require.True(t, ok)
	require.NoError(t, tcp.CloseWrite())
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it was read

	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

// A body that ends too early is the sender's mistake, whatever happened to the sender.
func TestBodiesThatEndTooEarlyAreRefusedAndKept(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	head := "POST /v1/events HTTP/1.1\r\nHost: eye\r\nAuthorization: Bearer " + s.Ingest + "\r\nContent-Type: application/json\r\n"
	for _, rest := range []string{
		"Content-Length: 500\r\n\r\n{", "Content-Length: 50000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\nff\r\n{",
		"Content-Encoding: gzip\r\nContent-Length: 500\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xaa",
	} {
		status, body := sendHalfClosed(t, s, head+rest)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, body, `"error_id"`)
	}

	require.Len(t, mustGet(t, s.WithKey(s.Read), "/v1/errors")["errors"], 4)
}

// A client that disconnects before the response is not a failure of the service: neither the
// alerts nor the log may count it as one.
func TestClientsThatGoAwayAreNoFailures(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for range 20 {
		sent := newEvent(t, newID())
		sendHalfClosed(t, s, fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: eye\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.Ingest, len(sent), sent))
		sendHalfClosed(t, s, "GET /v1/events HTTP/1.1\r\nHost: eye\r\nAuthorization: Bearer "+s.Read+"\r\n\r\n")
	}

	metrics := s.Scrape(t)
	require.Zero(t, metrics.SumSeries("theeye_http_request_duration_seconds", "status", "503"))
	require.InDelta(t, 40, metrics.SumSeries("theeye_http_request_duration_seconds", "route", "/v1/events"), 0)
}
