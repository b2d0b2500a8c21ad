package postgres

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// Metrics are the instruments of the event store. Nil measures nothing.
type Metrics struct {
	steps   metric.Float64Histogram
	retries metric.Int64Counter

	lock, write metric.MeasurementOption
	reasons     map[retryReason]metric.MeasurementOption
}

// retryReason is why a group takes more than one attempt.
type retryReason string

const (
	retryKnownID          retryReason = "known_id"
	retryContention       retryReason = "contention"
	retryLostConnection   retryReason = "lost_connection"
	retryMissingPartition retryReason = "missing_partition"
)

// NewMetrics makes the instruments.
func NewMetrics(ctx context.Context, meter metric.Meter) (*Metrics, error) {
	option := func(key, value string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value)))
	}
	m := &Metrics{lock: option("step", "lock"), write: option("step", "write"), reasons: make(map[retryReason]metric.MeasurementOption)}
	for _, reason := range []retryReason{retryKnownID, retryContention, retryLostConnection, retryMissingPartition} {
		m.reasons[reason] = option("reason", string(reason))
	}

	var steps, retries error
	m.steps, steps = meter.Float64Histogram("theeye.ingest.step.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of a step of a group's transaction: lock locks the ids and the sessions, write copies the events and commits"),
		metric.WithExplicitBucketBoundaries(.0005, .001, .002, .003, .005, .0075, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.retries, retries = meter.Int64Counter("theeye.ingest.retries", metric.WithUnit("{attempt}"),
		metric.WithDescription("Retries of a group, by reason"))
	if err := errors.Join(steps, retries); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}

	for _, reason := range m.reasons { // a rate needs a zero to begin from
		m.retries.Add(ctx, 0, reason)
	}

	return m, nil
}

func (m *Metrics) countRetry(ctx context.Context, reason retryReason) {
	if m != nil {
		m.retries.Add(ctx, 1, m.reasons[reason])
	}
}

// measureStep measures a step of a transaction, and makes it a span of a sampled group.
func (s *EventStore) measureStep(ctx context.Context, name string, run func(ctx context.Context) error) error {
	began := s.now()
	parent := trace.SpanFromContext(ctx)
	var span trace.Span
	if parent.IsRecording() {
		ctx, span = parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", name)))
	}

	err := run(ctx)
	if span != nil {
		if err != nil && !isExpectedEnd(err) {
			span.SetStatus(codes.Error, "the step failed")
			span.RecordError(err)
		}

		span.End()
	}

	if s.metrics != nil {
		option := s.metrics.write
		if name == stepLock {
			option = s.metrics.lock
		}

		s.metrics.steps.Record(ctx, s.now().Sub(began).Seconds(), option)
	}

	return err
}

// isExpectedEnd reports whether a step ended as it may: the group needs the careful path, or the
// client's atomic batch is rejected.
func isExpectedEnd(err error) bool {
	return errors.Is(err, errNeedsCarefulPath) || errors.Is(err, ingest.ErrAtomicRejected)
}

// The steps of a group's transaction.
const (
	stepLock  = "lock"
	stepWrite = "write"
)

// scope names the origin of the spans.
const scope = "github.com/the-eye-events/the-eye/internal/postgres"
