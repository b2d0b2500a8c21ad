package eventtype

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/instrument"
)

// Metrics holds the instruments of event types. The nil Metrics measures nothing.
type Metrics struct {
	registered atomic.Int64
	compiles   metric.Int64Counter
	events     metric.Int64Counter
	conforming metric.MeasurementOption
	rejected   metric.MeasurementOption
	observed   metric.MeasurementOption
}

// NewMetrics makes the instruments.
func NewMetrics(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{
		conforming: metric.WithAttributeSet(attribute.NewSet(attribute.String("result", "conforming"))),
		rejected:   metric.WithAttributeSet(attribute.NewSet(attribute.String("result", "refused"))),
		observed:   metric.WithAttributeSet(attribute.NewSet(attribute.String("result", "observed"))),
	}
	var events, compiles error
	m.events, events = meter.Int64Counter("theeye.event_types.judged", metric.WithUnit("{event}"),
		metric.WithDescription("Events validated against the schema of their type, by result: conforming, refused, or observed (stored with violations)"))
	m.compiles, compiles = meter.Int64Counter("theeye.event_types.reloads", metric.WithUnit("{reload}"),
		metric.WithDescription("Reloads of the cache of compiled schemas because a type had changed"))

	set := instrument.NewSet(meter)
	set.AddGauge("theeye.event_types.registered", "{type}",
		"Registered event types, each with its compiled schema in the cache", m.registered.Load)

	return m, errors.Join(events, compiles, set.Err())
}

func (m *Metrics) recordCompiled(ctx context.Context, types int) {
	if m == nil {
		return
	}

	m.registered.Store(int64(types))
	m.compiles.Add(ctx, 1)
}

func (m *Metrics) recordValidated(e *event.Envelope) {
	if m == nil || e.TypeVersion == 0 {
		return
	}

	result := m.conforming
	switch {
	case !e.Accepted():
		result = m.rejected
	case len(e.Observed) > 0:
		result = m.observed
	}

	m.events.Add(context.Background(), 1, result)
}
