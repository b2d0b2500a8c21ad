package eventtype

import (
	"bytes"
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// How fresh a Cache is. A change is in force everywhere within 5 s, or events are
// turned away: what is left of that is for requests that are on their way.
const (
	refreshInterval = time.Second
	maxAge          = 4500 * time.Millisecond
	snapshotTimeout = 3 * time.Second
	// maxValidation bounds the validation of one request, or the last event of it waits for the
	// others beyond the time in which it has to be answered.
	maxValidation = 3 * time.Second
)

// CacheDeps are what a Cache works with.
type CacheDeps struct {
	Store  SnapshotStore
	Logger *zap.Logger
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
	// Metrics are what is measured. Nil measures nothing.
	Metrics *Metrics
}

// Cache validates events by the registered types, without a question to the store. Its
// follower refreshes it. It is safe for concurrent use.
type Cache struct {
	*background.Follower[view]

	unregistered Unregistered
	deps         CacheDeps
}

// view is the registry as it was at one moment.
type view struct {
	unregistered Unregistered
	types        map[Key]*compiledType
	// marked are the types whose schemas change what is kept.
	marked  []*compiledType
	hashKey []byte
}

// NewCache makes a cache that knows nothing until Refresh or Start.
func NewCache(unregistered Unregistered, deps CacheDeps) *Cache {
	c := &Cache{unregistered: unregistered, deps: deps}
	c.Follower = background.NewFollower(background.FollowerConfig[view]{
		ReadVersion: c.readRevision,
		ReadContent: c.readView,
		Interval:    refreshInterval,
		ReadTimeout: snapshotTimeout,
		MaxAge:      maxAge,
		Now:         deps.Now,
		Published:   func(ctx context.Context, v *view) { deps.Metrics.recordCompiled(ctx, len(v.types)) },
		Lost:        c.logLost,
		Found:       c.logFound,
	})

	return c
}

// readRevision returns no time, for no type depends on the store's clock.
func (c *Cache) readRevision(ctx context.Context) (revision int64, at time.Time, err error) {
	revision, err = c.deps.Store.ReadRevision(ctx)

	return revision, time.Time{}, err
}

// readView reads everything from the store.
func (c *Cache) readView(ctx context.Context, latest *view) (background.Snapshot[view], error) {
	snapshot, err := c.deps.Store.ReadSnapshot(ctx)
	if err != nil {
		return background.Snapshot[view]{}, err
	}

	return background.Snapshot[view]{Content: c.compileView(latest, &snapshot), Version: snapshot.Revision}, nil
}

func (c *Cache) logLost(err error) {
	c.deps.Logger.Warn("event types cannot be read; ingest fails once the cache is too old",
		zap.Duration("max_age", maxAge), zap.Error(err))
}

func (c *Cache) logFound(again bool) {
	if again {
		c.deps.Logger.Info("event types are read again")
	}
}

// compileView makes a view of a snapshot. What did not change is not compiled again.
func (c *Cache) compileView(current *view, snapshot *Snapshot) *view {
	next := &view{
		unregistered: c.unregistered,
		types:        make(map[Key]*compiledType, len(snapshot.Types)),
		hashKey:      snapshot.HashKey,
	}

	for _, t := range snapshot.Types {
		one := &compiledType{Type: t}
		if before := current.findType(t.Key); before != nil && before.Version == t.Version && before.CreatedAt.Equal(t.CreatedAt) {
			one = before
		} else if schema, err := CompileSchema(t.Schema); err == nil {
			one.schema = schema
		} else {
			// Another release of the service accepted it. What is known is better than nothing,
			// and what is marked is not kept in any case.
			c.deps.Logger.Error("the schema of an event type cannot be used; its events are validated by the last usable one; without one they are stored unvalidated, or answered 503 if the schema has marks",
				zap.String("event_type", t.Path()), zap.Int32("version", t.Version), zap.Error(err))
			one.unusable = bytes.Contains(t.Schema, []byte(MarkKeyword))
			if before != nil {
				one = before
			}
		}

		next.types[t.Key] = one
		if one.unusable || (one.schema != nil && one.schema.marks.hasMarks()) {
			next.marked = append(next.marked, one)
		}
	}

	return next
}

func (v *view) findType(key Key) *compiledType {
	if v == nil {
		return nil
	}

	return v.types[key]
}

// ValidatePayloads implements ingest.Types. kept tells that the events were kept before, so that
// the marks were applied to them.
func (c *Cache) ValidatePayloads(envelopes []event.Envelope, kept bool) error {
	v, err := c.currentView()
	if err != nil {
		return err
	}

	if len(v.types) == 0 && v.unregistered == Accept {
		return nil
	}

	began, told := c.deps.Now(), 0
	for i := range envelopes {
		if i > 0 && c.deps.Now().Sub(began) > maxValidation {
			return fault.NewUnavailable(nil, fault.CodeOverloaded, "validating the events took too long; send fewer of them in a request", time.Second)
		}

		if err := v.validateEvent(&envelopes[i], kept); err != nil {
			return err
		}

		told = cutPointers(envelopes[i].Violations, told)
		c.deps.Metrics.recordValidated(&envelopes[i])
	}

	return nil
}

// ValidateRegistered implements ingest.Types.
func (c *Cache) ValidateRegistered(envelopes []event.Envelope) error {
	v, err := c.currentView()
	if err != nil {
		return err
	}

	for i := range envelopes {
		e := &envelopes[i]
		if e.Accepted() && !e.Unchanged && v.types[Key{e.Event.Category, e.Event.Name}] == nil {
			rejectUnregistered(e)
		}
	}

	return c.ValidatePayloads(envelopes, false)
}

// cutPointers bounds the length of a request's pointers in sum; told is the length so far.
func cutPointers(violations []fault.Violation, told int) int {
	for i := range violations {
		v := &violations[i]
		v.Pointer = event.CutPointer(v.Pointer, event.LongestPointer(told))
		told += len(v.Pointer)
	}

	return told
}

// Ready returns nil when events can be validated, and otherwise the fault that every sender gets.
func (c *Cache) Ready() error {
	_, err := c.currentView()
	return err
}

func (c *Cache) currentView() (*view, error) {
	latest := c.Latest()
	if c.IsFresh(latest, c.deps.Now()) {
		return latest.Content, nil
	}

	return nil, fault.NewUnavailable(nil, fault.CodeUnavailable, "events cannot be validated while the database is unreachable; try again later", refreshInterval)
}
