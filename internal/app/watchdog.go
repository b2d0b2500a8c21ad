package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// stuckBudgets is how many budgets a commit may take before its lane counts as stuck.
// The budget ends a commit whether the database answers or not, so that one that
// goes on for several of them is a defect of this process and of nothing else.
const stuckBudgets = 3

var errStuck = errors.New("a transaction has run for several budgets, or none has while events wait")

// watchdog watches whether the lanes move.
type watchdog struct {
	budget time.Duration
	now    func() time.Time

	mu      sync.Mutex
	queued  func() int64 // nil until there is a collector
	running map[uint64]time.Time
	begun   uint64
	ended   uint64
	// stillEnded is how many commits had ended at stillSince, the first of the checks
	// in a row that found events waiting and no commit ended in between. What waits is
	// in a commit that ends within the budget, so two such checks that lie further
	// apart prove that nothing moves.
	stillEnded uint64
	stillSince time.Time
}

func newWatchdog(budget time.Duration, now func() time.Time) *watchdog {
	return &watchdog{budget: budget, now: now, running: map[uint64]time.Time{}}
}

// watchStore returns a store whose commits are watched.
func (p *watchdog) watchStore(store ingest.Store) ingest.Store { return watchedStore{store, p} }

// setQueued tells where to read how many events wait.
func (p *watchdog) setQueued(queued func() int64) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.queued = queued
}

func (p *watchdog) beginCommit() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.begun++
	p.running[p.begun] = p.now()
	return p.begun
}

func (p *watchdog) endCommit(commit uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.running, commit)
	p.ended++
}

// checkLanes tells whether a lane is stuck: in a commit, which shows at once, or between
// two, which only shows when it is asked again and again.
func (p *watchdog) checkLanes(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()

	now := p.now()
	for _, began := range p.running {
		if now.Sub(began) > stuckBudgets*p.budget {
			return errStuck
		}
	}

	switch {
	case p.queued == nil || p.queued() == 0:
		p.stillSince = time.Time{}
	case p.stillSince.IsZero() || p.ended != p.stillEnded:
		p.stillEnded, p.stillSince = p.ended, now
	case now.Sub(p.stillSince) > stuckBudgets*p.budget:
		return errStuck
	}

	return nil
}

// watchedStore is a store whose commits are watched.
type watchedStore struct {
	ingest.Store

	watchdog *watchdog
}

// Commit stores a group.
func (w watchedStore) Commit(ctx context.Context, group *ingest.Group) error {
	defer w.watchdog.endCommit(w.watchdog.beginCommit())

	return w.Store.Commit(ctx, group)
}
