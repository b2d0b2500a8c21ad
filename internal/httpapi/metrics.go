package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/instrument"
)

// Metrics are the instruments of the public port. Nil measures nothing.
type Metrics struct {
	meter    metric.Meter
	duration metric.Float64Histogram
	problems metric.Int64Counter
	limited  metric.Int64Counter

	requests optionCache[requestKey, metric.RecordOption]
	codes    optionCache[fault.Code, metric.AddOption]
	senders  optionCache[string, metric.AddOption]
}

// requestKey holds the attributes of request metrics. All three have few values.
type requestKey struct {
	method string
	route  string
	status int
}

// NewMetrics makes the instruments.
func NewMetrics(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{meter: meter}
	var duration, problems, limited error
	m.duration, duration = meter.Float64Histogram("theeye.http.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a request's headers to the end of its answer, by method, route and status"),
		metric.WithExplicitBucketBoundaries(.0005, .001, .002, .003, .005, .0075, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.problems, problems = meter.Int64Counter("theeye.http.problems", metric.WithUnit("{problem}"),
		metric.WithDescription("Problem documents sent, by code"))
	m.limited, limited = meter.Int64Counter("theeye.http.rate_limited.requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests beyond the rate limit of their application"))
	m.requests.newOption = func(k requestKey) metric.RecordOption {
		return metric.WithAttributeSet(attribute.NewSet(
			attribute.String("method", k.method), attribute.String("route", k.route), attribute.Int("status", k.status)))
	}
	m.codes.newOption = func(code fault.Code) metric.AddOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("code", string(code))))
	}
	m.senders.newOption = func(application string) metric.AddOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("application", application)))
	}
	if err := errors.Join(duration, problems, limited); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}

	return m, nil
}

// observeBodyMemory registers the metrics of the memory of bodies.
func (m *Metrics) observeBodyMemory(b *bodyReader) error {
	set := instrument.NewSet(m.meter)

	set.AddGauge("theeye.http.body.memory", "By",
		"Bytes of request bodies in memory", b.held.Load)
	set.AddGauge("theeye.http.body.memory.limit", "By",
		"Limit of the bytes of request bodies in memory", func() int64 { return b.memory })

	return set.Err()
}

// recordRequest measures a request, and counts the problem with which it was answered, if any.
// The context links a sampled request to its trace.
func (m *Metrics) recordRequest(ctx context.Context, k requestKey, seconds float64, problem fault.Code) {
	if m == nil {
		return
	}

	m.duration.Record(ctx, seconds, m.requests.get(k)...)
	if problem != "" {
		m.problems.Add(ctx, 1, m.codes.get(problem)...)
	}
}

// recordProblem counts a problem that was sent without a handler.
func (m *Metrics) recordProblem(ctx context.Context, problem fault.Code) {
	if m != nil {
		m.problems.Add(ctx, 1, m.codes.get(problem)...)
	}
}

// recordRateLimited counts a request that was rejected by the rate limit.
func (m *Metrics) recordRateLimited(ctx context.Context, application string) {
	if m != nil {
		m.limited.Add(ctx, 1, m.senders.get(application)...)
	}
}

// optionCache caches the options of an instrument by their attributes: making a set of
// attributes costs more than measuring with it. Reading takes no lock; the keys have to be few,
// because every new one copies the map.
type optionCache[K comparable, O any] struct {
	newOption func(K) O
	known     atomic.Pointer[map[K][]O]
	adding    sync.Mutex
}

func (c *optionCache[K, O]) get(key K) []O {
	if known := c.known.Load(); known != nil {
		if options, found := (*known)[key]; found {
			return options
		}
	}

	c.adding.Lock()
	defer c.adding.Unlock()

	next := map[K][]O{}
	if known := c.known.Load(); known != nil {
		if options, found := (*known)[key]; found {
			return options
		}

		next = maps.Clone(*known)
	}

	next[key] = []O{c.newOption(key)}
	c.known.Store(&next)
	return next[key]
}
