package top

import (
	"strings"
	"time"
)

// flow is what one series counted between two samples.
type flow struct {
	labels    map[string]string
	amount    float64 // how much
	rate      float64 // how much a second
	histogram histogram
}

// window is what was counted between two samples: family, then label set. Every series
// of the later sample is in it, also one that did not move.
type window map[string]map[string]flow

// started is where the moment is exposed at which a replica's process began.
const started = "process_start_time_seconds"

// increase compares two samples of one replica. A counter that fell, and every counter
// of a process that began after the earlier sample, counted from zero; so did one that
// was not there before, since counters appear when they first count.
func increase(before, after sample, elapsed time.Duration) window {
	w := window{}
	if elapsed <= 0 {
		return w
	}
	now, then := gauge([]sample{after}, largest, started), gauge([]sample{before}, largest, started)
	if known(now) && known(then) && now != then {
		before = nil
	}
	for name, all := range after {
		for key, one := range all {
			f := flow{labels: one.labels}
			earlier := before[name][key]
			switch {
			case len(one.histogram.buckets) > 0:
				f.histogram = one.histogram.since(earlier.histogram)
				f.amount = f.histogram.count()
			case !strings.HasSuffix(name, "_total"):
				continue
			case one.value < earlier.value:
				f.amount = one.value
			default:
				f.amount = one.value - earlier.value
			}
			f.amount = max(f.amount, 0)
			f.rate = f.amount / elapsed.Seconds()
			w.add(name, key, f)
		}
	}
	return w
}

// add adds a flow to what is known of its series.
func (w window) add(name, key string, f flow) {
	if w[name] == nil {
		w[name] = map[string]flow{}
	}
	if old, ok := w[name][key]; ok {
		f.amount += old.amount
		f.rate += old.rate
		f.histogram = f.histogram.plus(old.histogram)
	}
	w[name][key] = f
}

// merge adds up what replicas counted. Each has its own rate, since one that was away
// is compared with an older sample.
func merge(windows []window) window {
	merged := window{}
	for _, w := range windows {
		for name, all := range w {
			for key, f := range all {
				merged.add(name, key, f)
			}
		}
	}
	return merged
}

// rate adds up the rates of the series that match. Nothing counted is zero: a counter
// that is not exposed has not counted.
func (w window) rate(name string, pairs ...string) float64 {
	total := 0.0
	for _, f := range w[name] {
		if match(f.labels, pairs) {
			total += f.rate
		}
	}
	return total
}

// observed adds up the histograms of the series that match.
func (w window) observed(name string, pairs ...string) histogram {
	var h histogram
	for _, f := range w[name] {
		if match(f.labels, pairs) {
			h = h.plus(f.histogram)
		}
	}
	return h
}
