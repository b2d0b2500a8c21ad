package ingest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Timing is how long the commit of a group took.
type Timing struct {
	Group GroupID
	Took  time.Duration
}

// TimingStore stores timings. The postgres package implements it.
type TimingStore interface {
	// KeepTimings stores what was gathered until a time. It may lose the last of it in
	// a crash.
	KeepTimings(ctx context.Context, at time.Time, timings []Timing) error
}

const (
	// timingPause is how long timings are gathered before they are written together.
	timingPause = 500 * time.Millisecond
	// maxTimings bounds those that wait to be written.
	maxTimings = 50_000
	// timingTimeout bounds a write.
	timingTimeout = 2 * time.Second
)

// timingWriter writes the timings of groups, which are known only after the commit. No request
// waits for it. It costs a row twice a second, and nothing at rest.
type timingWriter struct {
	store   TimingStore
	logger  *zap.Logger
	now     func() time.Time
	dropped atomic.Int64

	mu      sync.Mutex
	pending []Timing
	writing []Timing

	wake  signal
	end   chan struct{}
	ended chan struct{}
	once  sync.Once
}

func newTimingWriter(store TimingStore, logger *zap.Logger, now func() time.Time) *timingWriter {
	return &timingWriter{
		store:  store,
		logger: logger,
		now:    now,
		wake:   newSignal(),
		end:    make(chan struct{}),
		ended:  make(chan struct{}),
	}
}

// add queues a timing. It never waits.
func (w *timingWriter) add(t Timing) {
	w.mu.Lock()
	full := len(w.pending) >= maxTimings
	if !full {
		w.pending = append(w.pending, t)
	}

	first := len(w.pending) == 1
	w.mu.Unlock()

	if full {
		w.dropped.Add(1)
	}

	if first {
		w.wake.send()
	}
}

// find looks for a timing that is not written yet.
func (w *timingWriter) find(group GroupID) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for _, list := range [][]Timing{w.pending, w.writing} {
		for _, t := range list {
			if t.Group == group {
				return t.Took, true
			}
		}
	}

	return 0, false
}

// run writes until stop.
func (w *timingWriter) run(ctx context.Context) {
	defer close(w.ended)

	for {
		select {
		case <-w.wake:
		case <-w.end:
			w.writePending(ctx)
			return
		}

		timer := time.NewTimer(timingPause)
		select {
		case <-timer.C:
		case <-w.end:
			timer.Stop()
		}

		w.writePending(ctx)
	}
}

// stop writes what is left and ends. It may be called more than once.
func (w *timingWriter) stop() {
	w.once.Do(func() { close(w.end) })
	<-w.ended
}

func (w *timingWriter) writePending(ctx context.Context) {
	w.mu.Lock()
	list := w.pending
	w.writing = list
	w.pending = nil
	w.mu.Unlock()
	if len(list) == 0 {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timingTimeout)
	defer cancel()

	if err := w.store.KeepTimings(ctx, w.now(), list); err != nil {
		w.dropped.Add(int64(len(list)))
		w.logger.Warn("the timings of groups could not be kept", zap.Int("groups", len(list)), zap.Error(err))
	}

	w.mu.Lock()
	w.writing = nil
	w.mu.Unlock()
}
