package ingest

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// startGroupTelemetry measures a group that is about to be committed. The span is nil unless a
// request of the group is sampled.
func (c *Collector) startGroupTelemetry(ctx context.Context, metrics *groupMetrics, g *groupCommit) (context.Context, trace.Span) {
	metrics.recordBegin(ctx, g)

	return c.startGroupSpan(ctx, g)
}

// endGroupTelemetry measures a group that was committed, or could not be, and returns how
// long that took.
func (c *Collector) endGroupTelemetry(ctx context.Context, metrics *groupMetrics, g *groupCommit, span trace.Span) time.Duration {
	ended := c.deps.Now()
	took := ended.Sub(g.began)

	g.endSpan(span, ended)
	metrics.recordEnd(ctx, g, ended)
	if c.deps.Timings != nil {
		c.timings.add(Timing{Group: g.id, Took: took})
	}

	c.slowCommits.logIfSlow(c.deps.Logger, len(g.items), ended, took)

	return took
}

// startGroupSpan begins the span of a group in which a request is sampled: a trace of its
// own, for no request is the parent of a transaction that many share, with links to and from
// the requests (OpenTelemetry specification, "Links between spans"). It returns nil for
// all other groups.
func (c *Collector) startGroupSpan(ctx context.Context, g *groupCommit) (context.Context, trace.Span) {
	if c.deps.Tracer == nil {
		return ctx, nil
	}

	var links []trace.Link
	for _, entry := range g.entries {
		if span := entry.pending.request.Span; span != nil {
			links = append(links, trace.Link{SpanContext: span.SpanContext()})
		}
	}

	if len(links) == 0 {
		return ctx, nil
	}

	ctx, span := c.deps.Tracer.Start(ctx, "commit group", trace.WithNewRoot(), trace.WithTimestamp(g.id.Began()), trace.WithLinks(links...),
		trace.WithAttributes(
			attribute.Int64("theeye.group", int64(g.id)),
			attribute.Int("theeye.group.events", len(g.items)),
			attribute.Int("theeye.group.requests", len(g.entries)),
		))
	for _, entry := range g.entries {
		if request := entry.pending.request.Span; request != nil {
			request.AddLink(trace.Link{SpanContext: span.SpanContext()})
			request.AddEvent("group began", trace.WithTimestamp(g.id.Began()))
		}
	}

	return ctx, span
}

// endSpan ends the span of a group, and notes in its requests when it was committed.
func (g *groupCommit) endSpan(span trace.Span, ended time.Time) {
	if span == nil {
		return
	}

	for _, entry := range g.entries {
		err := g.failed[entry.pending.request]
		switch request := entry.pending.request.Span; {
		case err != nil:
			span.SetStatus(codes.Error, "a part of the group was not stored")
			span.RecordError(err)
		case request != nil:
			request.AddEvent("committed", trace.WithTimestamp(ended))
		}
	}

	span.End(trace.WithTimestamp(ended))
}
