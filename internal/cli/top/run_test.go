package top_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/cli/top"
)

// replica serves the first snapshot once and the second from then on.
func replica(t testing.TB) *httptest.Server {
	t.Helper()
	var bodies [2][]byte
	for i, name := range []string{"first.prom", "second.prom"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		bodies[i] = text
	}

	var asked atomic.Int64
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			w.WriteHeader(http.StatusNotFound)
			return
		}

		_, _ = w.Write(bodies[min(asked.Add(1), 2)-1]) // the view may be gone
	})
}

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// deps returns a clock that moves two seconds with every interval, and a client.
func deps(t testing.TB, out io.Writer) top.Deps {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var intervals atomic.Int64
	return top.Deps{
		Client: &http.Client{Transport: transport}, Out: out,
		Now: func() time.Time { return sampleTime().Add(2 * time.Second * time.Duration(intervals.Load())) },
		After: func(time.Duration) <-chan time.Time {
			intervals.Add(1)
			passed := make(chan time.Time, 1)
			passed <- time.Time{}
			return passed
		},
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	server := replica(t)
	require.NoError(t, top.Run(t.Context(), top.Options{Ops: []string{server.URL}, Interval: 2 * time.Second, Once: true, Colour: true}, deps(t, &out)))
	compareGolden(t, "once.txt", strings.ReplaceAll(out.String(), server.Listener.Addr().String(), "127.0.0.1:8081 "))
	require.NotContains(t, out.String(), "\x1b")
}

// The snapshot as JSON has the same numbers; those that are unknown are null.
func TestOnceAsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	server := replica(t)
	require.NoError(t, top.Run(t.Context(), top.Options{Ops: []string{server.URL}, Interval: 2 * time.Second, Once: true, JSON: true}, deps(t, &out)))
	compareGolden(t, "once.json", strings.TrimSuffix(strings.ReplaceAll(out.String(), server.Listener.Addr().String(), "127.0.0.1:8081"), "\n"))

	bare := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("theeye_ready 1\n")) })
	out.Reset()
	require.NoError(t, top.Run(t.Context(), top.Options{Ops: []string{bare.URL, "http://127.0.0.1:1"}, Interval: time.Second, Once: true, JSON: true}, deps(t, &out)))
	var shown map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &shown), "%s", out.String())
	require.Equal(t, map[string]any{"used": nil, "limit": nil}, shown["queue_events"])
	require.Equal(t, []any{}, shown["applications"])
	require.Equal(t, []any{"127.0.0.1:1 cannot connect: connection refused"}, shown["alerts"])
}

// One replica of three does not answer, one answers nonsense; the snapshot has the numbers
// of the third, and says so.
func TestOnceWithReplicasThatFail(t *testing.T) {
	t.Parallel()
	const closed = "127.0.0.1:1" // a port that no test gets
	nonsense := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	var out bytes.Buffer
	require.NoError(t, top.Run(t.Context(), top.Options{Ops: []string{"http://" + closed, nonsense.URL, replica(t).URL}, Interval: time.Second, Once: true}, deps(t, &out)))
	require.Contains(t, out.String(), "ready 1/3  replicas 1/3")
	require.Contains(t, out.String(), closed+" cannot connect")
	require.Contains(t, out.String(), nonsense.Listener.Addr().String()+" the answer is not metrics")
	require.Contains(t, out.String(), "1,357/s stored")
}

// transport is a replica that answers without a network, so that a test can stop time
// meanwhile.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func body(status int, from io.Reader) transport {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(from)}, nil
	}
}

func TestOnceUnreachable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replica transport
		says    string
	}{
		"an error":          {body(http.StatusServiceUnavailable, strings.NewReader("")), "answers 503"},
		"too much":          {body(http.StatusOK, bytes.NewReader(bytes.Repeat([]byte("# x\n"), 5<<20))), "answers more than 16 MiB"},
		"cut off":           {body(http.StatusOK, iotest.ErrReader(io.ErrUnexpectedEOF)), "no answer"},
		"no answer in time": {func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				d := deps(t, &out)
				d.Client = &http.Client{Transport: c.replica}
				err := top.Run(t.Context(), top.Options{Ops: []string{"http://replica"}, Interval: top.MinInterval, Once: true}, d)
				require.ErrorIs(t, err, top.ErrUnreachable)
				require.ErrorContains(t, err, c.says)
				require.Empty(t, out.String())
			})
		})
	}
}

