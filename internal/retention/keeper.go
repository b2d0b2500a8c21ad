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
	// Prepare makes the partitions of the month of from and the months up to that of to.
	Prepare(ctx context.Context, from, to time.Time) error
	// ExpireEvents drops the partitions of events that end before the given time, and
	// what belongs to them.
	ExpireEvents(ctx context.Context, before time.Time) (events int64, err error)
	// ExpireRejections drops the partitions of rejections that end before the given time.
	ExpireRejections(ctx context.Context, before time.Time) (partitions int, err error)
	Forgetter
}

// Forgetter drops what is kept in tables without partitions, in small steps.
type Forgetter interface {
	// ForgetErasures forgets that sessions were erased before the given time.
	ForgetErasures(ctx context.Context, before time.Time) error
	// ForgetTimings forgets timings of groups that are older than the given time.
	ForgetTimings(ctx context.Context, before time.Time) error
	// ExpireAudit drops audit entries that are older than the given time.
	ExpireAudit(ctx context.Context, before time.Time) error
}

// ahead is how far ahead partitions are made.
const ahead = 62 * 24 * time.Hour

// grace keeps partitions a little longer than was asked for: an event that was just
// young enough when it was judged is on its way into one, and clocks differ.
const grace = time.Hour

// Keeper does a round at the start and then one an interval.
type Keeper struct {
	config Config
	store  Store
	logger *zap.Logger
	now    func() time.Time
	tally  tally

	// prepared closes when the first round has made partitions, or could not.
	prepared chan struct{}
	first    sync.Once

	once   sync.Once
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a keeper that has yet to be started.
func New(config Config, store Store, logger *zap.Logger, now func() time.Time) *Keeper {
	return &Keeper{config: config, store: store, logger: logger, now: now, done: make(chan struct{}), prepared: make(chan struct{})}
}

// Start begins the rounds. It is called once.
func (k *Keeper) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	go func() {
		defer close(k.done)
		ticker := time.NewTicker(k.config.Interval)
		defer ticker.Stop()
		for {
			k.Round(ctx)
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
func (k *Keeper) Stop() {
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
func (k *Keeper) Prepared() <-chan struct{} { return k.prepared }

// Round makes what will be needed and drops what is expired. What fails is logged
// and tried again in the next round: until then events bring their partitions
// about by themselves.
//
// Partitions are made by the store's clock. What is expired is so by that and by this
// replica's: one clock that is ahead must not drop what another still lets in.
func (k *Keeper) Round(ctx context.Context) {
	defer k.tally.roundEnds(ctx, k.now)
	defer k.first.Do(func() { close(k.prepared) })
	now, err := k.store.Now(ctx)
	if err != nil {
		k.note(ctx, "the database's clock could not be read", err)
		return
	}
	k.note(ctx, "partitions could not be made ahead", k.store.Prepare(ctx, now, now.Add(ahead)))
	k.first.Do(func() { close(k.prepared) })
	if own := k.now(); own.Before(now) {
		now = own
	}
	k.expire(ctx, now)
}

// expire drops what is expired at a time.
func (k *Keeper) expire(ctx context.Context, now time.Time) {
	if k.config.Events > 0 {
		events, err := k.store.ExpireEvents(ctx, now.Add(-k.config.Events-grace))
		k.note(ctx, "expired events could not be dropped", err)
		k.tally.events.Add(events)
		if events > 0 {
			k.logger.Info("expired events were dropped", zap.Int64("events", events))
		}
	}
	if k.config.Errors > 0 {
		partitions, err := k.store.ExpireRejections(ctx, now.Add(-k.config.Errors-grace))
		k.note(ctx, "expired errors could not be dropped", err)
		k.tally.partitions.Add(int64(partitions))
		if partitions > 0 {
			k.logger.Info("expired errors were dropped", zap.Int("partitions", partitions))
		}
	}
	if k.config.Audit > 0 {
		k.note(ctx, "old audit entries could not be dropped", k.store.ExpireAudit(ctx, now.Add(-k.config.Audit-grace)))
	}
	k.note(ctx, "old erasures could not be forgotten", k.store.ForgetErasures(ctx, now.Add(-k.config.MaxAge-grace)))
	k.note(ctx, "old timings could not be forgotten", k.store.ForgetTimings(ctx, now.Add(-k.config.Timings-grace)))
}

func (k *Keeper) note(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		k.tally.faulty = true
		k.logger.Warn(what, zap.Error(err))
	}
}
