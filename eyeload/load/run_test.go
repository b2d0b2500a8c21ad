package load_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load"
	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// shortOptions are the options of a short run against a service.
func shortOptions(s *apptest.Service) load.Options {
	return load.Options{
		URL:         s.URL,
		IngestKey:   s.Ingest,
		ReadKey:     s.Read,
		DatabaseURL: s.Database.DSN(),
		Kind:        load.KindSessions,
		Sessions:    10,
		Rates:       []float64{200},
		Duration:    500 * time.Millisecond,
		Batch:       1,
		KeepAlive:   true,
		Timeout:     30 * time.Second,
		Workers:     100,
		Retry:       true,
		Reconcile:   true,
	}
}

func testDeps() load.Deps { return load.Deps{Now: time.Now, Progress: io.Discard} }

func runLoad(t *testing.T, o load.Options) *report.Report {
	t.Helper()
	r, err := load.Run(context.Background(), o, testDeps())
	require.NoError(t, err)

	return r
}

func TestEveryWayOfSendingIsConsistent(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	for name, change := range map[string]func(o *load.Options){
		"single":          func(*load.Options) {},
		"single, gzipped": func(o *load.Options) { o.Gzip = true },
		"batch":           func(o *load.Options) { o.Batch = 7 },
		"batch, gzipped": func(o *load.Options) {
			o.Batch = 7
			o.Gzip = true
		},
		"ndjson": func(o *load.Options) {
			o.Batch = 3
			o.NDJSON = true
		},
		"ndjson of one": func(o *load.Options) { o.NDJSON = true },
		"hot": func(o *load.Options) {
			o.Kind = load.KindHot
			o.Batch = 5
		},
		"new connections":   func(o *load.Options) { o.KeepAlive = false },
		"few connections":   func(o *load.Options) { o.Connections = 2 },
		"without the table": func(o *load.Options) { o.DatabaseURL = "" },
		"file": func(o *load.Options) {
			o.Kind = load.KindFile
			o.Recording = []byte(`{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"pâge","name":"view","data":{"n":1.50},"timestamp":"2021-01-01 09:15:27"}`)
		},
	} {
		o := shortOptions(service)
		change(&o)
		r := runLoad(t, o)
		require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome, "%s: %+v", name, r.Reconciliation)
		require.EqualValues(t, 100*o.Batch, r.Reconciliation.Acknowledged, name)
		require.EqualValues(t, 100*o.Batch, r.Reconciliation.Found, name)
		require.Equal(t, o.DatabaseURL != "", r.Reconciliation.Tables, name)
		step := r.Steps[0]
		require.EqualValues(t, 100, step.Requests, name)
		require.Zero(t, step.Failed, "%s: %v %v", name, step.Statuses, step.Errors)
		require.Equal(t, map[string]int64{"201": 100}, step.Statuses, name)
		require.Equal(t, map[string]int64{"stored": int64(100 * o.Batch)}, step.Verdicts, name)
		require.EqualValues(t, 100, step.Scheduled.Count, name)
		require.GreaterOrEqual(t, step.Scheduled.P50, step.Sent.Min, name)
		require.Positive(t, step.BytesOut, name)
		require.Positive(t, step.BytesIn, name)
		require.True(t, r.Passed, "%s: %+v", name, r.Thresholds)
	}
}

func TestStepsFollowOneAnother(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	o := shortOptions(service)
	o.Rates = []float64{20, 60}
	r := runLoad(t, o)
	require.Len(t, r.Steps, 2)
	require.EqualValues(t, 10, r.Steps[0].Requests)
	require.EqualValues(t, 30, r.Steps[1].Requests)
	require.EqualValues(t, 40, r.Reconciliation.Acknowledged)
	require.NotEmpty(t, r.Timeline)
	require.Equal(t, 1, r.Timeline[len(r.Timeline)-1].Step)
}

