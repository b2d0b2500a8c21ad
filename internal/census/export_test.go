package census

import "time"

// Growth is growth of samples after a time of which each is a pair of time and bytes.
func Growth(begin time.Time, samples ...Sample) (bytesPerDay float64, known bool) {
	list := make([]sample, len(samples))
	for i, s := range samples {
		list[i] = sample{at: begin.Add(s.After), bytes: s.Bytes}
	}

	return fitGrowth(list)
}

// Sample is a size some time after the first one.
type Sample struct {
	After time.Duration
	Bytes int64
}

// DaysToFull is daysToFull.
func DaysToFull(capacity, size int64, bytesPerDay float64) (days float64, known bool) {
	return daysToFull(capacity, size, bytesPerDay)
}
