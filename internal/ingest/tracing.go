package ingest

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// startGroupSpan begins the span of a group in which a request is sampled: a trace of its
// own, for no request is the parent of what many share, with links to and from the
// requests (OpenTelemetry specification, "Links between spans"). It returns nil for
// all other groups.
func (c *Collector) startGroupSpan(ctx context.Context, parts []*queueEntry, id GroupID, events int) (context.Context, trace.Span) {
	if c.deps.Tracer == nil {
		return ctx, nil
	}
	var links []trace.Link
	for _, p := range parts {
		if span := p.request.span; span != nil {
			links = append(links, trace.Link{SpanContext: span.SpanContext()})
		}
	}
	if len(links) == 0 {
		return ctx, nil
	}
	ctx, span := c.deps.Tracer.Start(ctx, "commit group", trace.WithNewRoot(), trace.WithTimestamp(id.Began()), trace.WithLinks(links...),
		trace.WithAttributes(attribute.Int64("theeye.group", int64(id)), attribute.Int("theeye.group.events", events), attribute.Int("theeye.group.requests", len(parts))))
	for _, p := range parts {
		if request := p.request.span; request != nil {
			request.AddLink(trace.Link{SpanContext: span.SpanContext()})
			request.AddEvent("group began", trace.WithTimestamp(id.Began()))
		}
	}
	return ctx, span
}

// endGroupSpan ends the span of a group, and notes in its requests when it was committed.
func endGroupSpan(span trace.Span, parts []*queueEntry, ended time.Time) {
	if span == nil {
		return
	}
	for _, p := range parts {
		switch request := p.request.span; {
		case p.err != nil:
			span.SetStatus(codes.Error, "a part of the group was not stored")
			span.RecordError(p.err)
		case request != nil:
			request.AddEvent("committed", trace.WithTimestamp(ended))
		}
	}
	span.End(trace.WithTimestamp(ended))
}
