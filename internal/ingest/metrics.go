package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/instrument"
)

// EventType is a category and a name.
type EventType struct {
	Category string
	Name     string
}

// Metrics are the instruments of the group commit. Nil measures nothing.
type Metrics struct {
	meter      metric.Meter
	events     metric.Int64Counter
	bytes      metric.Int64Counter
	rejections metric.Int64Counter
	typed      metric.Int64Counter
	shed       metric.Int64Counter
	group      metric.Int64Histogram
	wait       metric.Float64Histogram
	commit     metric.Float64Histogram
	left       metric.Float64Histogram
	// types are counted each by itself, all others as one.
	types map[EventType]bool

	committed, failed metric.MeasurementOption
	reasons           map[shedReason]metric.MeasurementOption
}

// shedReason is why a request was sent away without verdicts.
type shedReason string

const (
	shedQueueFull shedReason = "queue_full"
	shedBudget    shedReason = "budget"
	shedStore     shedReason = "store"
	shedStopping  shedReason = "stopping"
	shedGone      shedReason = "client_gone"
)

// NewMetrics makes the instruments. types are the event types that are counted each
// by itself; they bound the number of time series.
func NewMetrics(ctx context.Context, meter metric.Meter, types []EventType) (*Metrics, error) {
	m := &Metrics{meter: meter, types: map[EventType]bool{}, reasons: make(map[shedReason]metric.MeasurementOption)}
	for _, t := range types {
		m.types[t] = true
	}

	for _, reason := range []shedReason{shedQueueFull, shedBudget, shedStore, shedStopping, shedGone} {
		m.reasons[reason] = attributes(attribute.String("reason", string(reason)))
	}

	m.committed = attributes(attribute.String("outcome", "committed"))
	m.failed = attributes(attribute.String("outcome", "failed"))
	if err := errors.Join(m.makeCounters(meter), m.makeHistograms(meter)); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}

	for _, reason := range m.reasons { // a rate needs a zero to begin from
		m.shed.Add(ctx, 0, reason)
	}

	return m, nil
}

func (m *Metrics) makeCounters(meter metric.Meter) error {
	var failed error
	counter := func(name, unit, about string) metric.Int64Counter {
		made, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		failed = errors.Join(failed, err)
		return made
	}
	m.events = counter("theeye.ingest.events", "{event}", "Events by application and verdict")
	m.bytes = counter("theeye.ingest.event", "By", "Bytes of stored events as sent, by application")
	m.rejections = counter("theeye.ingest.refusals", "{event}", "Rejected events and bodies by application and the code of the first violation")
	m.typed = counter("theeye.ingest.typed.events", "{event}", "Events by type and verdict, for the types in metrics.event_types; others are counted together")
	m.shed = counter("theeye.ingest.shed.requests", "{request}", "Requests rejected without verdicts, by reason")
	return failed
}

func (m *Metrics) makeHistograms(meter metric.Meter) error {
	var group, wait, commit, left error
	seconds := metric.WithExplicitBucketBoundaries(.0005, .001, .002, .003, .005, .0075, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
	m.group, group = meter.Int64Histogram("theeye.ingest.group.events", metric.WithUnit("{event}"),
		metric.WithDescription("Events committed by one transaction"),
		metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000))
	m.wait, wait = meter.Float64Histogram("theeye.ingest.wait.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time that a request waited in the queue until its group began"))
	m.commit, commit = meter.Float64Histogram("theeye.ingest.commit.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time to commit a group, including retries, by outcome"))
	m.left, left = meter.Float64Histogram("theeye.ingest.budget.left.ratio", metric.WithUnit("{ratio}"),
		metric.WithDescription("Share of the time budget that the oldest request of a group had left when the group was committed"),
		metric.WithExplicitBucketBoundaries(0, .05, .1, .25, .5, .75, .9, .95, .99, 1))
	return errors.Join(group, wait, commit, left)
}

func attributes(all ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(all...))
}

// registerGauges makes the state of the queue a metric.
func (m *Metrics) registerGauges(c *Collector) error {
	set := instrument.NewSet(m.meter)

	set.AddCounter("theeye.ingest.timings.dropped", "{group}",
		"Groups whose timing could not be stored", c.timings.dropped.Load)
	set.AddGauge("theeye.ingest.queue.events", "{event}",
		"Events waiting for a verdict", c.events.Load)
	set.AddGauge("theeye.ingest.queue", "By",
		"Bytes waiting for a verdict", c.bytes.Load)
	set.AddGauge("theeye.ingest.queue.limit.events", "{event}",
		"Limit of the events waiting for a verdict", func() int64 { return int64(c.config.QueueEvents) })
	set.AddGauge("theeye.ingest.queue.limit", "By",
		"Limit of the bytes waiting for a verdict", func() int64 { return int64(c.config.QueueBytes) })

	return set.Err()
}

// countShed counts a request that is sent away.
func (m *Metrics) countShed(ctx context.Context, reason shedReason) {
	if m != nil {
		m.shed.Add(ctx, 1, m.reasons[reason])
	}
}

