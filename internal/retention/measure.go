package retention

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// counters counts the rounds of a Worker and the data it dropped. The counters are zero
// before the first failure, so that a rate shows it.
type counters struct {
	succeeded, failed  atomic.Int64
	events, partitions atomic.Int64
	// lastSuccess is the time of the last successful round, in seconds since 1970; 0
	// until then.
	lastSuccess atomic.Int64
	// roundFailed means that a part of the running round failed; only that round uses
	// it.
	roundFailed bool
}

// recordRound counts the finished round, unless it was cancelled.
func (t *counters) recordRound(ctx context.Context, now func() time.Time) {
	faulty := t.roundFailed
	t.roundFailed = false
	switch {
	case faulty:
		t.failed.Add(1)
	case ctx.Err() == nil:
		t.succeeded.Add(1)
		t.lastSuccess.Store(now().Unix())
	}
}

// RegisterMetrics registers the metrics of the worker with a meter. It is called once.
func (k *Worker) RegisterMetrics(meter metric.Meter) error {
	t := &k.counters
	succeeded := metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "succeeded")))
	failed := metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "failed")))
	_, rounds := meter.Int64ObservableCounter("theeye.retention.rounds", metric.WithUnit("{round}"),
		metric.WithDescription("Rounds of retention, which make partitions and drop expired ones, by outcome: succeeded or failed"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(t.succeeded.Load(), succeeded)
			o.Observe(t.failed.Load(), failed)
			return nil
		}))
	_, last := meter.Int64ObservableGauge("theeye.retention.last_success.timestamp", metric.WithUnit("s"),
		metric.WithDescription("Unix time of the last successful round of retention"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if at := t.lastSuccess.Load(); at != 0 {
				o.Observe(at)
			}

			return nil
		}))
	_, events := meter.Int64ObservableCounter("theeye.retention.expired.events", metric.WithUnit("{event}"),
		metric.WithDescription("Expired events that this replica dropped"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(t.events.Load())
			return nil
		}))
	_, partitions := meter.Int64ObservableCounter("theeye.retention.expired.error.partitions", metric.WithUnit("{partition}"),
		metric.WithDescription("Partitions of expired errors that this replica dropped"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(t.partitions.Load())
			return nil
		}))
	if err := errors.Join(rounds, last, events, partitions); err != nil {
		return fmt.Errorf("make an instrument: %w", err)
	}

	return nil
}
