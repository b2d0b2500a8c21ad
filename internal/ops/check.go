package ops

import (
	"context"
	"errors"
	"sync"
	"time"
)

// defaultTimeout bounds a check that does not say how long it may take.
const defaultTimeout = time.Second

var (
	errTimeout  = errors.New("it did not answer in time")
	errPanicked = errors.New("it panicked")
)

// Check is one thing that a probe looks at.
type Check struct {
	// Name is one of its kind in a probe: lower case, with hyphens between words.
	Name string
	// Run returns what is wrong, or nil. The text of its error is shown to whoever
	// asks, so it names no host and no user, and nothing that a client sent.
	Run func(ctx context.Context) error
	// Required tells that the probe fails while the check does. What is not required
	// is reported.
	Required bool
	// Timeout bounds one run, 1 s unless set. Probes are answered by then even if Run
	// is not.
	Timeout time.Duration
	// KeepFor is how long a result is given again. With 0 each probe gets its own.
	KeepFor time.Duration
}

// checker runs a check once for all who ask at the same time.
type checker struct {
	Check

	now func() time.Time

	mu      sync.Mutex
	running *checkRun // nil when none is
	known   bool
	result  error
	at      time.Time // when the result became known
}

// checkRun is a check that has begun.
type checkRun struct {
	began time.Time
	done  chan struct{} // closed when err is set
	err   error
}

func newChecker(check Check, now func() time.Time) *checker {
	if check.Timeout <= 0 {
		check.Timeout = defaultTimeout
	}

	return &checker{Check: check, now: now}
}

// awaitResult returns what the check finds, or found a moment ago.
func (c *checker) awaitResult(ctx context.Context) error {
	c.mu.Lock()
	now := c.now()
	if c.known && now.Sub(c.at) < c.KeepFor {
		defer c.mu.Unlock()

		return c.result
	}

	current := c.running
	if current == nil {
		current = &checkRun{began: now, done: make(chan struct{})}
		c.running = current
		go c.runCheck(ctx, current)
	}

	c.mu.Unlock()
	timer := time.NewTimer(c.Timeout - now.Sub(current.began))
	defer timer.Stop()

	select {
	case <-current.done:
		return current.err
	case <-timer.C:
	case <-ctx.Done():
	}

	return errTimeout
}

// lastResult returns what the check found last and waits for nothing: what is older than it is
// kept is looked at again meanwhile. A check that is not kept costs nothing, and one that
// has never run is asked.
func (c *checker) lastResult(ctx context.Context) error {
	c.mu.Lock()
	if c.KeepFor == 0 || !c.known {
		c.mu.Unlock()
		return c.awaitResult(ctx)
	}

	defer c.mu.Unlock()

	if now := c.now(); c.running == nil && now.Sub(c.at) >= c.KeepFor {
		c.running = &checkRun{began: now, done: make(chan struct{})}
		go c.runCheck(ctx, c.running)
	}

	return c.result
}

// runCheck goes on when whoever asked first has gone: others may wait for it.
func (c *checker) runCheck(ctx context.Context, current *checkRun) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()

	current.err = c.runRecovering(ctx)
	c.mu.Lock()
	c.running, c.known, c.result, c.at = nil, true, current.err, c.now()
	c.mu.Unlock()
	close(current.done)
}

// runRecovering keeps a defect of a check from ending the process.
func (c *checker) runRecovering(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()

	return c.Run(ctx)
}
