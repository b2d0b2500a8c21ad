package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// stuckBudgets is the number of budgets after which the lane of a commit counts as stuck.
// The budget ends a commit even if the database does not answer, so a commit that runs for
// several budgets is a bug in this process.
const stuckBudgets = 3

var errStuck = errors.New("a transaction has run for several budgets, or events wait and no transaction runs")

// watchdog checks that the lanes make progress.
type watchdog struct {
	budget time.Duration
	now    func() time.Time

	mu      sync.Mutex
	queued  func() int64 // nil until there is a collector
	running map[uint64]time.Time
	begun   uint64
	ended   uint64
	// stillEnded is the number of commits that had ended at stillSince, the first of
	// consecutive checks that found waiting events and no further commit ended. Waiting
	// events get into a commit that ends within the budget, so two such checks that are
	// further apart prove that the lanes are stuck.
	stillEnded uint64
	stillSince time.Time
}

func newWatchdog(budget time.Duration, now func() time.Time) *watchdog {
	return &watchdog{budget: budget, now: now, running: map[uint64]time.Time{}}
}

// watchStore returns a store whose commits are watched.
func (p *watchdog) watchStore(store ingest.Store) ingest.Store { return watchedStore{store, p} }

// setQueued sets the function that returns the number of waiting events.
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

// checkLanes returns an error if a lane is stuck: in a commit, which one check detects, or
// between two commits, which only repeated checks detect.
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
		p.stillEnded = p.ended
		p.stillSince = now
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
