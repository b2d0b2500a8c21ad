package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/ops"
)

// ask sends a request; header holds pairs of names and values.
func ask(t testing.TB, handler http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}

	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func fails(text string) func(context.Context) error {
	return func(context.Context) error { return errors.New(text) }
}

func passes(context.Context) error { return nil }

func TestProbes(t *testing.T) {
	t.Parallel()
	port := ops.New(ops.Config{
		Startup: []ops.Check{{Name: "started", Required: true, Run: fails("waiting")}},
		Ready: []ops.Check{
			{Name: "state", Required: true, Run: passes},
			{Name: "broken", Required: true, Run: fails("it is broken")},
			{Name: "away", Run: fails("it is down")},
		},
		Now: time.Now,
	})
	const failed = "[+]state ok\n[-]broken failed: it is broken\n[-]away failed: it is down (reported only)\nreadyz check failed\n"
	for target, want := range map[string]struct {
		status int
		body   string
	}{
		"/livez":                           {200, "ok\n"},
		"/livez?verbose":                   {200, "[+]process ok\nlivez check passed\n"},
		"/livez/process":                   {200, "ok\n"},
		"/livez?exclude=process&verbose=1": {200, "[+]process excluded: ok\nlivez check passed\n"},
		"/startupz":                        {503, "[-]started failed: waiting\nstartupz check failed\n"},
		"/startupz?exclude=started":        {200, "ok\n"},
		"/readyz":                          {503, failed},
		"/readyz?verbose":                  {503, failed},
		"/readyz?exclude=broken":           {200, "ok\n"},
		"/readyz?exclude=broken&exclude=away&verbose": {200, "[+]state ok\n[+]broken excluded: ok\n[+]away excluded: ok\nreadyz check passed\n"},
		"/readyz?exclude=broken&exclude=brokn":        {200, "warning: no check to exclude has the name brokn\nok\n"},
		"/readyz?exclude=broken&exclude=%3Cscript%3E": {200, "warning: no check to exclude has the name (not a valid name)\nok\n"},
		"/readyz?exclude=broken&exclude=":             {200, "warning: no check to exclude has the name (not a valid name)\nok\n"},
		"/readyz/state":                               {200, "ok\n"},
		"/readyz/state?verbose":                       {200, "[+]state ok\nreadyz check passed\n"},
		"/readyz/broken":                              {503, "[-]broken failed: it is broken\nreadyz check failed\n"},
		"/readyz/away":                                {503, "[-]away failed: it is down (reported only)\nreadyz check failed\n"},
		"/readyz/none":                                {404, "there is no such check; /readyz?verbose lists them\n"},
		"/readyz?exclude=broken" + strings.Repeat("&exclude=x", 500): {
			200, strings.Repeat("warning: no check to exclude has the name x\n", 8) + "ok\n",
		},
	} {
		answer := ask(t, port, http.MethodGet, target, "", "Accept", "*/*")
		require.Equal(t, want.status, answer.Code, target)
		require.Equal(t, want.body, answer.Body.String(), target)
		require.Equal(t, "no-store", answer.Header().Get("Cache-Control"), target)
		require.Equal(t, "text/plain; charset=utf-8", answer.Header().Get("Content-Type"), target)
	}

	require.False(t, port.IsReady(t.Context()))
}

func TestProbesAsJSON(t *testing.T) {
	t.Parallel()
	port := ops.New(ops.Config{Now: time.Now, Ready: []ops.Check{
		{Name: "state", Required: true, Run: passes}, {Name: "away", Run: fails("it is down")}, {Name: "other", Run: passes},
	}})
	for _, accept := range []string{"application/json", "text/html, Application/JSON;q=0.5", "application/json; charset=utf-8"} {
		answer := ask(t, port, http.MethodGet, "/readyz?exclude=other&exclude=none", "", "Accept", accept)
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "application/json", answer.Header().Get("Content-Type"), accept)
		require.JSONEq(t, `{"probe": "readyz", "ready": true, "unknown_excludes": ["none"], "checks": [
			{"name": "state", "ok": true, "required": true},
			{"name": "away", "ok": false, "required": false, "detail": "it is down"},
			{"name": "other", "ok": true, "required": false, "excluded": true}]}`, answer.Body.String())
	}

	for _, accept := range []string{"", "*/*", "application/*", "application/json;q=0", "text/plain", "application/jsonx", ";;"} {
		answer := ask(t, port, http.MethodGet, "/readyz", "", "Accept", accept)
		require.Equal(t, "ok\n", answer.Body.String(), accept)
	}

	answer := ask(t, port, http.MethodGet, "/readyz/away", "", "Accept", "application/json")
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	var single struct{ Ready bool }
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &single))
	require.False(t, single.Ready)
}

