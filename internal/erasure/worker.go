package erasure

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Config sets how workers process erasures.
type Config struct {
	// Workers is how many erasures one replica works on at once.
	Workers int
	// Poll is how often a replica looks for erasures that others left unfinished.
	Poll time.Duration
	// Lease is how long after each step no other worker can claim an erasure. It has to
	// be longer than a step takes; after it, another replica continues the work of a
	// killed one.
	Lease time.Duration
	// TimeSlice is how long a worker stays with one erasure before others get their turn.
	TimeSlice time.Duration
}

// DefaultConfig returns the configuration of services and commands.
func DefaultConfig() Config {
	return Config{Workers: 2, Poll: 2 * time.Second, Lease: 15 * time.Second, TimeSlice: time.Second}
}

// Deps are what an Eraser works with.
type Deps struct {
	Store  Store
	Logger *zap.Logger
	Now    func() time.Time
	// Stopping reports whether clients that wait for an erasure have to be answered
	// now. Nil means never.
	Stopping func() bool
}

// Eraser begins erasures and finishes them. Its worker gives an unfinished erasure back when
// it is stopped, for another replica or the next start. It is safe for concurrent use.
type Eraser struct {
	*background.Worker

	config   Config
	deps     Deps
	counters counters
	wake     chan struct{}
}

// New makes an eraser that has yet to be started.
func New(config Config, deps Deps) *Eraser {
	e := &Eraser{config: config, deps: deps, wake: make(chan struct{}, config.Workers)}
	e.Worker = background.NewWorker(background.Config{
		Round:      e.runRound,
		Interval:   config.Poll,
		Wake:       e.wake,
		Goroutines: config.Workers,
	})

	return e
}

// BeginErasure stores an erasure and wakes a worker. From then on it is finished even
// if ctx ends. It returns Invalid faults, and NotFound if the request has MustExist.
func (e *Eraser) BeginErasure(ctx context.Context, ask Request) (Erasure, error) {
	if err := ask.Validate(); err != nil {
		return Erasure{}, err
	}

	begun, err := e.deps.Store.BeginErasure(ctx, ask)
	if err != nil {
		return begun, err
	}

	select {
	case e.wake <- struct{}{}:
	default: // every worker is already woken
	}

	return begun, nil
}

// FindErasure returns an erasure, or a NotFound fault.
func (e *Eraser) FindErasure(ctx context.Context, id uuid.UUID) (Erasure, error) {
	return e.deps.Store.FindErasure(ctx, id)
}

// The pauses between polls of an erasure that a client waits for.
const (
	minPollPause = 2 * time.Millisecond
	maxPollPause = 250 * time.Millisecond
)

// AwaitErasure waits until an erasure is finished, by any replica, or ctx ends, or the
// service stops, and returns its last known state.
func (e *Eraser) AwaitErasure(ctx context.Context, begun Erasure) Erasure {
	for look := minPollPause; begun.State() != Finished; look = min(2*look, maxPollPause) {
		if !background.Wait(ctx, look) || e.isStopping() {
			return begun
		}

		if found, err := e.deps.Store.FindErasure(ctx, begun.ID); err == nil {
			begun = found
		}
	}

	return begun
}

func (e *Eraser) isStopping() bool { return e.deps.Stopping != nil && e.deps.Stopping() }

// FinishErasure works on one erasure until it is finished, or waits while another
// replica does. It calls progress with the state of the erasure. When ctx ends, the
// erasure is released.
func (e *Eraser) FinishErasure(ctx context.Context, id uuid.UUID, progress func(Erasure)) (Erasure, error) {
	for {
		task, err := e.deps.Store.ClaimErasure(ctx, e.config.Lease, uuid.NullUUID{UUID: id, Valid: true})
		if err != nil {
			return Erasure{}, err
		}

		if task != nil {
			if _, err := e.runSteps(ctx, task, progress); err != nil {
				return task.Erasure(), err
			}
		}

		found, err := e.deps.Store.FindErasure(ctx, id)
		if err != nil || found.State() == Finished {
			return found, err
		}

		progress(found)
		if !background.Wait(ctx, maxPollPause) {
			return found, ctx.Err()
		}
	}
}

// runRound works on one erasure after the other until there is none to do now.
func (e *Eraser) runRound(ctx context.Context) {
	for e.workOnNext(ctx) {
	}

	e.measureBacklog(ctx)
}

// workOnNext works on one erasure for a slice of time. It reports whether there may be
// more work at once; after a failure there is a pause.
func (e *Eraser) workOnNext(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}

	task, err := e.deps.Store.ClaimErasure(ctx, e.config.Lease, uuid.NullUUID{})
	if err != nil && ctx.Err() == nil {
		e.deps.Logger.Warn("unfinished erasures cannot be read", zap.Error(err))
	}

	if err != nil || task == nil {
		return false
	}

	outcome, err := e.runSteps(ctx, task, func(Erasure) {})
	if err != nil {
		e.counters.failed.Add(1)
		if ctx.Err() == nil {
			e.deps.Logger.Warn("a step of an erasure failed; it is tried again", zap.Stringer("erasure_id", task.Erasure().ID), zap.Error(err))
		}

		return false
	}

	return outcome != Later
}

// runSteps runs steps of a task for a slice of time, and releases it.
func (e *Eraser) runSteps(ctx context.Context, task Task, progress func(Erasure)) (Outcome, error) {
	ends := e.deps.Now().Add(e.config.TimeSlice)
	for {
		outcome, err := task.RunStep(ctx)
		if err == nil && outcome == More && e.deps.Now().Before(ends) {
			progress(task.Erasure())
			continue
		}

		if err == nil && outcome == Done {
			e.recordFinished(task.Erasure())
			return outcome, nil
		}

		if outcome == More || err != nil {
			e.releaseTask(ctx, task)
		}

		return outcome, err
	}
}

// releaseTask releases a task even when ctx has ended: otherwise other workers would
// wait for the end of the lease.
func (e *Eraser) releaseTask(ctx context.Context, task Task) {
	const budget = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget)
	defer cancel()

	if err := task.ReleaseLease(ctx); err != nil {
		e.deps.Logger.Warn("an erasure could not be released; it continues when its lease ends",
			zap.Stringer("erasure_id", task.Erasure().ID), zap.Error(err))
	}
}

func (e *Eraser) recordFinished(done Erasure) {
	e.counters.finished.Add(1)
	e.deps.Logger.Info("an erasure is finished", zap.Stringer("erasure_id", done.ID),
		zap.Int64("sessions", done.Sessions), zap.Int64("events", done.Events), zap.Int64("errors", done.Rejections))
}

// measureBacklog measures the backlog of unfinished erasures.
func (e *Eraser) measureBacklog(ctx context.Context) {
	found, err := e.deps.Store.ReadBacklog(ctx)
	if err != nil { // the metric keeps its value, and its age grows with the outage
		return
	}

	e.counters.backlog.Store(&measuredBacklog{found, e.deps.Now()})
}

// counters is what is measured.
type counters struct {
	finished, failed atomic.Int64
	backlog          atomic.Pointer[measuredBacklog]
}

// measuredBacklog is a backlog and when it was seen.
type measuredBacklog struct {
	Backlog

	at time.Time
}

// NotFound returns the fault for a request with MustExist whose sessions do not exist.
func NotFound() error {
	return fault.New(fault.NotFound, fault.CodeNotFound, "nothing is kept of this session")
}
