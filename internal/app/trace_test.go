package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// tracedSettings returns the settings of a service that exports every trace to a receiver.
// The exporters read the process's environment, so these tests do not run in parallel.
func tracedSettings(t *testing.T, endpoint string, more ...string) map[string]string {
	t.Helper()
	settings := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_SAMPLER": "parentbased_always_on",
		"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_INTERVAL": "50",
	}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}

	for name, text := range settings {
		if strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, text)
		}
	}

	return settings
}

// eventJSON renders an event, with its own session unless one is given.
func eventJSON(session uuid.UUID) string {
	return fmt.Sprintf(`{"event_id":%q,"session_id":%q,"category":"page","name":"view","data":{"path":"/"},"timestamp":%q}`,
		uuid.NewString(), session, time.Now().UTC().Format(time.RFC3339Nano))
}

// shareGroup posts events while the lane is blocked, so that they are committed together,
// and returns their trace ids.
func shareGroup(t *testing.T, s *apptest.Service, n int) []string {
	t.Helper()
	held := uuid.New()
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", eventJSON(held)).Status)
	pool := s.Database.Pool(t)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // the pool would wait for it
	_, err = tx.Exec(t.Context(), "select from session where session_id = $1 for update", held)
	require.NoError(t, err)
	var sent sync.WaitGroup
	post := func(body string, header ...string) {
		sent.Go(func() {
			answer, err := s.Try(context.Background(), http.MethodPost, "/v1/events", []byte(body), header...)
			if err == nil && answer.Status != http.StatusCreated {
				err = fmt.Errorf("status %d: %s", answer.Status, answer.Body)
			}

			if err != nil {
				t.Error(err)
			}
		})
	}
	post(eventJSON(held)) // it blocks the lane
	locked := func() bool {
		var n int
		err := pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()").Scan(&n)
		return err == nil && n > 0
	}
	require.Eventually(t, locked, 20*time.Second, 5*time.Millisecond)
	traces := make([]string, n)
	for i := range traces {
		traces[i] = fmt.Sprintf("%032x", i+1)
		post(eventJSON(uuid.New()), "traceparent", "00-"+traces[i]+"-00f067aa0ba902b7-01")
	}

	require.Eventually(t, func() bool { return s.Scrape(t).SumSeries("theeye_ingest_queue_events") == float64(n+1) }, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, tx.Rollback(t.Context()))
	sent.Wait()
	return traces
}

// A POST that shared its group with others is in the traces of an OTLP receiver: its span
// continues the client's trace, the group's span is linked to and from each of the
// requests, and the database's steps are below it.
func TestRequestsThatShareAGroupAreLinked(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			receiver := apptest.NewReceiver(t)
			endpoint := receiver.HTTP
			if protocol == "grpc" {
				endpoint = receiver.GRPC
			}

			const together = 5
			s := apptest.Start(t, tracedSettings(t, endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL", protocol, "OTEL_METRICS_EXPORTER", "none",
				"OTEL_SERVICE_NAME", "eye-of-a-test", "OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"))
			traces := shareGroup(t, s, together)

			requests := map[string]apptest.Span{}
			for _, span := range receiver.AwaitSpans(t, "POST /v1/events", together+2) {
				requests[span.TraceID()] = span
			}

			var group apptest.Span
			for _, span := range receiver.AwaitSpans(t, "commit group", 3) {
				if len(span.Links) == together {
					group = span
				}
			}

			require.NotNil(t, group.Span, "the span of the group that the requests shared")
			require.Empty(t, group.ParentID())
			require.NotContains(t, traces, group.TraceID(), "what many share is part of no one's trace")
			for _, trace := range traces {
				request, found := requests[trace]
				require.True(t, found, "a request continues the trace of its client")
				require.Equal(t, "00f067aa0ba902b7", request.ParentID())
				require.True(t, group.LinksTo(request))
				require.True(t, request.LinksTo(group))
				require.Equal(t, "shop", request.Attribute("theeye.application"))
				require.Equal(t, "/v1/events", request.Attribute("http.route"))
				require.Equal(t, "eye-of-a-test", request.Resource["service.name"])
				require.Equal(t, "test", request.Resource["deployment.environment.name"])
			}

			steps := map[string]int{}
			for _, name := range []string{"lock", "write"} {
				for _, span := range receiver.AwaitSpans(t, name, 3) {
					if span.TraceID() == group.TraceID() {
						require.Equal(t, group.ID(), span.ParentID())
						require.Equal(t, "postgresql", span.Attribute("db.system.name"))
						steps[name]++
					}
				}
			}

			require.Equal(t, map[string]int{"lock": 1, "write": 1}, steps)

			// Each stored event leads to its trace.
			var stored int
			require.NoError(t, s.Database.Pool(t).QueryRow(t.Context(),
				"select count(*) from event where replace(trace_id::text, '-', '') = any ($1)", traces).Scan(&stored))
			require.Equal(t, together, stored)
		})
	}
}

