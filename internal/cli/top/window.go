package top

import (
	"strings"
	"time"
)

// flow is the increase of one series between two samples.
type flow struct {
	labels    map[string]string
	amount    float64 // the increase
	rate      float64 // per second
	histogram histogram
}

// window holds the increases between two samples: family, then label set. It has every series
// of the later sample, also one that did not change.
type window map[string]map[string]flow

// startTimeMetric is the start time of a replica's process.
const startTimeMetric = "process_start_time_seconds"

// computeIncrease compares two samples of one replica. These counters started from zero: one
// that fell, every counter of a process that started after the earlier sample, and one that
// was missing before, because counters appear when they first count.
func computeIncrease(before, after sample, elapsed time.Duration) window {
	w := window{}
	if elapsed <= 0 {
		return w
	}

	now := foldGauge([]sample{after}, largest, startTimeMetric)
	then := foldGauge([]sample{before}, largest, startTimeMetric)
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

// addFlow adds a flow to its series.
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

// mergeWindows adds up the increases of replicas. Each keeps its own rate, because a replica
// that was unreachable is compared with an older sample.
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

// sumRates adds up the rates of the matching series. Without any the sum is zero: a counter
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

// sumHistograms adds up the histograms of the matching series.
func (w window) sumHistograms(name string, pairs ...string) histogram {
	var h histogram
	for _, f := range w[name] {
		if matchLabels(f.labels, pairs) {
			h = h.addHistogram(f.histogram)
		}
	}

	return h
}
