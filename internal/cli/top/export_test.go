package top

import (
	"io"
	"math"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Exported names of this package's internals, for its tests.
type (
	Sample    = sample
	Window    = window
	Histogram = histogram
	Bucket    = bucket
	Reading   = reading
	Tracker   = tracker
	Numbers   = numbers
	Moment    = moment
)

func Parse(from io.Reader) (Sample, error) { return parseMetrics(from) }
func Increase(before, after Sample, elapsed time.Duration) Window {
	return computeIncrease(before, after, elapsed)
}
func Fit(s string, width int, right bool) string { return fitText(s, width, right) }
func Sparkline(values []float64) string          { return drawSparkline(values) }
func Spread(moments []Moment, now time.Time, slots int) []float64 {
	return spreadRates(moments, now, slots)
}
func NewTracker() *Tracker                                 { return newTracker() }
func (t *Tracker) Take(readings ...Reading)                { t.addRound(readings) }
func (t *Tracker) Numbers() Numbers                        { return t.computeNumbers() }
func (h Histogram) Quantile(q float64) float64             { return h.quantile(q) }
func (h Histogram) Plus(other Histogram) Histogram         { return h.addHistogram(other) }
func (h Histogram) Since(before Histogram) Histogram       { return h.subtractEarlier(before) }
func (w Window) Rate(name string, pairs ...string) float64 { return w.sumRates(name, pairs...) }
func (w Window) Observed(name string, pairs ...string) Histogram {
	return w.sumHistograms(name, pairs...)
}
func Rate(v float64) string               { return rateText(v) }
func Count(v float64) string              { return countText(v) }
func Latency(v float64) string            { return latencyText(v) }
func Span(v float64) string               { return spanText(v) }
func Bytes(v float64) string              { return bytesText(v) }
func Everything(n Numbers) string         { return renderEverything(n, 100) }
func Divide(room int, needs ...int) []int { return divideRows(room, needs...) }

// NewHistogram takes bounds and cumulative counts in turns; the last count is that of
// the infinite bound.
func NewHistogram(values ...float64) Histogram {
	var h Histogram
	for i := 0; i+1 < len(values); i += 2 {
		h.buckets = append(h.buckets, bucket{values[i], values[i+1]})
	}

	h.buckets = append(h.buckets, bucket{math.Inf(1), values[len(values)-1]})
	return h
}

// NewMoment returns a round with a rate of requests.
func NewMoment(begin, end time.Time, rate float64) Moment {
	return Moment{begin: begin, end: end, requests: rate}
}

// NewReading returns the reading of a replica; failed is that of one that did not answer.
func NewReading(name string, at time.Time, s Sample) Reading {
	return Reading{target: target{name: name, metrics: name}, at: at, sample: s}
}

func NewFailedReading(name string, at time.Time, err error) Reading {
	return Reading{target: target{name: name, metrics: name}, at: at, err: err}
}

// Model is a view that a test drives.
type Model struct{ *model }

// NewModel returns a view that never waits and whose rounds come from a test.
func NewModel(colour bool) Model {
	paint := noPalette
	if colour {
		paint = newPalette(true)
	}

	return Model{newModel([]target{{name: "a"}}, func() []reading { return nil }, func() bool { return true }, paint)}
}

// Take passes a round to the view.
func (m Model) Take(readings ...Reading) { m.Update(roundDone(readings)) }

// Press presses a key, and reports whether the view asks to quit.
func (m Model) Press(key tea.KeyPressMsg) bool {
	_, cmd := m.Update(key)
	if cmd == nil {
		return false
	}

	_, quit := cmd().(tea.QuitMsg)
	return quit
}

// Screen returns the text of the view.
func (m Model) Screen() string { return m.View().Content }
