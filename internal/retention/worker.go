package retention

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
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
// young enough when it was judged is on its way into one, and clocks differ.
const dropGrace = time.Hour

// Worker does a round at the start and then one an interval.
type Worker struct {
	config   Config
	store    Store
	logger   *zap.Logger
	now      func() time.Time
	counters counters

	// prepared closes when the first round has made partitions, or could not.
	prepared chan struct{}
	first    sync.Once

	once   sync.Once
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a keeper that has yet to be started.
func New(config Config, store Store, logger *zap.Logger, now func() time.Time) *Worker {
	return &Worker{config: config, store: store, logger: logger, now: now, done: make(chan struct{}), prepared: make(chan struct{})}
}

// Start begins the rounds. It is called once.
func (k *Worker) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	go func() {
		defer close(k.done)

		ticker := time.NewTicker(k.config.Interval)
		defer ticker.Stop()

		for {
			k.RunRound(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop ends the rounds, cancels a running one and waits for it. It may be called
// more than once, and without Start.
func (k *Worker) Stop() {
	k.once.Do(func() {
		if k.cancel == nil {
			return
		}

		k.cancel()
		<-k.done
	})
}

// Prepared is closed once the first round has made the partitions that will be needed, or
// has failed to.
func (k *Worker) Prepared() <-chan struct{} { return k.prepared }

// RunRound makes what will be needed and drops what is expired. What fails is logged
// and tried again in the next round: until then events bring their partitions
// about by themselves.
//
// Partitions are made by the store's clock. What is expired is so by that and by this
// replica's: one clock that is ahead must not drop what another still lets in.
func (k *Worker) RunRound(ctx context.Context) {
	defer k.counters.recordRound(ctx, k.now)
	defer k.first.Do(func() { close(k.prepared) })

	now, err := k.store.Now(ctx)
	if err != nil {
		k.recordFailure(ctx, "the database's clock could not be read", err)
		return
	}

	k.recordFailure(ctx, "partitions could not be made ahead", k.store.CreatePartitions(ctx, now, now.Add(partitionHorizon)))
	k.first.Do(func() { close(k.prepared) })
	if own := k.now(); own.Before(now) {
		now = own
	}

	k.dropExpired(ctx, now)
}

// dropExpired drops what is expired at a time.
func (k *Worker) dropExpired(ctx context.Context, now time.Time) {
	if k.config.Events > 0 {
		events, err := k.store.ExpireEvents(ctx, now.Add(-k.config.Events-dropGrace))
		k.recordFailure(ctx, "expired events could not be dropped", err)
		k.counters.events.Add(events)
		if events > 0 {
			k.logger.Info("expired events were dropped", zap.Int64("events", events))
		}
	}

	if k.config.Errors > 0 {
		partitions, err := k.store.ExpireRejections(ctx, now.Add(-k.config.Errors-dropGrace))
		k.recordFailure(ctx, "expired errors could not be dropped", err)
		k.counters.partitions.Add(int64(partitions))
		if partitions > 0 {
			k.logger.Info("expired errors were dropped", zap.Int("partitions", partitions))
		}
	}

	if k.config.Audit > 0 {
		k.recordFailure(ctx, "old audit entries could not be dropped", k.store.PruneAudit(ctx, now.Add(-k.config.Audit-dropGrace)))
	}

	k.recordFailure(ctx, "old erasures could not be forgotten", k.store.PruneErasures(ctx, now.Add(-k.config.MaxAge-dropGrace)))
	k.recordFailure(ctx, "old timings could not be forgotten", k.store.PruneTimings(ctx, now.Add(-k.config.Timings-dropGrace)))
}

func (k *Worker) recordFailure(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		k.counters.roundFailed = true
		k.logger.Warn(what, zap.Error(err))
	}
}
