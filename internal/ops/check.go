package ops

import (
	"context"
	"errors"
	"sync"
	"time"
)

// defaultTimeout bounds a check without a timeout of its own.
const defaultTimeout = time.Second

var (
	errTimeout  = errors.New("it did not answer in time")
	errPanicked = errors.New("it panicked")
)

// Check is one check of a probe.
type Check struct {
	// Name is unique within a probe: lower case, with hyphens between words.
	Name string
	// Run returns the problem, or nil. The text of its error is shown to any client of the
	// port, so it must not name a host or a user, or contain data that a client sent.
	Run func(ctx context.Context) error
	// Required means that the probe fails while the check fails. A check that is not
	// required is only reported.
	Required bool
	// Timeout bounds one run, 1 s unless set. Probes are answered by then even if Run has
	// not returned.
	Timeout time.Duration
	// KeepFor is how long a result is used again. With 0 each probe runs the check.
	KeepFor time.Duration
}

// checker runs a check once for all probes at the same time.
type checker struct {
	Check

	now func() time.Time

	mu      sync.Mutex
	running *checkRun // nil while no run is in progress
	known   bool
	result  error
	at      time.Time // when the result became known
}

// checkRun is a run of a check.
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

// awaitResult returns the result of the check, or the kept one.
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

// lastResult returns the last result without waiting; a result older than KeepFor starts a
// new run in the background. A check whose results are not kept is run, because it is cheap,
// and so is a check that has never run.
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

// runCheck continues when the client that started it is gone, because others may wait for it.
func (c *checker) runCheck(ctx context.Context, current *checkRun) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()

	current.err = c.runRecovering(ctx)
	c.mu.Lock()
	c.running = nil
	c.known = true
	c.result = current.err
	c.at = c.now()
	c.mu.Unlock()
	close(current.done)
}

// runRecovering turns a panic of a check into an error, so that it does not end the process.
func (c *checker) runRecovering(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()

	return c.Run(ctx)
}
