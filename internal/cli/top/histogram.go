package top

import (
	"cmp"
	"math"
	"slices"
	"sort"

	dto "github.com/prometheus/client_model/go"
)

// bucket counts the observations up to a bound.
type bucket struct {
	bound float64
	count float64
}

// histogram is a classic histogram: buckets by ascending bound, cumulative counts, and an
// infinite last bound.
type histogram struct {
	buckets []bucket
}

func histogramOf(from *dto.Histogram) histogram {
	var h histogram
	for _, b := range from.GetBucket() {
		count := b.GetCumulativeCountFloat()
		if count == 0 {
			count = float64(b.GetCumulativeCount())
		}

		if !math.IsNaN(b.GetUpperBound()) && !math.IsInf(b.GetUpperBound(), 1) && !math.IsNaN(count) {
			h.buckets = append(h.buckets, bucket{b.GetUpperBound(), count})
		}
	}

	total := from.GetSampleCountFloat()
	if total == 0 {
		total = float64(from.GetSampleCount())
	}

	slices.SortFunc(h.buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
	h.buckets = append(h.buckets, bucket{math.Inf(1), total})
	return h
}

// count returns the number of observations.
func (h histogram) count() float64 {
	if len(h.buckets) == 0 {
		return 0
	}

	return h.buckets[len(h.buckets)-1].count
}

// countAtMost returns the number of observations that are certainly at most a bound.
func (h histogram) countAtMost(bound float64) float64 {
	i := sort.Search(len(h.buckets), func(i int) bool { return h.buckets[i].bound > bound })
	if i == 0 {
		return 0
	}

	return h.buckets[i-1].count
}

// addHistogram adds two histograms. If their bounds differ, as those of two versions may,
// each counts at a bound of the other the observations that are certainly below it.
func (h histogram) addHistogram(other histogram) histogram {
	bounds := make([]float64, 0, len(h.buckets)+len(other.buckets))
	for _, b := range slices.Concat(h.buckets, other.buckets) {
		bounds = append(bounds, b.bound)
	}

	slices.Sort(bounds)
	var added histogram
	for _, bound := range slices.Compact(bounds) {
		added.buckets = append(added.buckets, bucket{bound, h.countAtMost(bound) + other.countAtMost(bound)})
	}

	return added
}

// subtractEarlier returns the observations since an earlier state of the same histogram. A
// histogram with fewer observations or other buckets has started again.
func (h histogram) subtractEarlier(before histogram) histogram {
	if len(h.buckets) != len(before.buckets) {
		return h
	}

	grown := histogram{buckets: make([]bucket, len(h.buckets))}
	for i, b := range h.buckets {
		earlier := before.buckets[i]
		if b.bound != earlier.bound || b.count < earlier.count {
			return h
		}

		grown.buckets[i] = bucket{b.bound, b.count - earlier.count}
	}

	return grown
}

// quantile computes the same as Prometheus' histogram_quantile: linear inside the bucket of
// the rank, the highest finite bound if that is the last bucket, and unknown without
// observations.
func (h histogram) quantile(q float64) float64 {
	buckets := slices.Clone(h.buckets)
	for i := 1; i < len(buckets); i++ {
		buckets[i].count = max(buckets[i].count, buckets[i-1].count)
	}

	last := len(buckets) - 1
	if last < 1 || buckets[last].count == 0 {
		return unknown()
	}

	rank := q * buckets[last].count
	i := sort.Search(last, func(i int) bool { return buckets[i].count >= rank })
	switch {
	case i == last:
		return buckets[last-1].bound
	case i == 0 && buckets[0].bound <= 0:
		return buckets[0].bound
	}

	begin := 0.0
	inside := buckets[i].count
	if i > 0 {
		begin = buckets[i-1].bound
		inside -= buckets[i-1].count
		rank -= buckets[i-1].count
	}

	if inside == 0 {
		return begin
	}

	return begin + (buckets[i].bound-begin)*(rank/inside)
}

// quantiles are the three quantiles of the view.
type quantiles struct{ P50, P90, P99 float64 }

func (h histogram) quantiles() quantiles {
	const half, most, nearly = 0.5, 0.9, 0.99
	return quantiles{h.quantile(half), h.quantile(most), h.quantile(nearly)}
}
