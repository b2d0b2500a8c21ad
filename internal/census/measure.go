package census

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// gauge is one metric of a finding.
type gauge struct {
	name, unit, description string
	// observe reports the values, if there are any.
	observe func(f *measurement, now time.Time, tell observeFunc)
}

// observeFunc receives a value of a gauge and its attributes.
type observeFunc func(value float64, where ...metric.ObserveOption)

// RegisterMetrics makes what the rounds find metrics of a meter. It is called once.
func (w *Worker) RegisterMetrics(meter metric.Meter) error {
	gauges := w.listGauges()
	made := make([]metric.Float64Observable, len(gauges))
	all := make([]metric.Observable, len(gauges))
	var failed error
	for i, g := range gauges {
		instrument, err := meter.Float64ObservableGauge(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.description))
		made[i], all[i] = instrument, instrument
		failed = errors.Join(failed, err)
	}

	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		found := w.lastMeasurement.Load() // once, so that all the numbers of a scrape are of one round
		if found == nil {
			return nil
		}

		now := w.deps.Now()
		for i, g := range gauges {
			g.observe(found, now, func(value float64, where ...metric.ObserveOption) { o.ObserveFloat64(made[i], value, where...) })
		}

		return nil
	}, all...)
	if failed = errors.Join(failed, err); failed != nil {
		return fmt.Errorf("make an instrument: %w", failed)
	}

	set := instrument.NewSet(meter)
	set.AddGaugeIfKnown("theeye.database.capacity", "By",
		"Size of the disk of the database, from database.capacity",
		func() (int64, bool) { return w.config.Capacity, w.config.Capacity > 0 })

	return set.Err()
}

func (w *Worker) listGauges() []gauge {
	event, eventKey, session, rejection, other := tableAttribute("event"), tableAttribute("event_key"), tableAttribute("session"), tableAttribute("rejection"), tableAttribute("other")
	return []gauge{
		{"theeye.database.size", "By", "Size of the whole database", func(f *measurement, _ time.Time, tell observeFunc) { tell(float64(f.Size)) }},
		{"theeye.database.growth", "By/d", "Growth of the database as the slope of its size over the last day at most", func(f *measurement, _ time.Time, tell observeFunc) {
			if f.growthKnown {
				tell(f.growth)
			}
		}},
		{"theeye.database.days_to_full", "{day}", "Days until the disk of database.capacity is full at the present growth", func(f *measurement, _ time.Time, tell observeFunc) {
			if days, known := daysToFull(w.config.Capacity, f.Size, f.growth); known {
				tell(days)
			}
		}},
		{"theeye.database.table", "By", "Size of a table with its indexes and partitions; other is the rest of the database", func(f *measurement, _ time.Time, tell observeFunc) {
			tell(float64(f.Tables.Event), event)
			tell(float64(f.Tables.EventKey), eventKey)
			tell(float64(f.Tables.Session), session)
			tell(float64(f.Tables.Rejection), rejection)
			tell(float64(f.OtherBytes()), other)
		}},
		{"theeye.partitions", "{partition}", "Partitions of a table", func(f *measurement, _ time.Time, tell observeFunc) {
			tell(float64(f.Events.Count), event)
			tell(float64(f.Rejections.Count), rejection)
		}},
		{"theeye.partitions.ahead", "s", "How far ahead of now a table has partitions without a gap; 0 if the present one is missing", func(f *measurement, now time.Time, tell observeFunc) {
			tell(f.Events.CoverageFrom(now).Seconds(), event)
			tell(f.Rejections.CoverageFrom(now).Seconds(), rejection)
		}},
		{"theeye.events.oldest.timestamp", "s", "Unix time of the oldest event", func(f *measurement, _ time.Time, tell observeFunc) { observeTime(f.Oldest, tell) }},
		{"theeye.events.newest.timestamp", "s", "Unix time of the newest event by its timestamp", func(f *measurement, _ time.Time, tell observeFunc) { observeTime(f.Newest, tell) }},
		{"theeye.census.last_success.timestamp", "s", "Unix time of the last measurement of the database", func(f *measurement, _ time.Time, tell observeFunc) { observeTime(f.at, tell) }},
	}
}

func tableAttribute(name string) metric.ObserveOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("table", name)))
}

// observeTime reports a time in seconds since 1970, unless it is zero.
func observeTime(at time.Time, tell observeFunc) {
	if !at.IsZero() {
		tell(float64(at.UnixMicro()) / float64(time.Second/time.Microsecond))
	}
}
