package access

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// counters counts what a Directory did. Counters that are read when they are asked for
// cost a request a few nanoseconds, and stand at zero before the first failure, so
// that a rate shows it.
type counters struct {
	accepted, rejected, unavailable atomic.Int64
	unchanged, changed, failed      atomic.Int64
}

// RegisterMetrics makes what the directory does and what it knows metrics of a meter. It is
// called once.
func (d *Cache) RegisterMetrics(meter metric.Meter) error {
	_, keys := meter.Int64ObservableGauge("theeye.access.directory.keys", metric.WithUnit("{key}"),
		metric.WithDescription("Keys in the key cache, including expired and revoked ones"),
		metric.WithInt64Callback(d.observeView(func(v *view) int64 { return int64(len(v.keys)) })))
	_, applications := meter.Int64ObservableGauge("theeye.access.directory.applications", metric.WithUnit("{application}"),
		metric.WithDescription("Applications in the key cache, including disabled ones"),
		metric.WithInt64Callback(d.observeView(func(v *view) int64 { return int64(v.applications) })))
	_, age := meter.Float64ObservableGauge("theeye.access.directory.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the key cache; past 4.5 s no key is accepted"),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			if age, known := d.Age(); known {
				o.Observe(age.Seconds())
			}

			return nil
		}))
	_, authentications := meter.Int64ObservableCounter("theeye.access.authentications", metric.WithUnit("{authentication}"),
		metric.WithDescription("Authentications of requests by result: accepted, refused, or unavailable (keys could not be checked)"),
		metric.WithInt64Callback(observeCounters("result", map[string]*atomic.Int64{
			"accepted": &d.counters.accepted, "refused": &d.counters.rejected, "unavailable": &d.counters.unavailable,
		})))
	_, refreshes := meter.Int64ObservableCounter("theeye.access.refreshes", metric.WithUnit("{refresh}"),
		metric.WithDescription("Refreshes of the key cache by outcome: unchanged, changed (all keys were read again), or failed"),
		metric.WithInt64Callback(observeCounters("outcome", map[string]*atomic.Int64{
			"unchanged": &d.counters.unchanged, "changed": &d.counters.changed, "failed": &d.counters.failed,
		})))
	if err := errors.Join(keys, applications, age, authentications, refreshes); err != nil {
		return fmt.Errorf("make an instrument: %w", err)
	}

	return nil
}

// observeView observes a number of the view, once there is one.
func (d *Cache) observeView(number func(*view) int64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		if v := d.view.Load(); v != nil {
			o.Observe(number(v))
		}

		return nil
	}
}

// observeCounters observes counters by the value of one label.
func observeCounters(label string, counters map[string]*atomic.Int64) metric.Int64Callback {
	where := make(map[string]metric.ObserveOption, len(counters))
	for value := range counters {
		where[value] = metric.WithAttributeSet(attribute.NewSet(attribute.String(label, value)))
	}

	return func(_ context.Context, o metric.Int64Observer) error {
		for value, counter := range counters {
			o.Observe(counter.Load(), where[value])
		}

		return nil
	}
}
