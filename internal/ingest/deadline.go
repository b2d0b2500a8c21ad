package ingest

import (
	"sync"
	"sync/atomic"
	"time"
)

// deadlineStep is how far apart deadlines are.
const deadlineStep = 50 * time.Millisecond

// deadlines end the waiting of requests whose budget is used up. All requests that
// arrive within one step share a timer, which ends at most a step too early: a
// timer for each would cost more than all the rest of their waiting.
type deadlines struct {
	budget time.Duration
	last   atomic.Pointer[deadline]
	making sync.Mutex
}

// deadline is closed when the budget of the requests of one step is used up.
type deadline struct {
	passed chan struct{}
	// openUntil is when the step ends.
	openUntil time.Time
}

// expiryOf returns a channel that is closed when the budget of a request that arrives
// now is used up.
func (d *deadlines) expiryOf(now time.Time) <-chan struct{} {
	if last := d.last.Load(); last != nil && now.Before(last.openUntil) {
		return last.passed
	}

	d.making.Lock()
	defer d.making.Unlock()

	if last := d.last.Load(); last != nil && now.Before(last.openUntil) {
		return last.passed
	}

	step := min(deadlineStep, d.budget/4) //nolint:mnd // short budgets have short steps
	made := &deadline{passed: make(chan struct{}), openUntil: now.Add(step)}
	time.AfterFunc(d.budget, func() { close(made.passed) })
	d.last.Store(made)

	return made.passed
}
