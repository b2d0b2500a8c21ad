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

// A client that announces large bodies and sends almost nothing of them takes no room from
// others.
func TestBodiesThatDoNotComeHoldNoRoom(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"limits.inflated_bytes": "1MiB", "ingest.group_bytes": "2MiB", "ingest.queue_bytes": "3MiB"})
	limit := 1 << 20
	var dialer net.Dialer
	for _, framing := range []string{fmt.Sprintf("Content-Length: %d", limit), "Transfer-Encoding: chunked"} {
		for _, encoding := range []string{"identity", "gzip", "zstd"} {
			for range 4 {
				conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
				require.NoError(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				_, err = io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: eye\r\nAuthorization: Bearer "+s.Ingest+
					"\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Encoding: "+encoding+"\r\n"+framing+"\r\n\r\n")
				require.NoError(t, err)
				line, err := bufio.NewReader(conn).ReadString('\n')
				require.NoError(t, err)
				require.Contains(t, line, " 100 ", "the body is being read")
			}
		}
	}

	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, newID()))
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	answer = s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", zstandard(t, strings.NewReader(newEvent(t, newID()))), "Content-Encoding", "zstd")
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
}
