package erasure

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

// RegisterMetrics registers the metrics of erasures with a meter. It is called once.
func (e *Eraser) RegisterMetrics(meter metric.Meter) error {
	t := &e.counters
	_, unfinished := meter.Int64ObservableGauge("theeye.erasures.unfinished", metric.WithUnit("{erasure}"),
		metric.WithDescription("Unfinished erasures, on any replica"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if seen := t.backlog.Load(); seen != nil {
				o.Observe(seen.Unfinished)
			}

			return nil
		}))
	_, oldest := meter.Float64ObservableGauge("theeye.erasures.oldest_unfinished.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest unfinished erasure; 0 when all are finished"),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			seen := t.backlog.Load()
			switch {
			case seen == nil:
			case seen.Unfinished == 0:
				o.Observe(0)
			default:
				o.Observe((seen.Oldest + e.deps.Now().Sub(seen.at)).Seconds())
			}

			return nil
		}))
	_, finished := meter.Int64ObservableCounter("theeye.erasures.finished", metric.WithUnit("{erasure}"),
		metric.WithDescription("Erasures that this replica finished"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(t.finished.Load())
			return nil
		}))
	_, failed := meter.Int64ObservableCounter("theeye.erasures.failed.steps", metric.WithUnit("{step}"),
		metric.WithDescription("Steps of erasures that failed on this replica; they are retried"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(t.failed.Load())
			return nil
		}))
	if err := errors.Join(unfinished, oldest, finished, failed); err != nil {
		return fmt.Errorf("make an instrument: %w", err)
	}

	return nil
}
