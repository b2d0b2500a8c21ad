package background

import (
	"context"
	"sync"
	"time"
)

// Config says what a worker does, and when.
type Config struct {
	// Round does the job once. Its context ends when the worker is stopped.
	Round func(ctx context.Context)
	// Interval is the time from the start of one round to the start of the next. After a
	// round that took longer, the next one starts at once.
	Interval time.Duration
	// After delays the first round until it is closed. With nil, the first round starts at
	// once.
	After <-chan struct{}
	// Wake starts a round before its time. Nil never does.
	Wake <-chan struct{}
	// Goroutines is how many rounds may run side by side; 1 unless set.
	Goroutines int
}

// Worker does a job in the background, from Start to Stop. Its methods are safe for
// concurrent use.
type Worker struct {
	config Config

	mu      sync.Mutex
	cancel  context.CancelFunc // nil until Start
	stopped bool
	running sync.WaitGroup
}

// NewWorker makes a worker that has yet to be started.
func NewWorker(config Config) *Worker { return &Worker{config: config} }

// Start starts the rounds. They run until Stop, even when ctx ends before. A worker starts
// once, and not after Stop.
func (w *Worker) Start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.cancel != nil || w.stopped {
		return
	}

	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel

	for range max(w.config.Goroutines, 1) {
		w.running.Go(func() { w.runRounds(ctx) })
	}
}

// Stop ends the rounds, cancels a running one and waits for it. It may be called more than
// once, and without Start.
func (w *Worker) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.stopped = true
	if w.cancel != nil {
		w.cancel()
		w.running.Wait()
	}
}

func (w *Worker) runRounds(ctx context.Context) {
	ticker := time.NewTicker(w.config.Interval)
	defer ticker.Stop()

	if w.config.After != nil {
		select {
		case <-w.config.After:
		case <-ctx.Done():
			return
		}
	}

	for {
		w.config.Round(ctx)

		select {
		case <-w.config.Wake:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Wait waits for a while. It reports false when ctx ended first.
func Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
