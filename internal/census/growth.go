package census

import "time"

const day = 24 * time.Hour

const (
	// growthWindow is the span over which growth is measured: a whole day, so that busy
	// and quiet hours both count.
	growthWindow = day
	// minGrowthSpan is the shortest span that gives a growth: over less, a checkpoint
	// or a vacuum distorts it.
	minGrowthSpan = 10 * time.Minute
)

// sample is the size of the database at one time.
type sample struct {
	at    time.Time
	bytes int64
}

// dropOldSamples returns the samples within growthWindow.
func dropOldSamples(samples []sample, now time.Time) []sample {
	first := 0
	for first < len(samples) && now.Sub(samples[first].at) > growthWindow {
		first++
	}

	return samples[first:]
}

// fitGrowth returns the slope of the line through samples, which are in the order of
// time, in bytes a day (least squares, so that a single jump between two samples does
// not dominate). It is not known before the samples span minGrowthSpan.
func fitGrowth(samples []sample) (bytesPerDay float64, known bool) {
	if len(samples) == 0 || samples[len(samples)-1].at.Sub(samples[0].at) < minGrowthSpan {
		return 0, false
	}

	// Both are relative to the first sample, because the squares of large numbers would
	// lose their small differences.
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

// daysToFull returns in how many days a disk is full at a size and a growth of the
// database. It is not known without a capacity or without growth.
func daysToFull(capacity, size int64, bytesPerDay float64) (days float64, known bool) {
	if capacity <= 0 || bytesPerDay <= 0 {
		return 0, false
	}

	return max(0, float64(capacity-size)/bytesPerDay), true
}
