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

// TimingStore keeps timings. The postgres package implements it.
type TimingStore interface {
	// KeepTimings keeps what was gathered until a time. It may lose the last of it in
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

// timingWriter writes the timings of groups, which are known only after the commit, off
// the way of any request. It costs a row twice a second, and nothing at rest.
type timingWriter struct {
	store  TimingStore
	logger *zap.Logger
	now    func() time.Time

	mu      sync.Mutex
	pending []Timing
	writing []Timing
	dropped atomic.Int64
	wake    chan struct{}
	end     chan struct{}
	ended   chan struct{}
	once    sync.Once
}

func newTimingWriter(store TimingStore, logger *zap.Logger, now func() time.Time) *timingWriter {
	return &timingWriter{store: store, logger: logger, now: now, wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
}

// add takes a timing in. It never waits.
func (j *timingWriter) add(t Timing) {
	j.mu.Lock()
	full := len(j.pending) >= maxTimings
	if !full {
		j.pending = append(j.pending, t)
	}
	first := len(j.pending) == 1
	j.mu.Unlock()
	if full {
		j.dropped.Add(1)
	}
	if first {
		select {
		case j.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// find looks for a timing that is not written yet.
func (j *timingWriter) find(group GroupID) (time.Duration, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, list := range [][]Timing{j.pending, j.writing} {
		for _, t := range list {
			if t.Group == group {
				return t.Took, true
			}
		}
	}
	return 0, false
}

// run writes until stop.
func (j *timingWriter) run() {
	defer close(j.ended)
	for {
		select {
		case <-j.wake:
		case <-j.end:
			j.writePending()
			return
		}
		timer := time.NewTimer(timingPause)
		select {
		case <-timer.C:
		case <-j.end:
			timer.Stop()
		}
		j.writePending()
	}
}

// stop writes what is left and ends. It may be called more than once.
func (j *timingWriter) stop() {
	j.once.Do(func() { close(j.end) })
	<-j.ended
}

func (j *timingWriter) writePending() {
	j.mu.Lock()
	j.writing, j.pending = j.pending, nil
	list := j.writing
	j.mu.Unlock()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), timingTimeout)
	defer cancel()
	if err := j.store.KeepTimings(ctx, j.now(), list); err != nil {
		j.dropped.Add(int64(len(list)))
		j.logger.Warn("the timings of groups could not be kept", zap.Int("groups", len(list)), zap.Error(err))
	}
	j.mu.Lock()
	j.writing = nil
	j.mu.Unlock()
}
