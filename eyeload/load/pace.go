package load

import (
	"math"
	"time"
)

// Schedule says when each request of a step is due: the n-th, counted from 0, n/rate after the
// beginning, whatever the results of the requests before. A late sender sends without a pause,
// and gives up the remaining requests when grace has passed after the end. It is a
// vegeta.Pacer, which vegeta calls from one goroutine.
type Schedule struct {
	rate  float64
	total uint64
	grace time.Duration
	now   func() time.Time
	begun time.Time
}

// NewSchedule makes the schedule of a step.
func NewSchedule(rate float64, length, grace time.Duration, now func() time.Time) *Schedule {
	// A product such as 0.7*10 is a little above the integer.
	const noise = 1e-9
	total := max(math.Ceil(rate*length.Seconds()-noise), 1)
	return &Schedule{rate: rate, total: uint64(total), grace: grace, now: now}
}

// Total returns the number of requests of the step.
func (s *Schedule) Total() uint64 { return s.total }

// Length returns how long the step takes when nothing is late.
func (s *Schedule) Length() time.Duration { return s.At(s.total) }

// At returns when a request is due, after the beginning.
func (s *Schedule) At(n uint64) time.Duration {
	return time.Duration(float64(n) / s.rate * float64(time.Second))
}

// Pace implements vegeta.Pacer.
func (s *Schedule) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	if hits == 0 {
		s.begun = s.now().Add(-elapsed)
	}

	return max(s.At(hits)-elapsed, 0), hits >= s.total || elapsed > s.Length()+s.grace
}

// Rate implements vegeta.Pacer.
func (s *Schedule) Rate(time.Duration) float64 { return s.rate }

// latenessOf returns how long after its due time a request ended. It may be called once the
// request was paced.
func (s *Schedule) latenessOf(n uint64, end time.Time) time.Duration {
	return max(end.Sub(s.begun.Add(s.At(n))), 0)
}
