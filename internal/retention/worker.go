package retention

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
)

// Config says how long things are kept.
type Config struct {
	// Events is how long events are kept after their timestamp. Zero keeps them for ever.
	Events time.Duration
	// Errors is how long rejections are kept after their receipt. Zero keeps them for ever.
	Errors time.Duration
	// MaxAge is the age past which no event is accepted: marks of erasures that are
	// older are forgotten.
	MaxAge time.Duration
	// Audit is how long audit entries are kept. Zero keeps them for ever.
	Audit time.Duration
	// Timings is how long the timings of groups are kept.
	Timings time.Duration
	// Interval is the time between two rounds.
	Interval time.Duration
}

// Store makes and drops partitions. The postgres package implements it. Its
// methods may run on several replicas at once.
type Store interface {
	// Now is the store's clock, which is the same for all replicas.
	Now(ctx context.Context) (time.Time, error)
	// CreatePartitions makes the partitions of the month of from and the months up to that of to.
	CreatePartitions(ctx context.Context, from, to time.Time) error
	// ExpireEvents drops the partitions of events that end before the given time, and
	// what belongs to them.
	ExpireEvents(ctx context.Context, before time.Time) (events int64, err error)
	// ExpireRejections drops the partitions of rejections that end before the given time.
	ExpireRejections(ctx context.Context, before time.Time) (partitions int, err error)
	Pruner
}

// Pruner drops what is kept in tables without partitions, in small steps.
type Pruner interface {
	// PruneErasures forgets that sessions were erased before the given time.
	PruneErasures(ctx context.Context, before time.Time) error
	// PruneTimings forgets timings of groups that are older than the given time.
	PruneTimings(ctx context.Context, before time.Time) error
	// PruneAudit drops audit entries that are older than the given time.
	PruneAudit(ctx context.Context, before time.Time) error
}

// partitionHorizon is how far ahead partitions are made.
const partitionHorizon = 62 * 24 * time.Hour

// dropGrace keeps partitions a little longer than was asked for: an event that was just
// young enough when it was validated is on its way into one, and clocks differ.
const dropGrace = time.Hour

// Worker does a round at the start and then one an interval.
type Worker struct {
	*background.Worker

	config   Config
	store    Store
	logger   *zap.Logger
	now      func() time.Time
	counters counters

	// prepared closes when the first round has made partitions, or could not.
	prepared chan struct{}
	first    sync.Once
}

// New makes a worker that has yet to be started.
func New(config Config, store Store, logger *zap.Logger, now func() time.Time) *Worker {
	w := &Worker{
		config:   config,
		store:    store,
		logger:   logger,
		now:      now,
		prepared: make(chan struct{}),
	}
	w.Worker = background.NewWorker(background.Config{Round: w.RunRound, Interval: config.Interval})

	return w
}

// Prepared is closed once the first round has made the partitions that will be needed, or
// has failed to.
func (w *Worker) Prepared() <-chan struct{} { return w.prepared }

// RunRound makes what will be needed and drops what is expired. What fails is logged
// and tried again in the next round: until then events bring their partitions
// about by themselves.
//
// Partitions are made by the store's clock. What is expired is so by that and by this
// replica's: one clock that is ahead must not drop what another still lets in.
func (w *Worker) RunRound(ctx context.Context) {
	defer w.counters.recordRound(ctx, w.now)
	defer w.first.Do(func() { close(w.prepared) })

	now, err := w.store.Now(ctx)
	if err != nil {
		w.recordFailure(ctx, "the database's clock could not be read", err)
		return
	}

	w.recordFailure(ctx, "partitions could not be made ahead", w.store.CreatePartitions(ctx, now, now.Add(partitionHorizon)))
	w.first.Do(func() { close(w.prepared) })
	if own := w.now(); own.Before(now) {
		now = own
	}

	w.dropExpired(ctx, now)
}

// dropExpired drops what is expired at a time.
func (w *Worker) dropExpired(ctx context.Context, now time.Time) {
	if w.config.Events > 0 {
		events, err := w.store.ExpireEvents(ctx, now.Add(-w.config.Events-dropGrace))
		w.recordFailure(ctx, "expired events could not be dropped", err)
		w.counters.events.Add(events)
		if events > 0 {
			w.logger.Info("expired events were dropped", zap.Int64("events", events))
		}
	}

	if w.config.Errors > 0 {
		partitions, err := w.store.ExpireRejections(ctx, now.Add(-w.config.Errors-dropGrace))
		w.recordFailure(ctx, "expired errors could not be dropped", err)
		w.counters.partitions.Add(int64(partitions))
		if partitions > 0 {
			w.logger.Info("expired errors were dropped", zap.Int("partitions", partitions))
		}
	}

	if w.config.Audit > 0 {
		w.recordFailure(ctx, "old audit entries could not be dropped", w.store.PruneAudit(ctx, now.Add(-w.config.Audit-dropGrace)))
	}

	w.recordFailure(ctx, "old erasures could not be deleted", w.store.PruneErasures(ctx, now.Add(-w.config.MaxAge-dropGrace)))
	w.recordFailure(ctx, "old timings could not be deleted", w.store.PruneTimings(ctx, now.Add(-w.config.Timings-dropGrace)))
}

func (w *Worker) recordFailure(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		w.counters.roundFailed = true
		w.logger.Warn(what, zap.Error(err))
	}
}
