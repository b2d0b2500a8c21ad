package ops_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/ops"
)

func everything() ops.Config {
	return ops.Config{
		Build:    ops.Build{Version: "v1.2.3", Revision: "abc", GoVersion: "go1"},
		Settings: []ops.Setting{{Key: "database.url", Value: "postgres://theeye:***@db/theeye", Source: "env"}},
		Level:    ops.NewLevel(zap.NewAtomicLevel(), zap.NewNop(), time.Now),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "theeye_ready 1\n") // a recorder
		}),
		Profiles: true, Now: time.Now,
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	port := ops.New(everything())
	require.JSONEq(t, `{"version": "v1.2.3", "revision": "abc", "goversion": "go1"}`, ask(t, port, http.MethodGet, "/version", "").Body.String())
	require.JSONEq(t, `{"settings": [{"key": "database.url", "value": "postgres://theeye:***@db/theeye", "source": "env"}]}`,
		ask(t, port, http.MethodGet, "/debug/config", "").Body.String())
	require.Equal(t, "theeye_ready 1\n", ask(t, port, http.MethodGet, "/metrics", "").Body.String())
}

// The index lists exactly the paths that exist, and each of them answers.
func TestIndex(t *testing.T) {
	t.Parallel()
	optional := []string{"/metrics", "/debug/log-level", "/debug/pprof/"}
	for _, config := range []ops.Config{everything(), {Now: time.Now}} {
		port := ops.New(config)
		index := ask(t, port, http.MethodGet, "/", "").Body.String()
		for line := range strings.Lines(index) {
			path := strings.Fields(line)[0]
			require.Equal(t, http.StatusOK, ask(t, port, http.MethodGet, path, "").Code, path)
		}

		for _, path := range optional {
			there := config.Metrics != nil
			require.Equal(t, there, strings.Contains(index, path+" "), path)
			if !there {
				require.Equal(t, http.StatusNotFound, ask(t, port, http.MethodGet, path, "").Code, path)
			}
		}
	}

	require.Equal(t, http.StatusOK, ask(t, ops.New(everything()), http.MethodGet, "/debug/pprof/heap", "").Code)
	require.Equal(t, http.StatusNotFound, ask(t, ops.New(everything()), http.MethodGet, "/readyzz", "").Code)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	port := ops.New(everything())
	for path, allowed := range map[string]string{
		"/": "GET, HEAD", "/livez": "GET, HEAD", "/startupz": "GET, HEAD", "/readyz": "GET, HEAD", "/readyz/state": "GET, HEAD",
		"/metrics": "GET, HEAD", "/version": "GET, HEAD", "/debug/config": "GET, HEAD", "/debug/pprof/": "GET, HEAD",
		"/debug/log-level": "DELETE, GET, HEAD, PUT",
	} {
		for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace} {
			if strings.Contains(allowed, method) {
				continue
			}

			answer := ask(t, port, method, path, "")
			require.Equal(t, http.StatusMethodNotAllowed, answer.Code, "%s %s", method, path)
			require.Equal(t, allowed, answer.Header().Get("Allow"), "%s %s", method, path)
			require.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"))
		}

		require.Less(t, ask(t, port, http.MethodHead, path, "").Code, 405, path)
	}
}

// The server gives up on a client that does not send its headers, and rejects headers that
// are too large. A profile may take longer than a request.
func TestServerIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		connect := serve(t, ops.New(everything()))
		begin := time.Now()
		slow := connect("GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow")
		_, err := io.ReadAll(slow)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(begin))
		require.NoError(t, slow.Close())

		for header, status := range map[int]int{6 << 10: http.StatusOK, 16 << 10: http.StatusRequestHeaderFieldsTooLarge} {
			client := connect("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: " + strings.Repeat("x", header) + "\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(client), nil)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, status, response.StatusCode, header)
			require.NoError(t, client.Close())
		}
	})
}

// An answer may take longer than a request may take to arrive: a profile takes 30 s.
func TestProfilesAreNotCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(30 * time.Second):
				w.WriteHeader(http.StatusOK)
			case <-r.Context().Done():
				w.WriteHeader(http.StatusTeapot)
			}
		}))("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(client)
		require.NoError(t, err)
		require.Contains(t, string(answer), "200 OK")
	})
}

// serve starts a server of a handler, and returns a function that sends a request to it.
func serve(t *testing.T, handler http.Handler) func(request string) net.Conn {
	t.Helper()
	server := ops.NewServer(handler, zap.NewNop())
	listener := pipeListener{make(chan net.Conn), make(chan struct{})}
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		<-time.After(time.Second) // connections that the server closed linger for half of it
	})
	return func(request string) net.Conn {
		client, far := net.Pipe()
		t.Cleanup(func() { _ = client.Close() }) // the test may have done so
		listener.connections <- far
		go io.WriteString(client, request) //nolint:errcheck // the answer is checked
		return client
	}
}

// pipeListener accepts connections inside the process, so that they work with fake time.
type pipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.connections:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (pipeListener) Addr() net.Addr { return &net.TCPAddr{} }