// Queries make spans of their statements, without their parameters.
func TestStatementsOfQuestionsAreTraced(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	receiver := apptest.NewReceiver(t)
	s := apptest.Start(t, tracedSettings(t, receiver.HTTP))
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/v1/events?category=canary-value", "").Status)
	request := receiver.AwaitSpans(t, "GET /v1/events", 1)[0]
	require.Eventually(t, func() bool {
		for _, span := range receiver.Spans("") {
			if span.TraceID() == request.TraceID() && strings.Contains(span.Attribute("db.query.text"), "from event") {
				return true
			}
		}

		return false
	}, 20*time.Second, 10*time.Millisecond)
	for _, span := range receiver.Spans("") {
		require.NotContains(t, span.String(), "canary-value")
	}

	require.Eventually(t, func() bool { return receiver.HasMetric("theeye.http.request.duration") }, 20*time.Second, 10*time.Millisecond)
}

// A span with a path that is not UTF-8 cannot be exported, and would make the export of all
// spans in its batch fail.
func TestPathsThatAreNotTextAreExported(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	receiver := apptest.NewReceiver(t)
	s := apptest.Start(t, tracedSettings(t, receiver.HTTP, "OTEL_METRICS_EXPORTER", "none"))
	for _, path := range []string{"/%ff%fe", "/" + strings.Repeat("a", 198) + "%E2%82%AC"} { // the second is cut inside a character
		require.Equal(t, http.StatusNotFound, s.Do(t, http.MethodGet, path, "").Status)
	}

	paths := []string{}
	for _, span := range receiver.AwaitSpans(t, "GET none", 2) {
		paths = append(paths, span.Attribute("url.path"))
	}

	require.ElementsMatch(t, []string{"/\uFFFD", "/" + strings.Repeat("a", 198) + "\uFFFD"}, paths)
}

// A collector that accepts connections and never answers delays and fails no request: spans
// that do not fit into the queue are dropped and counted, and the service stops without
// waiting for it.
func TestABlackHoleForTraces(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	var listen net.ListenConfig
	hole, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var swallowed []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)

		for {
			connection, err := hole.Accept()
			if err != nil {
				return
			}

			swallowed = append(swallowed, connection)
		}
	}()
	t.Cleanup(func() {
		_ = hole.Close() // it ends the loop
		<-done
		for _, connection := range swallowed {
			_ = connection.Close() // its other end was stopped
		}
	})
	const queue, requests = 8, 200
	settings := tracedSettings(t, "http://"+hole.Addr().String(), "OTEL_BSP_MAX_QUEUE_SIZE", fmt.Sprint(queue), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
	s := apptest.Start(t, settings)
	for range requests {
		require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", eventJSON(uuid.New())).Status)
	}

	metrics := s.Scrape(t)
	require.LessOrEqual(t, metrics.SumSeries("theeye_telemetry_span_queue"), float64(queue))
	require.GreaterOrEqual(t, metrics.SumSeries("theeye_telemetry_spans_total", "outcome", "dropped"), float64(requests-queue))
	require.Zero(t, metrics.SumSeries("theeye_telemetry_spans_total", "outcome", "exported"))
	require.InDelta(t, requests, metrics.SumSeries("theeye_ingest_events_total", "application", "shop", "status", "stored"), 0)
}

// Spans for an unreachable collector are counted, too.
func TestNobodyTakesTheTraces(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	var listen net.ListenConfig
	closed, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	s := apptest.Start(t, tracedSettings(t, "http://"+closed.Addr().String(), "OTEL_EXPORTER_OTLP_TIMEOUT", "100"))
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", eventJSON(uuid.New())).Status)
	require.Eventually(t, func() bool {
		metrics := s.Scrape(t)
		return metrics.SumSeries("theeye_telemetry_spans_total", "outcome", "failed") > 0 &&
			metrics.SumSeries("theeye_telemetry_metric_exports_total", "outcome", "failed") > 0
	}, 30*time.Second, 20*time.Millisecond)
}

// A disabled SDK records nothing, and the service works as usual.
func TestTelemetryThatIsOff(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	s := apptest.Start(t, tracedSettings(t, "http://127.0.0.1:1", "OTEL_SDK_DISABLED", "true"))
	answer := s.Do(t, http.MethodPost, "/v1/events", eventJSON(uuid.New()), "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	require.Equal(t, http.StatusCreated, answer.Status)
	for name := range s.Scrape(t) {
		require.False(t, strings.HasPrefix(name, "theeye_"), name)
	}

	trace := s.Do(t, http.MethodGet, answer.Header.Get("Location")+"/trace", "").JSON(t)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", trace["trace_id"])
}
