package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// build makes telemetry from variables, given as names and texts, and returns the log.
func build(t *testing.T, variables ...string) (*telemetry.Telemetry, *observer.ObservedLogs) {
	t.Helper()
	set := map[string]string{}
	for i := 0; i+1 < len(variables); i += 2 {
		set[variables[i]] = variables[i+1]
	}

	core, logs := observer.New(zapcore.WarnLevel)
	made, err := telemetry.New(t.Context(), telemetry.Config{
		Build: telemetry.Build{Version: "v1"}, Variables: set, Logger: zap.New(core),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = made.Close(context.Background()) }) // no collector listens
	return made, logs
}

// somewhere is an endpoint without a listener: building connects to nothing.
const somewhere = "http://127.0.0.1:1"

func TestNothingIsExportedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		variables []string
		exported  bool
	}{
		{nil, false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", somewhere}, true},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", somewhere}, true},
		{[]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", somewhere}, false},
		{[]string{"OTEL_TRACES_EXPORTER", "otlp"}, true},
		{[]string{"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", somewhere}, false},
		{[]string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_SDK_DISABLED", "TRUE"}, false},
	} {
		made, logs := build(t, c.variables...)
		require.Equal(t, c.exported, made.Tracer != nil, "%v", c.variables)
		require.Zero(t, logs.Len())
	}
}

// sampled reports whether a span with this parent is sampled.
func sampled(made *telemetry.Telemetry, parent trace.SpanContext, links ...trace.Link) bool {
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), parent)
	_, span := made.Tracer.Start(ctx, "x", trace.WithLinks(links...))
	defer span.End()

	return span.SpanContext().IsSampled()
}

func parent(flags trace.TraceFlags, lastByte byte) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0: 1, 8: lastByte}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true,
	})
}

func TestSamplers(t *testing.T) {
	t.Parallel()
	const low, high = 0x00, 0xff // the ratio samplers look at the upper bits of the second half
	none := trace.SpanContext{}
	for _, c := range []struct {
		sampler, argument string
		with              trace.SpanContext
		sampled           bool
	}{
		{"", "", parent(trace.FlagsSampled, high), true},
		{"", "", parent(0, low), false},
		{"", "0", none, false},
		{"", "1", none, true},
		{"always_on", "", parent(0, high), true},
		{"always_off", "", parent(trace.FlagsSampled, low), false},
		{"traceidratio", "0.5", parent(0, low), true},
		{"traceidratio", "0.5", parent(trace.FlagsSampled, high), false},
		{"traceidratio", "", parent(0, high), true},
		{"parentbased_always_on", "", none, true},
		{"parentbased_always_on", "", parent(0, low), false},
		{"parentbased_always_off", "", none, false},
		{"parentbased_always_off", "", parent(trace.FlagsSampled, high), true},
		{"parentbased_traceidratio", "1", none, true},
		{"parentbased_traceidratio", "0", none, false},
	} {
		made, logs := build(t, "OTEL_TRACES_EXPORTER", "otlp", "OTEL_TRACES_SAMPLER", c.sampler, "OTEL_TRACES_SAMPLER_ARG", c.argument)
		require.Equal(t, c.sampled, sampled(made, c.with), "%+v", c)
		require.Zero(t, logs.Len())
	}
}

// One in a hundred by default, seven standard deviations apart.
func TestDefaultRatio(t *testing.T) {
	t.Parallel()
	made, _ := build(t, "OTEL_TRACES_EXPORTER", "otlp")
	count := 0
	const all = 20_000
	for range all {
		if sampled(made, trace.SpanContext{}) {
			count++
		}
	}

	require.InDelta(t, all/100, count, all/200)
}

func TestALinkToASampledSpanSamples(t *testing.T) {
	t.Parallel()
	made, _ := build(t, "OTEL_TRACES_EXPORTER", "otlp", "OTEL_TRACES_SAMPLER", "parentbased_always_off")
	require.True(t, sampled(made, trace.SpanContext{}, trace.Link{SpanContext: parent(0, 1)}, trace.Link{SpanContext: parent(trace.FlagsSampled, 2)}))
	require.False(t, sampled(made, trace.SpanContext{}, trace.Link{SpanContext: parent(0, 1)}))
}

func TestPropagators(t *testing.T) {
	t.Parallel()
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	w3c := http.Header{"Traceparent": {"00-" + id + "-00f067aa0ba902b7-01"}}
	b3 := http.Header{"B3": {id + "-00f067aa0ba902b7-1"}}
	for _, c := range []struct {
		names     string
		header    http.Header
		extracted bool
	}{
		{"", w3c, true},
		{"", b3, false},
		{"b3", b3, true},
		{"b3", w3c, false},
		{"tracecontext,b3", b3, true},
		{" tracecontext , baggage ", w3c, true},
		{"none", w3c, false},
	} {
		made, logs := build(t, "OTEL_PROPAGATORS", c.names)
		ctx := made.Propagator.Extract(t.Context(), propagation.HeaderCarrier(c.header))
		require.Equal(t, c.extracted, trace.SpanContextFromContext(ctx).TraceID().String() == id, "%q %v", c.names, c.header)
		require.Zero(t, logs.Len())
	}
}

// An invalid variable is logged without its value, and the default is used.
func TestVariablesThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"OTEL_TRACES_EXPORTER": "zipkin-canary", "OTEL_METRICS_EXPORTER": "canary", "OTEL_TRACES_SAMPLER": "canary", "OTEL_PROPAGATORS": "canary",
		"OTEL_TRACES_SAMPLER_ARG": "1.5-canary", "OTEL_BSP_MAX_QUEUE_SIZE": "-3canary", "OTEL_EXPORTER_OTLP_PROTOCOL": "canary",
	} {
		made, logs := build(t, "OTEL_EXPORTER_OTLP_ENDPOINT", somewhere, name, text)
		require.NotNil(t, made.Tracer)
		require.NotZero(t, logs.Len(), name)
		for _, entry := range logs.All() {
			require.Equal(t, name, entry.ContextMap()["variable"])
			for _, field := range entry.ContextMap() {
				require.NotContains(t, field, "canary")
			}
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	made, _ := build(t)
	counter, err := made.Meter.Int64Counter("theeye.test.things")
	require.NoError(t, err)
	counter.Add(t.Context(), 3)
	recorder := httptest.NewRecorder()
	made.MetricsHandler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	text := recorder.Body.String()
	for _, line := range []string{
		"theeye_test_things_total 3\n", `theeye_build_info{goversion="",revision="",version="v1"} 1`, "process_cpu_seconds_total ", "go_goroutine_count ",
	} {
		require.Contains(t, text, line)
	}

	require.NotContains(t, text, "otel_scope")
	require.NotContains(t, text, "target_info")
}