// A replica that closes the connection, as opposed to one that does not answer.
func TestOnceCutOff(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cut := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	err := top.Run(t.Context(), top.Options{Ops: []string{cut.URL}, Interval: top.MaxInterval, Once: true}, deps(t, &out))
	require.ErrorIs(t, err, top.ErrUnreachable)
	require.ErrorContains(t, err, "no answer")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	ok := top.Options{Ops: []string{"http://127.0.0.1:8081", "https://eye.example.com/ops/", "http://[::1]:8081/metrics"}, Interval: top.MinInterval}
	require.NoError(t, ok.Validate())
	for says, o := range map[string]top.Options{
		"the interval must":   {Ops: ok.Ops, Interval: 100 * time.Millisecond},
		"1m0s, not 2m0s":      {Ops: ok.Ops, Interval: 2 * time.Minute},
		"no ops port":         {Interval: time.Second},
		"is not the URL":      {Ops: []string{"127.0.0.1:8081"}, Interval: time.Second},
		"\"ftp://x\" is not":  {Ops: []string{"ftp://x"}, Interval: time.Second},
		"no query":            {Ops: []string{"http://x/?a=b"}, Interval: time.Second},
		"given twice":         {Ops: []string{"http://x", "http://x/metrics"}, Interval: time.Second},
		"65 ops ports":        {Ops: make([]string, 65), Interval: time.Second},
		"\"http://\" is not ": {Ops: []string{"http://"}, Interval: time.Second},
	} {
		require.ErrorContains(t, o.Validate(), says)
		require.ErrorContains(t, top.Run(t.Context(), o, deps(t, io.Discard)), says)
	}

	require.False(t, top.IsInteractive(io.Discard))
	file, err := os.CreateTemp(t.TempDir(), "out")
	require.NoError(t, err)
	require.False(t, top.IsInteractive(file))
	require.NoError(t, file.Close())
}

// terminal records what the view draws, and passes on the keys of a test.
type terminal struct {
	mu    sync.Mutex
	drawn strings.Builder
	news  chan struct{}
}

func (o *terminal) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	select {
	case o.news <- struct{}{}:
	default:
	}

	return o.drawn.Write(p)
}

func (o *terminal) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.drawn.String()
}

// runLive runs the view with a replica until end is called, and waits until the view has
// drawn a text.
func runLive(t *testing.T, ctx context.Context, d top.Deps, out *terminal, ops string, until string) (ended chan error) {
	t.Helper()
	d.After = func(time.Duration) <-chan time.Time { return out.ticks() }
	d.Out = out
	ended = make(chan error, 1)
	go func() {
		ended <- top.Run(ctx, top.Options{Ops: []string{ops}, Interval: time.Second}, d)
	}()
	timeout := time.After(time.Minute)
	for !strings.Contains(out.String(), until) {
		select {
		case <-out.news:
		case <-timeout:
			require.Fail(t, "not drawn: "+until, "%q", out)
		}
	}

	return ended
}

// ticks never come: one round is what these tests need.
func (o *terminal) ticks() <-chan time.Time { return make(chan time.Time) }

func TestLiveViewEndsByKey(t *testing.T) {
	t.Parallel()
	out := &terminal{news: make(chan struct{}, 1)}
	d := deps(t, out)
	in, keys := io.Pipe()
	d.In = in
	ended := runLive(t, t.Context(), d, out, replica(t).URL, "v0.4.0")
	_, err := fmt.Fprint(keys, "q")
	require.NoError(t, err)
	require.NoError(t, <-ended)
	require.NoError(t, keys.Close())
}

func TestLiveViewEndsByContext(t *testing.T) {
	t.Parallel()
	out := &terminal{news: make(chan struct{}, 1)}
	d := deps(t, out)
	in, keys := io.Pipe()
	d.In = in
	ctx, cancel := context.WithCancel(t.Context())
	ended := runLive(t, ctx, d, out, "http://127.0.0.1:1", "cannot connect")
	cancel()
	require.NoError(t, <-ended, "neither an unreachable replica nor the end is an error of a live view")
	require.NoError(t, keys.Close())
}
