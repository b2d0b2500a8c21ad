// Package instrument registers metrics whose values are read when they are collected. To
// keep such a value costs a few nanoseconds, and a counter stands at zero before the first
// failure, so that a rate shows the first one.
package instrument

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Set registers instruments with a meter. It is for one goroutine.
type Set struct {
	meter  metric.Meter
	failed error
}

// NewSet makes a set that has yet to register anything.
func NewSet(meter metric.Meter) *Set { return &Set{meter: meter} }

// Err returns why instruments could not be registered, or nil.
func (s *Set) Err() error {
	if s.failed != nil {
		return fmt.Errorf("make an instrument: %w", s.failed)
	}

	return nil
}

// AddCounter registers a counter.
func (s *Set) AddCounter(name, unit, description string, read func() int64) {
	s.addCounter(name, unit, description, func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(read())
		return nil
	})
}

// AddCounters registers a counter for each value of a label.
func (s *Set) AddCounters(name, unit, description, label string, counters map[string]*atomic.Int64) {
	labels := make(map[string]metric.ObserveOption, len(counters))
	for value := range counters {
		labels[value] = metric.WithAttributeSet(attribute.NewSet(attribute.String(label, value)))
	}

	s.addCounter(name, unit, description, func(_ context.Context, o metric.Int64Observer) error {
		for value, counter := range counters {
			o.Observe(counter.Load(), labels[value])
		}

		return nil
	})
}

func (s *Set) addCounter(name, unit, description string, callback metric.Int64Callback) {
	_, err := s.meter.Int64ObservableCounter(name,
		metric.WithUnit(unit), metric.WithDescription(description), metric.WithInt64Callback(callback))
	s.failed = errors.Join(s.failed, err)
}

// AddGauge registers a gauge.
func (s *Set) AddGauge(name, unit, description string, read func() int64) {
	s.AddGaugeIfKnown(name, unit, description, func() (int64, bool) { return read(), true })
}

// AddGaugeIfKnown registers a gauge that shows nothing while its value is not known.
func (s *Set) AddGaugeIfKnown(name, unit, description string, read func() (value int64, known bool)) {
	_, err := s.meter.Int64ObservableGauge(name,
		metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if value, known := read(); known {
				o.Observe(value)
			}

			return nil
		}))
	s.failed = errors.Join(s.failed, err)
}

// AddSecondsIfKnown registers a gauge of a time span that shows nothing while the span is
// not known.
func (s *Set) AddSecondsIfKnown(name, description string, read func() (span time.Duration, known bool)) {
	_, err := s.meter.Float64ObservableGauge(name,
		metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			if span, known := read(); known {
				o.Observe(span.Seconds())
			}

			return nil
		}))
	s.failed = errors.Join(s.failed, err)
}
