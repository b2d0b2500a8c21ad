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

// startTimeMetric is where the moment is exposed at which a replica's process began.
const startTimeMetric = "process_start_time_seconds"

// computeIncrease compares two samples of one replica. A counter that fell, and every counter
// of a process that began after the earlier sample, counted from zero; so did one that
// was not there before, since counters appear when they first count.
func computeIncrease(before, after sample, elapsed time.Duration) window {
	w := window{}
	if elapsed <= 0 {
		return w
	}

	now, then := foldGauge([]sample{after}, largest, startTimeMetric), foldGauge([]sample{before}, largest, startTimeMetric)
	if isKnown(now) && isKnown(then) && now != then {
		before = nil
	}

	for name, all := range after {
		for key, one := range all {
			f := flow{labels: one.labels}
			earlier := before[name][key]
			switch {
			case len(one.histogram.buckets) > 0:
				f.histogram = one.histogram.subtractEarlier(earlier.histogram)
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
			w.addFlow(name, key, f)
		}
	}

	return w
}

// addFlow adds a flow to what is known of its series.
func (w window) addFlow(name, key string, f flow) {
	if w[name] == nil {
		w[name] = map[string]flow{}
	}

	if old, ok := w[name][key]; ok {
		f.amount += old.amount
		f.rate += old.rate
		f.histogram = f.histogram.addHistogram(old.histogram)
	}

	w[name][key] = f
}

// mergeWindows adds up what replicas counted. Each has its own rate, since one that was away
// is compared with an older sample.
func mergeWindows(windows []window) window {
	merged := window{}
	for _, w := range windows {
		for name, all := range w {
			for key, f := range all {
				merged.addFlow(name, key, f)
			}
		}
	}

	return merged
}

// sumRates adds up the rates of the series that match. Nothing counted is zero: a counter
// that is not exposed has not counted.
func (w window) sumRates(name string, pairs ...string) float64 {
	total := 0.0
	for _, f := range w[name] {
		if matchLabels(f.labels, pairs) {
			total += f.rate
		}
	}

	return total
}

// sumHistograms adds up the histograms of the series that match.
func (w window) sumHistograms(name string, pairs ...string) histogram {
	var h histogram
	for _, f := range w[name] {
		if matchLabels(f.labels, pairs) {
			h = h.addHistogram(f.histogram)
		}
	}

	return h
}
