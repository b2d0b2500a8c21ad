package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A stream whose database fails in the middle does not end like a complete one. The client reads
// nothing until the database is down, and the stream is longer than the buffers in between.
func TestStreamsThatLoseTheirDatabaseAreCut(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	pool := s.Database.Pool(t)
	// 18 MB in all: more than the buffers at both ends of a connection hold.
	const events = 300
	large := newEvent(t, newID(), "data", map[string]any{"text": strings.Repeat("x", 60<<10)})
	for range events / 15 {
		mustPost(t, s.WithKey(s.Ingest), batchOf(strings.Repeat(large+",", 14)+large))
	}

	streams := map[string]string{
		"events as lines": "/v1/events\r\nAccept: " + lineType, "events as CSV": "/v1/events\r\nAccept: text/csv", "changes": "/v1/events/changes\r\nAccept: " + lineType,
	}
	begun := map[string]*http.Response{}
	for name, request := range streams {
		conn := dial(t, s)
		tcp, ok := conn.(*net.TCPConn)
		require.True(t, ok)
		require.NoError(t, tcp.SetReadBuffer(64<<10))
		path, accept, _ := strings.Cut(request, "\r\n")
		_, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+s.ReadAll+"\r\n"+accept+"\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer response.Body.Close() //nolint:errcheck // it is cut

		require.Equal(t, http.StatusOK, response.StatusCode)
		begun[name] = response
	}

	disconnectDatabase(t, s)
	t.Cleanup(func() {
		_, err := pool.Exec(context.Background(), "grant connect on database "+s.Database.Name()+" to public")
		require.NoError(t, err)
	})
	for name, response := range begun {
		read, err := io.ReadAll(response.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		require.Less(t, bytes.Count(read, []byte("xxx\"")), events, name)
		require.NotEmpty(t, read, name)
	}
}

// disconnectDatabase cuts a service off from its database: its connections are ended, and it
// gets no others.
func disconnectDatabase(t testing.TB, s *apptest.Service) {
	t.Helper()
	pool := s.Database.Pool(t)
	_, err := pool.Exec(t.Context(), "revoke connect on database "+s.Database.Name()+" from public, "+apptest.ServiceRole)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = $1", apptest.ServiceRole)
	require.NoError(t, err)
}
