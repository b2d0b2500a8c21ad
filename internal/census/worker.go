package census

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
)

// Config says how stock is taken.
type Config struct {
	// Interval is the time between two rounds.
	Interval time.Duration
	// Capacity is how many bytes the disk holds that was given to the database; 0 is
	// unknown.
	Capacity int64
}

// Deps are what a Worker works with.
type Deps struct {
	Store  Store
	Logger *zap.Logger
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
	// After closes when there is something to see; nil: the first round is at once.
	After <-chan struct{}
}

// Store takes stock of the database. The postgres package implements it.
type Store interface {
	// ReadStatistics answers soon or not at all, and nobody who stores waits for it.
	ReadStatistics(ctx context.Context, now time.Time) (Statistics, error)
}

// Statistics is what there is at one moment.
type Statistics struct {
	// Size is that of the whole database, in bytes.
	Size int64
	// Tables are the sizes of the large tables, in bytes.
	Tables TableSizes
	// Events and Rejections are the partitions of these tables.
	Events, Rejections Partitions
	// Oldest and Newest are the timestamps of the first and the last event; zero while
	// there is none.
	Oldest, Newest time.Time
}

// TableSizes are sizes in bytes, with indexes and partitions.
type TableSizes struct {
	Event, EventKey, Session, Rejection int64
}

// OtherBytes is the size of all that is in the database besides, the catalogue included.
func (s *Statistics) OtherBytes() int64 {
	t := &s.Tables
	return max(0, s.Size-t.Event-t.EventKey-t.Session-t.Rejection) // the tables may have grown after the whole was measured
}

// Partitions are the partitions of a table.
type Partitions struct {
	Count int
	// Until is the end of the last one that follows the present one without a gap;
	// zero when there is none for the present.
	Until time.Time
}

// CoverageFrom tells how long from now there are partitions without a gap.
func (p *Partitions) CoverageFrom(now time.Time) time.Duration { return max(0, p.Until.Sub(now)) }

// roundTimeout bounds a round. It is short, since what is wanted is the state now.
const roundTimeout = 5 * time.Second

// Worker does a round at the start and then one an interval.
type Worker struct {
	*background.Worker

	config          Config
	deps            Deps
	lastMeasurement atomic.Pointer[measurement] // nil until a round succeeds
	// samples are of the last day, from the oldest on; they belong to the round.
	samples []sample
}

// measurement is what a round found and concluded. It is not changed once it is shared.
type measurement struct {
	Statistics

	at time.Time
	// growth is in bytes a day; grows tells whether it is known.
	growth      float64
	growthKnown bool
}

// New makes a worker that has yet to be started.
func New(config Config, deps Deps) *Worker {
	w := &Worker{config: config, deps: deps}
	w.Worker = background.NewWorker(background.Config{Round: w.RunRound, Interval: config.Interval, After: deps.After})

	return w
}

// RunRound takes stock. When that fails it is logged, and what was known before stays.
func (w *Worker) RunRound(ctx context.Context) {
	now := w.deps.Now()
	bounded, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()

	stock, err := w.deps.Store.ReadStatistics(bounded, now)
	if err != nil {
		if ctx.Err() == nil {
			w.deps.Logger.Warn("the state of the database could not be measured", zap.Error(err))
		}

		return
	}

	w.samples = append(dropOldSamples(w.samples, now), sample{now, stock.Size})
	found := &measurement{Statistics: stock, at: now}
	found.growth, found.growthKnown = fitGrowth(w.samples)
	w.lastMeasurement.Store(found)
}
