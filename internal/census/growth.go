package census

import "time"

const day = 24 * time.Hour

const (
	// growthWindow is how far back growth is looked for: a whole day, so that its busy hours
	// and its quiet ones count alike.
	growthWindow = day
	// minGrowthSpan is the time without which growth is noise: a checkpoint or a vacuum.
	minGrowthSpan = 10 * time.Minute
)

// sample is the size of the database at a time.
type sample struct {
	at    time.Time
	bytes int64
}

// dropOldSamples returns the samples that are not too old to be looked at.
func dropOldSamples(samples []sample, now time.Time) []sample {
	first := 0
	for first < len(samples) && now.Sub(samples[first].at) > growthWindow {
		first++
	}

	return samples[first:]
}

// fitGrowth is the slope of the line through samples, from the oldest on, in bytes a
// day (least squares, so that a single leap between two samples does not decide). It
// is not known before the samples span enough time.
func fitGrowth(samples []sample) (bytesPerDay float64, known bool) {
	if len(samples) == 0 || samples[len(samples)-1].at.Sub(samples[0].at) < minGrowthSpan {
		return 0, false
	}

	// Both are measured from the first sample: the squares of large numbers would
	// leave nothing of their small differences.
	days := func(s sample) float64 { return s.at.Sub(samples[0].at).Hours() / day.Hours() }
	bytes := func(s sample) float64 { return float64(s.bytes - samples[0].bytes) }
	var meanDays, meanBytes float64
	for _, s := range samples {
		meanDays += days(s) / float64(len(samples))
		meanBytes += bytes(s) / float64(len(samples))
	}

	var together, alone float64
	for _, s := range samples {
		together += (days(s) - meanDays) * (bytes(s) - meanBytes)
		alone += (days(s) - meanDays) * (days(s) - meanDays)
	}

	return together / alone, true
}

// daysToFull tells in how many days a disk is full on which something of a size
// grows. It is not known without a capacity, and a disk on which nothing grows is
// never full.
func daysToFull(capacity, size int64, bytesPerDay float64) (days float64, known bool) {
	if capacity <= 0 || bytesPerDay <= 0 {
		return 0, false
	}

	return max(0, float64(capacity-size)/bytesPerDay), true
}