// shedReasonOf returns why there was no verdict.
func shedReasonOf(cause error) shedReason {
	switch {
	case errors.Is(cause, errStopped):
		return shedStopping
	case errors.Is(cause, context.DeadlineExceeded):
		return shedBudget
	case errors.Is(cause, context.Canceled):
		return shedGone
	}

	return shedStore
}

// groupMetrics counts what a lane commits. It belongs to the lane's goroutine; what it has
// counted once costs no allocation.
type groupMetrics struct {
	metrics    *Metrics
	verdicts   map[verdictKey]*verdictCount
	rejections map[rejectionKey]*count
	types      map[typeKey]*count
}

type verdictKey struct {
	application string
	status      Status
}

type rejectionKey struct {
	application string
	code        fault.Code
}

type typeKey struct {
	EventType

	status Status
}

type count struct {
	n     int64
	where metric.MeasurementOption
}

type verdictCount struct {
	count

	bytes int64
	// stored is where the bytes are counted.
	stored metric.MeasurementOption
}

func newGroupMetrics(m *Metrics) *groupMetrics {
	return &groupMetrics{metrics: m, verdicts: map[verdictKey]*verdictCount{}, rejections: map[rejectionKey]*count{}, types: map[typeKey]*count{}}
}

// recordBegin measures the group that is about to be committed.
func (t *groupMetrics) recordBegin(ctx context.Context, g *groupCommit) {
	if t.metrics == nil {
		return
	}

	t.metrics.group.Record(ctx, int64(len(g.items)))
	for _, entry := range g.entries {
		t.metrics.wait.Record(ctx, g.began.Sub(entry.pending.submittedAt).Seconds())
	}
}

// recordEnd measures the group that was committed, or could not be.
func (t *groupMetrics) recordEnd(ctx context.Context, g *groupCommit, ended time.Time) {
	m := t.metrics
	if m == nil {
		return
	}

	outcome := m.committed
	if len(g.failed) > 0 {
		outcome = m.failed
	}

	oldest := g.began
	for _, entry := range g.entries {
		if entry.pending.submittedAt.Before(oldest) {
			oldest = entry.pending.submittedAt
		}
	}

	m.commit.Record(ctx, ended.Sub(g.began).Seconds(), outcome)
	m.left.Record(ctx, max(0, 1-ended.Sub(oldest).Seconds()/g.collector.config.Budget.Seconds()))

	t.countVerdicts(ctx, g.committedItems())
}

// countVerdicts counts the verdicts of items that were committed.
func (t *groupMetrics) countVerdicts(ctx context.Context, items []Item) {
	if t.metrics == nil {
		return
	}

	for i := range items {
		t.addVerdict(&items[i])
	}

	t.sendCounts(ctx)
}

func (t *groupMetrics) addVerdict(item *Item) {
	application, v := item.Request.ApplicationName, item.Verdict
	key := verdictKey{application, v.Status}
	c := t.verdicts[key]
	if c == nil {
		name := attribute.String("application", application)
		c = &verdictCount{stored: attributes(name)}
		c.where = attributes(name, attribute.String("status", string(v.Status)))
		t.verdicts[key] = c
	}

	c.n++
	if v.Status == Stored {
		c.bytes += int64(len(item.Envelope.Raw))
	}

	if v.IsRejected() {
		t.addRejection(application, v.Violations[0].Code)
	}

	if len(t.metrics.types) > 0 {
		t.addType(EventType{item.Envelope.Event.Category, item.Envelope.Event.Name}, v.Status)
	}
}

func (t *groupMetrics) addRejection(application string, code fault.Code) {
	key := rejectionKey{application, code}
	c := t.rejections[key]
	if c == nil {
		c = &count{where: attributes(attribute.String("application", application), attribute.String("code", string(code)))}
		t.rejections[key] = c
	}

	c.n++
}

func (t *groupMetrics) addType(of EventType, status Status) {
	if !t.metrics.types[of] {
		of = EventType{"other", "other"}
	}

	key := typeKey{of, status}
	c := t.types[key]
	if c == nil {
		c = &count{where: attributes(attribute.String("category", of.Category), attribute.String("name", of.Name), attribute.String("status", string(status)))}
		t.types[key] = c
	}

	c.n++
}

// sendCounts adds what was counted to the instruments.
func (t *groupMetrics) sendCounts(ctx context.Context) {
	for _, c := range t.verdicts {
		if c.n > 0 {
			t.metrics.events.Add(ctx, c.n, c.where)
		}

		if c.bytes > 0 {
			t.metrics.bytes.Add(ctx, c.bytes, c.stored)
		}

		c.n, c.bytes = 0, 0
	}

	for _, c := range t.rejections {
		c.send(ctx, t.metrics.rejections)
	}

	for _, c := range t.types {
		c.send(ctx, t.metrics.typed)
	}
}

func (c *count) send(ctx context.Context, to metric.Int64Counter) {
	if c.n > 0 {
		to.Add(ctx, c.n, c.where)
	}

	c.n = 0
}
