package access

import (
	"sync"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Limiter holds each application to its rate limit, in this process: with n replicas an
// application can reach n times its limit.
//
// Each application has a bucket that fills at the rate and holds one second's worth of
// events. A larger batch passes when the bucket is full and leaves a debt, so that the
// rate holds over time for batches of any size. A Limiter is safe for concurrent use
// and grows with the number of applications.
type Limiter struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[event.ApplicationID]*bucket
}

// bucket holds whole nanoseconds, not fractions of events, so that nothing is lost to
// rounding: after the wait that Allow returned, a request passes.
type bucket struct {
	rate int
	// fullAt is the time at which the bucket will be full again.
	fullAt time.Time
}

// bucketSize is the size of a bucket, as the time to fill it.
const bucketSize = time.Second

// NewLimiter makes a limiter whose buckets are full.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{now: now, buckets: map[event.ApplicationID]*bucket{}}
}

// Allow takes n events out of the application's bucket, or returns how long to wait
// until they can pass. An application without a limit always passes. A changed limit
// applies from the first call that has it.
func (l *Limiter) Allow(application *Application, n int) (wait time.Duration, ok bool) {
	if application.RateLimit == nil || n <= 0 {
		return 0, true
	}

	rate := *application.RateLimit
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()

	b := l.buckets[application.ID]
	if b == nil {
		b = &bucket{rate: rate, fullAt: now}
		l.buckets[application.ID] = b
	}

	return b.takeEvents(now, rate, n, bucketSize)
}

// RemainingEvents returns how many events the application could send at once now.
func (l *Limiter) RemainingEvents(application *Application) int {
	if application.RateLimit == nil {
		return 0
	}

	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.buckets[application.ID].remainingEvents(now, *application.RateLimit, bucketSize)
}

// remainingEvents returns how many events can pass now at this rate. A nil bucket is full.
func (b *bucket) remainingEvents(now time.Time, rate int, size time.Duration) int {
	free := size
	if b != nil {
		free = max(size-max(b.fullAt.Sub(now), 0), 0)
	}

	return int(free * time.Duration(rate) / time.Second)
}

// takeEvents takes n events out of a bucket of this size, given as the time to fill it.
func (b *bucket) takeEvents(now time.Time, rate, n int, size time.Duration) (wait time.Duration, ok bool) {
	taken := max(b.fullAt.Sub(now), 0)
	if rate > b.rate {
		// At a higher rate the same events are refilled faster. At a lower rate they
		// keep their time, because otherwise a lower limit would turn a second's worth
		// of events into a long debt.
		taken = time.Duration(float64(taken) * float64(b.rate) / float64(rate))
	}

	b.rate = rate
	price := time.Duration(n) * time.Second / time.Duration(rate)
	wait = max(taken+min(price, size)-size, 0)
	if wait == 0 {
		taken += price
	}

	b.fullAt = now.Add(taken)
	return wait, wait == 0
}
