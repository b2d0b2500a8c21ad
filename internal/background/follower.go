package background

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// versionTimeout bounds a question for the version. It is short, so that a store that comes
// back after an outage is noticed within a second or two.
const versionTimeout = time.Second

// FollowerConfig says what a follower reads, and how old its copy may be.
type FollowerConfig[T any] struct {
	// ReadVersion asks the store for the version of its content and the time by its clock.
	// It is called at every interval, and cheap.
	ReadVersion func(ctx context.Context) (version int64, at time.Time, err error)
	// ReadContent reads everything. latest is the content in force, so that its unchanged
	// parts can be used again; nil before the first one. AsOf is left to the follower.
	ReadContent func(ctx context.Context, latest *T) (Snapshot[T], error)

	// Interval is how often the store is asked for changes.
	Interval time.Duration
	// ReadTimeout bounds ReadContent.
	ReadTimeout time.Duration
	// MaxAge is how old a snapshot may be and still be fresh.
	MaxAge time.Duration
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time

	// Published is called with each content that comes into force, in their order. Nil is
	// not called.
	Published func(ctx context.Context, content *T)
	// Lost is called when the store can no longer be read, and Found when it can be read for
	// the first time or again. They are called on a change alone: the state at every
	// interval would drown the log.
	Lost  func(err error)
	Found func(again bool)
}

// Snapshot is the content of a store at one moment. It is not changed once it is shared.
type Snapshot[T any] struct {
	Content *T
	// Version changes with every change of the content.
	Version int64
	// AsOf is when the store was asked: everything committed by then is in the content.
	AsOf time.Time
	// At is the same moment by the store's clock, or a little later. It is zero where the
	// store does not report it.
	At time.Time
}

// RefreshCounts counts refreshes by outcome. A changed one read everything. A cancelled one
// is not counted.
type RefreshCounts struct{ Unchanged, Changed, Failed atomic.Int64 }

// Follower keeps a copy of a store's content in memory. Its methods are safe for concurrent
// use, and reading the copy takes no lock.
type Follower[T any] struct {
	*Worker

	Refreshes RefreshCounts

	config FollowerConfig[T]
	latest atomic.Pointer[Snapshot[T]] // nil until the first refresh
	// publishing orders the changes of latest.
	publishing sync.Mutex
	// health belongs to the round.
	health health
}

// health is whether the store could be read in the last round.
type health uint8

const (
	healthUnknown health = iota
	healthGood
	healthUnreachable
)

// NewFollower makes a follower that has no copy until Start or Refresh.
func NewFollower[T any](config FollowerConfig[T]) *Follower[T] {
	f := &Follower[T]{config: config}
	f.Worker = NewWorker(Config{Round: f.runRound, Interval: config.Interval})

	return f
}

// Latest returns the copy, however old it is; nil before the first refresh.
func (f *Follower[T]) Latest() *Snapshot[T] { return f.latest.Load() }

// IsFresh says whether a snapshot is young enough to rely on. A nil one is not.
func (f *Follower[T]) IsFresh(s *Snapshot[T], now time.Time) bool {
	return s != nil && now.Sub(s.AsOf) <= f.config.MaxAge
}

// Age returns how old the copy is, and whether there is one.
func (f *Follower[T]) Age() (age time.Duration, known bool) {
	s := f.latest.Load()
	if s == nil {
		return 0, false
	}

	return f.config.Now().Sub(s.AsOf), true
}

// Refresh reads everything from the store now. When it returns without an error, everything
// that was committed before the call is in force.
func (f *Follower[T]) Refresh(ctx context.Context) error {
	asOf := f.config.Now()

	var latest *T
	if s := f.latest.Load(); s != nil {
		latest = s.Content
	}

	bounded, cancel := context.WithTimeout(ctx, f.config.ReadTimeout)
	defer cancel()

	next, err := f.config.ReadContent(bounded, latest)
	if err != nil {
		f.countFailure(ctx)
		return err
	}

	f.Refreshes.Changed.Add(1)

	next.AsOf = asOf
	f.publish(ctx, &next)

	return nil
}

// refreshIfChanged refreshes only if there is something new.
func (f *Follower[T]) refreshIfChanged(ctx context.Context) error {
	asOf := f.config.Now()

	bounded, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()

	version, at, err := f.config.ReadVersion(bounded)
	if err != nil {
		f.countFailure(ctx)
		return err
	}

	if f.confirm(version, asOf, at) {
		f.Refreshes.Unchanged.Add(1)
		return nil
	}

	return f.Refresh(ctx)
}

// countFailure counts a refresh that failed.
func (f *Follower[T]) countFailure(ctx context.Context) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		f.Refreshes.Failed.Add(1)
	}
}

// publish puts a snapshot in force, unless one that was asked for later already is:
// refreshes may overtake each other.
func (f *Follower[T]) publish(ctx context.Context, next *Snapshot[T]) {
	f.publishing.Lock()
	defer f.publishing.Unlock()

	if current := f.latest.Load(); current != nil {
		age := next.AsOf.Compare(current.AsOf)
		if age < 0 || age == 0 && next.Version < current.Version {
			return
		}
	}

	f.latest.Store(next)
	if f.config.Published != nil {
		f.config.Published(ctx, next.Content)
	}
}

// confirm makes the snapshot in force younger, if the store still has its version.
func (f *Follower[T]) confirm(version int64, asOf, at time.Time) bool {
	f.publishing.Lock()
	defer f.publishing.Unlock()

	current := f.latest.Load()
	if current == nil || current.Version != version {
		return false
	}

	if asOf.After(current.AsOf) {
		f.latest.Store(&Snapshot[T]{Content: current.Content, Version: version, AsOf: asOf, At: at})
	}

	return true
}

// runRound asks for changes, and reports a change of the store's health.
func (f *Follower[T]) runRound(ctx context.Context) {
	// After an outage the store may be another one, restored or promoted, whose version
	// says nothing about the copy.
	refresh := f.refreshIfChanged
	if f.health == healthUnreachable {
		refresh = f.Refresh
	}

	err := refresh(ctx)
	if ctx.Err() != nil {
		return
	}

	before := f.health
	f.health = healthGood
	if err != nil {
		f.health = healthUnreachable
	}

	switch {
	case f.health == before:
	case err != nil:
		f.config.Lost(err)
	default:
		f.config.Found(before == healthUnreachable)
	}
}
