package telemetry

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// addTraces adds a tracer, if there is an exporter of traces.
func (t *Telemetry) addTraces(ctx context.Context, about *resource.Resource, v variables, config Config) error {
	exporter, err := newSpanExporter(ctx, v)
	if exporter == nil || err != nil {
		return err
	}

	const standardQueue = 2048 // OpenTelemetry specification, OTEL_BSP_MAX_QUEUE_SIZE
	size := v.readCount("OTEL_BSP_MAX_QUEUE_SIZE", standardQueue)

	givenUp := make(chan struct{})
	counts := &spanCounts{bound: int64(size)}
	counted := &countedExporter{SpanExporter: exporter, counts: counts, givenUp: givenUp, logger: config.Logger}
	processor := &boundedProcessor{SpanProcessor: trace.NewBatchSpanProcessor(counted, trace.WithMaxQueueSize(size)), counts: counts}
	provider := trace.NewTracerProvider(
		trace.WithResource(about), trace.WithSpanProcessor(processor), trace.WithSampler(linkSampler{v.readSampler()}),
	)

	t.TracerProvider = provider
	t.Tracer = provider.Tracer(scope)
	t.closers = append(t.closers, func(ctx context.Context) error {
		defer close(givenUp) // otherwise an export to a dead collector outlives the service

		if err := provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("send the last spans: %w", err)
		}

		return nil
	})

	return counts.registerMetrics(t.Meter)
}

func newSpanExporter(ctx context.Context, v variables) (trace.SpanExporter, error) {
	const signal = "TRACES"
	var exporter trace.SpanExporter
	var err error
	switch kind := v.readExporter(signal); {
	case kind == exporterNone:
		return nil, nil //nolint:nilnil // no exporter is a choice, not a failure
	case kind == exporterConsole:
		exporter, err = stdouttrace.New()
	case v.readProtocol(signal) == protocolGRPC:
		exporter, err = otlptracegrpc.New(ctx)
	default:
		exporter, err = otlptracehttp.New(ctx)
	}

	if err != nil {
		return nil, fmt.Errorf("make the exporter of traces: %w", err)
	}

	return exporter, nil
}

// linkSampler samples a trace that begins with a link to a sampled span, so that a
// group commit is sampled if one of its requests is. Other traces are decided by next.
type linkSampler struct{ next trace.Sampler }

// ShouldSample implements trace.Sampler.
func (s linkSampler) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	for _, link := range p.Links {
		if link.SpanContext.IsSampled() {
			return trace.SamplingResult{Decision: trace.RecordAndSample}
		}
	}

	return s.next.ShouldSample(p)
}

// Description implements trace.Sampler.
func (s linkSampler) Description() string { return "LinkedOr{" + s.next.Description() + "}" }

// spanCounts counts ended spans by outcome.
type spanCounts struct {
	bound                           int64
	waiting                         atomic.Int64
	exported, failedToSend, dropped atomic.Int64
}

// registerMetrics registers the metrics of the counts.
func (c *spanCounts) registerMetrics(meter metric.Meter) error {
	set := instrument.NewSet(meter)

	set.AddCounters("theeye.telemetry.spans", "",
		"Spans by outcome: exported, failed, or dropped because too many were waiting",
		"outcome", map[string]*atomic.Int64{"exported": &c.exported, "failed": &c.failedToSend, "dropped": &c.dropped})
	set.AddGauge("theeye.telemetry.span.queue", "",
		"Spans waiting to be exported", c.waiting.Load)

	return set.Err()
}

// boundedProcessor drops and counts spans beyond the bound before the batch processor
// would drop them without counting.
type boundedProcessor struct {
	trace.SpanProcessor

	counts *spanCounts
}

// OnEnd implements trace.SpanProcessor. It never waits.
func (p *boundedProcessor) OnEnd(span trace.ReadOnlySpan) {
	if !span.SpanContext().IsSampled() {
		return
	}

	if p.counts.waiting.Add(1) > p.counts.bound {
		p.counts.waiting.Add(-1)
		p.counts.dropped.Add(1)
		return
	}

	p.SpanProcessor.OnEnd(span)
}

// countedExporter counts spans, and logs errors instead of returning them: the SDK
// would pass them to a global handler.
type countedExporter struct {
	trace.SpanExporter

	counts *spanCounts
	// givenUp closes when the service no longer waits for the remaining spans.
	givenUp <-chan struct{}
	logger  *zap.Logger
}

// ExportSpans implements trace.SpanExporter. It always returns nil.
func (e *countedExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	ctx, cancel := withEnd(ctx, e.givenUp)
	defer cancel()

	err := e.SpanExporter.ExportSpans(ctx, spans)
	n := int64(len(spans))
	e.counts.waiting.Add(-n)
	if err != nil {
		e.counts.failedToSend.Add(n)
		e.logger.Warn("spans could not be sent", zap.Int64("spans", n), zap.Error(err))
		return nil
	}

	e.counts.exported.Add(n)
	return nil
}

// withEnd returns a context that also ends when a channel closes.
func withEnd(ctx context.Context, end <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-end:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
