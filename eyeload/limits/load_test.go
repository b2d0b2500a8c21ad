package limits_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/limits"
	"github.com/the-eye-events/the-eye/internal/event"
)

// collector stands in for the service: it decodes as strictly, and stores in memory.
type collector struct {
	mu       sync.Mutex
	requests int
	rejected []event.Envelope
	ids      map[uuid.UUID]bool
	sessions map[uuid.UUID]bool
	// fail reports whether a request gets a 503.
	fail func(request int) bool
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rules := event.DefaultRules()
	envelopes, _, err := event.ParseJSON(body, &rules, time.Now())
	c.mu.Lock()
	defer c.mu.Unlock()

	c.requests++
	if err != nil || r.Header.Get("Authorization") != "Bearer key" || c.fail(c.requests) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}

	for _, e := range envelopes {
		if !e.Accepted() {
			c.rejected = append(c.rejected, e)
		}

		c.ids[e.Event.ID] = true
		c.sessions[e.Event.SessionID] = true
	}

	w.Header().Set("Content-Length", "2")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte("{}"))
}

func startCollector(t *testing.T, fail func(request int) bool) (*collector, limits.Target) {
	t.Helper()
	c := &collector{ids: map[uuid.UUID]bool{}, sessions: map[uuid.UUID]bool{}, fail: fail}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)

	return c, limits.Target{Address: strings.TrimPrefix(server.URL, "http://"), Key: "key"}
}

func neverFail(int) bool { return false }

func TestClosedLoadCountsWhatIsStored(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]limits.Workload{
		"single": {Batch: 1, Sessions: 1000}, "batch": {Batch: 50, Sessions: 1000}, "hot": {Batch: 3, Sessions: 1}, "large": {Batch: 1, Sessions: 10, Payload: 4000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored, target := startCollector(t, neverFail)
			result, err := limits.Closed{
				Workload: load,
				Clients:  4,
				For:      100 * time.Millisecond,
			}.Run(t.Context(), target, time.Now)

			require.NoError(t, err)
			require.Zero(t, result.Failed)
			require.Positive(t, result.Requests)
			require.Empty(t, stored.rejected, "every event keeps the rules")
			require.Len(t, stored.ids, result.Events, "every event has an id of its own")
			require.Equal(t, result.Requests*load.Batch, result.Events)
			require.Equal(t, load.Sessions == 1, len(stored.sessions) == 1)
			require.LessOrEqual(t, result.Quantile(0.5), result.Quantile(0.99))
		})
	}
}

func TestFailuresAreNotCountedAsEvents(t *testing.T) {
	t.Parallel()
	stored, target := startCollector(t, func(request int) bool { return request%2 == 0 })

	// A response without Content-Length would be an error: net/http gives one to it.
	result, err := limits.Closed{
		Workload: limits.Workload{Batch: 1, Sessions: 10},
		Clients:  1,
		For:      50 * time.Millisecond,
	}.Run(t.Context(), target, time.Now)

	require.NoError(t, err)
	require.Positive(t, result.Failed)
	require.Equal(t, stored.requests, result.Requests+result.Failed)
	require.Len(t, stored.ids, result.Events)
}

func TestOpenLoadSendsWhatIsDue(t *testing.T) {
	t.Parallel()
	stored, target := startCollector(t, neverFail)
	load := limits.Open{
		Workload:    limits.Workload{Batch: 1, Sessions: 10},
		PerSecond:   500,
		Connections: 8,
		For:         200 * time.Millisecond,
	}

	result, err := load.Run(t.Context(), target, time.Now)
	require.NoError(t, err)
	require.Equal(t, 100, result.Requests)
	require.Len(t, stored.ids, 100)
}

func TestABrokenConnectionIsAnError(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}

			_ = c.Close()
		}
	}()

	load := limits.Closed{Workload: limits.Workload{Batch: 1, Sessions: 1}, Clients: 1, For: time.Minute}
	_, err = load.Run(t.Context(), limits.Target{Address: listener.Addr().String(), Key: "key"}, time.Now)
	require.ErrorContains(t, err, "client 0")
}

func TestBaselineAnswersAsTheServiceDoes(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- limits.ServeBaseline(ctx, listener) }()
	load := limits.Closed{Workload: limits.Workload{Batch: 1, Sessions: 1}, Clients: 2, For: 50 * time.Millisecond}
	result, err := load.Run(t.Context(), limits.Target{Address: listener.Addr().String(), Key: "key"}, time.Now)
	require.NoError(t, err)
	require.Positive(t, result.Requests)
	require.Zero(t, result.Failed)
	stop()
	require.NoError(t, <-served)
}

func TestMetersReadThisProcess(t *testing.T) {
	t.Parallel()
	before, err := limits.ProcessTime(os.Getpid())
	require.NoError(t, err)
	for after := before; after == before; { // until the CPU time has grown
		after, err = limits.ProcessTime(os.Getpid())
		require.NoError(t, err)
	}

	resident, err := limits.ResidentBytes(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, resident, int64(1<<20))
	_, err = limits.ProcessTime(1 << 30)
	require.Error(t, err)
}

func TestReport(t *testing.T) {
	t.Parallel()
	const ratio, latency = "single events, 256 clients: ratio to Gin that stores nothing", "100 requests/s: p99 ms"
	var r limits.Report
	for _, value := range []float64{0.7, 0.3, 0.4} {
		r.AddFigure(ratio, value)
	}

	r.AddFigure(latency, 2.9)
	r.AddFigure("12 requests/s: events/s", 12345.6)
	require.Equal(t, []string{ratio}, r.MissedGoals(), "the median counts")

	var text, document strings.Builder
	require.NoError(t, r.WriteText(&text))
	require.Regexp(t, `single events.* 0\.4 +\| 0\.3 +\| 0\.7 +\| ≥ 0\.5 +\| missed`, text.String())
	require.Regexp(t, `100 requests/s: p99 ms.* < 3 +\| reached`, text.String())
	require.Contains(t, text.String(), "12,346")

	require.NoError(t, r.WriteJSON(&document))
	var read limits.Report
	require.NoError(t, json.Unmarshal([]byte(document.String()), &read))
	require.Equal(t, []float64{0.7, 0.3, 0.4}, read.Figures[0].Values)
	require.False(t, *read.Figures[0].Reached)
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for value, text := range map[float64]string{0.38761: "0.388", 2: "2", 45.678: "45.7", 895.2: "895", 28924: "28,924", 1234567: "1,234,567"} {
		require.Equal(t, text, limits.FormatNumber(value))
	}
}
