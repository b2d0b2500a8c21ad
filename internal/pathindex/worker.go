package pathindex

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
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
	*background.Worker

	source Source
	store  Store
	logger *zap.Logger
}

// New makes a worker that has yet to be started.
func New(source Source, store Store, interval time.Duration, logger *zap.Logger) *Worker {
	w := &Worker{source: source, store: store, logger: logger}
	w.Worker = background.NewWorker(background.Config{Round: w.RunRound, Interval: interval})

	return w
}

// RunRound builds what is wanted and drops what is not. What fails is logged and tried
// again in the next round.
func (w *Worker) RunRound(ctx context.Context) {
	wanted, err := w.source.WantedPaths(ctx)
	if err != nil { // nothing is dropped because nobody could tell what is wanted
		w.logFailure(ctx, "marked paths could not be read", err)
		return
	}

	if len(wanted) > MaxPaths {
		w.logger.Warn("too many paths of payloads are marked as indexed; those behind the bound have no index",
			zap.Int("marked", len(wanted)), zap.Int("bound", MaxPaths))
		wanted = wanted[:MaxPaths]
	}

	done, err := w.store.ReconcileIndexes(ctx, wanted)
	if done != (Result{}) {
		w.logger.Info("indexes of payloads were changed", zap.Int("built", done.Built), zap.Int("dropped", done.Dropped))
	}

	if err != nil {
		w.logFailure(ctx, "indexes of payloads could not be built or dropped", err)
	}
}

func (w *Worker) logFailure(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.logger.Warn(what, zap.Error(err))
	}
}
