package pathindex

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// MaxPaths bounds the paths that have an index: each index makes storing an event of
// its type a little slower.
const MaxPaths = 32

// Source lists the wanted indexes.
type Source interface {
	// WantedPaths returns the paths that current event types mark, in a fixed order.
	WantedPaths(ctx context.Context) ([]Path, error)
}

// Store builds and drops indexes. The postgres package implements it.
type Store interface {
	// ReconcileIndexes builds the indexes of the paths that are missing or were left
	// half built, and drops all other path indexes. It does not block writers. It does
	// nothing while another replica does this work, and can be interrupted at any
	// point.
	ReconcileIndexes(ctx context.Context, wanted []Path) (Result, error)
}

// Result counts the indexes that a round built and dropped: a path has one for each
// partition.
type Result struct{ Built, Dropped int }

// Worker does a round at the start and then one an interval.
type Worker struct {
	source   Source
	store    Store
	interval time.Duration
	logger   *zap.Logger

	once   sync.Once
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a maker that has yet to be started.
func New(source Source, store Store, interval time.Duration, logger *zap.Logger) *Worker {
	return &Worker{source: source, store: store, interval: interval, logger: logger, done: make(chan struct{})}
}

// Start begins the rounds. It is called once.
func (m *Worker) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() {
		defer close(m.done)

		ticker := time.NewTicker(m.interval)
		defer ticker.Stop()

		for {
			m.RunRound(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop ends the rounds, cancels a running one and waits for it. It may be called more
// than once, and without Start.
func (m *Worker) Stop() {
	m.once.Do(func() {
		if m.cancel == nil {
			return
		}

		m.cancel()
		<-m.done
	})
}

// RunRound builds what is wanted and drops what is not. What fails is logged and tried
// again in the next round.
func (m *Worker) RunRound(ctx context.Context) {
	wanted, err := m.source.WantedPaths(ctx)
	if err != nil { // nothing is dropped because nobody could tell what is wanted
		m.logFailure(ctx, "marked paths could not be read", err)
		return
	}

	if len(wanted) > MaxPaths {
		m.logger.Warn("too many paths of payloads are marked as indexed; those behind the bound have no index",
			zap.Int("marked", len(wanted)), zap.Int("bound", MaxPaths))
		wanted = wanted[:MaxPaths]
	}

	done, err := m.store.ReconcileIndexes(ctx, wanted)
	if done != (Result{}) {
		m.logger.Info("indexes of payloads were changed", zap.Int("built", done.Built), zap.Int("dropped", done.Dropped))
	}

	if err != nil {
		m.logFailure(ctx, "indexes of payloads could not be built or dropped", err)
	}
}

func (m *Worker) logFailure(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		m.logger.Warn(what, zap.Error(err))
	}
}