// Many probes at once and within the second cost the database one query.
func TestAResultIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const keepFor, takes = time.Second, 300 * time.Millisecond
		var runs atomic.Int64
		port := ops.New(ops.Config{Now: time.Now, Ready: []ops.Check{{
			Name: "database", Required: true, KeepFor: keepFor,
			Run: func(ctx context.Context) error {
				runs.Add(1)
				select {
				case <-time.After(takes):
				case <-ctx.Done():
				}

				return ctx.Err()
			},
		}}})
		probe := func(n int) {
			var all sync.WaitGroup
			for range n {
				all.Go(func() { require.True(t, port.AskReady(t.Context())) })
			}

			all.Wait()
		}
		probe(100)
		require.EqualValues(t, 1, runs.Load())
		<-time.After(keepFor - time.Nanosecond)
		probe(100)
		require.EqualValues(t, 1, runs.Load())
		<-time.After(time.Nanosecond)
		probe(100)
		require.EqualValues(t, 2, runs.Load())

		<-time.After(keepFor)
		gone, leave := context.WithCancel(t.Context())
		first := make(chan bool)
		go func() { first <- port.AskReady(gone) }()
		synctest.Wait()
		leave()
		require.False(t, <-first, "the client that left got no answer")
		require.True(t, port.AskReady(t.Context()), "and did not spoil it for the others")
		require.EqualValues(t, 3, runs.Load())
	})
}

// A check that hangs delays no probe for longer than its timeout, and is not started a
// second time while it hangs; a check that panics does not end the process.
func TestAProbeIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		release := make(chan struct{})
		port := ops.New(ops.Config{Now: time.Now, Ready: []ops.Check{
			{Name: "hangs", Required: true, Timeout: 200 * time.Millisecond, Run: func(context.Context) error {
				runs.Add(1)
				<-release // ignores its context
				return nil
			}},
			{Name: "panics", Run: func(context.Context) error { panic("canary") }},
			{Name: "heeds", Run: func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("it waited")
			}},
		}})
		begin := time.Now()
		answer := ask(t, port, http.MethodGet, "/readyz?verbose", "")
		require.Equal(t, "[-]hangs failed: it did not answer in time\n[-]panics failed: it panicked (reported only)\n"+
			"[-]heeds failed: it did not answer in time (reported only)\nreadyz check failed\n",
			strings.ReplaceAll(answer.Body.String(), "it waited", "it did not answer in time"))
		require.Equal(t, time.Second, time.Since(begin), "the default of a check's time")
		begin = time.Now()
		require.Equal(t, http.StatusServiceUnavailable, ask(t, port, http.MethodGet, "/readyz/hangs", "").Code)
		require.Zero(t, time.Since(begin), "its time was up already")
		require.EqualValues(t, 1, runs.Load())
		close(release)
		synctest.Wait()
		require.Equal(t, http.StatusOK, ask(t, port, http.MethodGet, "/readyz/hangs", "").Code)
		require.EqualValues(t, 2, runs.Load())
	})
}

// A scrape does not wait for a check whose result is kept: it gets the last result, and the
// next scrape gets the new one.
func TestReadyWaitsForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hangs, stopping atomic.Bool
		port := ops.New(ops.Config{Now: time.Now, Ready: []ops.Check{
			{Name: "state", Required: true, Run: func(context.Context) error {
				if stopping.Load() {
					return errors.New("stopping")
				}

				return nil
			}},
			{Name: "keys", Run: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}},
			{Name: "database", Required: true, KeepFor: time.Second, Run: func(ctx context.Context) error {
				if hangs.Load() {
					<-ctx.Done()
				}

				return ctx.Err()
			}},
		}})
		ready := func() bool {
			began := time.Now()
			defer func() { require.Zero(t, time.Since(began)) }()

			return port.IsReady(t.Context())
		}
		require.True(t, ready())
		hangs.Store(true)
		<-time.After(15 * time.Second)
		require.True(t, ready(), "as far as is known")
		<-time.After(15 * time.Second)
		require.False(t, ready())
		synctest.Wait() // the check runs again, and hangs again
		hangs.Store(false)
		<-time.After(15 * time.Second)
		require.False(t, ready())
		synctest.Wait()
		require.True(t, ready())
		stopping.Store(true)
		require.False(t, ready(), "what is not kept is known at once")
	})
}