// startProxyBefore starts a proxy before a service that handles each request first.
func startProxyBefore(t *testing.T, service *apptest.Service, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) *httptest.Server {
	t.Helper()
	target, err := url.Parse(service.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{}
	proxy.Transport = transport
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, proxy) }))
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(server.Close)

	return server
}

func isAttack(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/v1/events" }

func TestUnansweredEventsAreSentAgain(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	var n atomic.Int64
	server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !isAttack(r) || n.Add(1) > 30 {
			next.ServeHTTP(w, r)
			return
		}

		if n.Load()%2 == 0 { // stored, and the answer is lost
			next.ServeHTTP(httptest.NewRecorder(), r)
		}

		w.WriteHeader(http.StatusServiceUnavailable)
	})

	o := shortOptions(service)
	o.URL = server.URL
	r := runLoad(t, o)
	require.EqualValues(t, 30, r.Steps[0].Failed)
	require.EqualValues(t, 30, r.Steps[0].Statuses["503"])
	require.EqualValues(t, 30, r.Retry.Events)
	require.EqualValues(t, 30, r.Retry.Stored+r.Retry.Duplicates)
	require.Positive(t, r.Retry.Duplicates, "what was stored is not stored again")
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome, "%+v", r.Reconciliation)
	require.EqualValues(t, 100, r.Reconciliation.Acknowledged)
	require.False(t, r.Passed, "the failed requests still count")
	require.ErrorIs(t, r.Err(), report.ErrThreshold)

	n.Store(0)
	o.Retry = false
	o.Limits.MaxFailures = report.Failures{Value: 0.3, Share: true}
	r = runLoad(t, o)
	require.Nil(t, r.Retry)
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome, "an unanswered event may be stored or not: %+v", r.Reconciliation)
	require.EqualValues(t, 30, r.Reconciliation.Unanswered)
	require.Positive(t, r.Reconciliation.UnansweredFound)
	require.True(t, r.Passed)
}

func TestRefusedEventsAreNotStored(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isAttack(r) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}

		next.ServeHTTP(w, r)
	})

	o := shortOptions(service)
	o.URL = server.URL
	o.Batch = 2
	r := runLoad(t, o)
	require.EqualValues(t, 100, r.Steps[0].Failed)
	require.EqualValues(t, 200, r.Reconciliation.Rejected)
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome)
}

func TestAnswersThatCannotBeAreFound(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	for name, mangle := range map[string]func(answer map[string]any) any{
		"another id":       func(a map[string]any) any { a["event_id"] = "0190163d-8694-739b-aea5-966c26f8ad91"; return a },
		"no sequence":      func(a map[string]any) any { delete(a, "sequence"); return a },
		"another sequence": func(a map[string]any) any { a["sequence"] = 77; return a },
		"another verdict":  func(a map[string]any) any { a["status"] = "valid"; return a },
		"refused":          func(a map[string]any) any { a["status"] = "rejected"; return a },
		"nonsense":         func(map[string]any) any { return "hello" },
	} {
		var n atomic.Int64
		server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if !isAttack(r) || n.Add(1) != 10 {
				next.ServeHTTP(w, r)
				return
			}

			recorder := httptest.NewRecorder()
			next.ServeHTTP(recorder, r)
			answer := map[string]any{}
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
				panic(err)
			}

			w.WriteHeader(recorder.Code)
			_ = json.NewEncoder(w).Encode(mangle(answer))
		})

		o := shortOptions(service)
		o.URL = server.URL
		r := runLoad(t, o)
		require.Equal(t, reconcile.Inconsistent, r.Reconciliation.Outcome, name)
		require.EqualValues(t, 1, r.Reconciliation.Differences, "%s: %v", name, r.Reconciliation.List)
		require.False(t, r.Passed)
	}
}

func TestStoppingEarlyReportsWhatWasSent(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	stop := make(chan struct{})
	var n atomic.Int64
	server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isAttack(r) && n.Add(1) == 20 {
			close(stop)
		}

		next.ServeHTTP(w, r)
	})

	o := shortOptions(service)
	o.URL = server.URL
	o.Duration = time.Hour
	o.Rates = []float64{100, 100}
	d := testDeps()
	d.Stop = stop
	r, err := load.Run(context.Background(), o, d)
	require.NoError(t, err)
	require.True(t, r.Stopped)
	require.Len(t, r.Steps, 1)
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome)
	require.GreaterOrEqual(t, r.Reconciliation.Acknowledged, int64(20))
}

func TestFindMaxFindsWhereItBreaks(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	var inTry, asked atomic.Int64
	server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isAttack(r) {
			asked.Add(1)
			if inTry.Add(1) > 20 { // more than 20 requests a try are too many
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}

		next.ServeHTTP(w, r)
	})

	o := shortOptions(service)
	o.URL = server.URL
	o.Rates = []float64{20}
	o.FindMax = true
	o.Try = 500 * time.Millisecond
	o.Limits.MaxP99 = time.Minute
	d := testDeps()
	d.Progress = progress(func(line string) {
		if strings.Contains(line, "/s passed") || strings.Contains(line, "/s failed") || strings.Contains(line, "again") {
			inTry.Store(0)
		}
	})

	r, err := load.Run(context.Background(), o, d)
	require.NoError(t, err)
	require.InDelta(t, 40, r.Search.Rate, 2, "%+v", r.Search.Tries) // 20 requests in half a second
	require.True(t, r.Search.Tries[0].Passed)
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome, "%+v", r.Reconciliation)
	require.NotEmpty(t, r.Search.Tries[2].Why)
}

type progress func(line string)

func (p progress) Write(line []byte) (int, error) {
	p(string(line))
	return len(line), nil
}

func TestWhatCannotBeRun(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	for _, c := range []struct {
		want   error
		change func(o *load.Options)
	}{
		{load.ErrUnreachable, func(o *load.Options) { o.URL = "http://127.0.0.1:1" }},
		{load.ErrKeyRejected, func(o *load.Options) { o.IngestKey = "eye_wrong" }},
		{load.ErrKeyRejected, func(o *load.Options) { o.IngestKey = service.Read }},
		{load.ErrKeyRejected, func(o *load.Options) { o.ReadKey = service.Ingest }},
		{load.ErrOptions, func(o *load.Options) { o.Batch = 1001 }},
		{load.ErrOptions, func(o *load.Options) { o.URL = "localhost:8080" }},
		{load.ErrOptions, func(o *load.Options) { o.ReadKey = "" }},
		{load.ErrOptions, func(o *load.Options) { o.Rates = []float64{100, 0} }},
		{load.ErrOptions, func(o *load.Options) { o.Kind = "cold" }},
		{load.ErrOptions, func(o *load.Options) { o.Kind = load.KindFile }},
		{load.ErrOptions, func(o *load.Options) {
			o.FindMax = true
			o.Try = time.Second
		}},
		{load.ErrOptions, func(o *load.Options) {
			o.Rates = []float64{1e9}
			o.Duration = time.Hour
		}},
		{load.ErrOptions, func(o *load.Options) { o.Authorities = []byte("none") }},
	} {
		o := shortOptions(service)
		c.change(&o)
		_, err := load.Run(context.Background(), o, testDeps())
		require.ErrorIs(t, err, c.want)
	}
}

func TestHTTPSIsCheckedByTheAuthoritiesGiven(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	target, err := url.Parse(service.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{}
	proxy.Transport = transport
	server := httptest.NewTLSServer(proxy)
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(server.Close)
	o := shortOptions(service)
	o.URL = server.URL
	_, err = load.Run(context.Background(), o, testDeps())
	require.ErrorIs(t, err, load.ErrUnreachable, "no authority is given")
	o.Authorities = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.True(t, runLoad(t, o).Passed)
}
