package eventtype

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// How fresh a Directory is. A change is in force everywhere within 5 s, or events are
// turned away: what is left of that is for requests that are on their way.
const (
	refreshInterval = time.Second
	maxAge          = 4500 * time.Millisecond
	// The bounds of one trip to the store.
	revisionTimeout = time.Second
	snapshotTimeout = 3 * time.Second
	// maxValidation bounds the judging of one request, or the last event of it waits for the
	// others beyond the time in which it has to be answered.
	maxValidation = 3 * time.Second
)

// CacheDeps are what a Directory works with.
type CacheDeps struct {
	Store  SnapshotStore
	Logger *zap.Logger
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
	// Metrics are what is measured. Nil measures nothing.
	Metrics *Metrics
}

// Cache judges events by the registered types, without a trip to the store. It is
// safe for concurrent use.
type Cache struct {
	unregistered Unregistered
	deps         CacheDeps
	view         atomic.Pointer[view] // nil until the first refresh
	refreshing   sync.Mutex

	lifecycle sync.Mutex
	cancel    context.CancelFunc // nil until Start
	stopped   bool
	done      chan struct{}
}

// view is the registry as it was at one moment.
type view struct {
	revision     int64
	unregistered Unregistered
	types        map[Key]*compiledType
	// marked are the types whose schemas change what is kept.
	marked  []*compiledType
	hashKey []byte
	asOf    time.Time
}

// NewCache makes a directory that knows nothing until Refresh or Start.
func NewCache(unregistered Unregistered, deps CacheDeps) *Cache {
	return &Cache{unregistered: unregistered, deps: deps, done: make(chan struct{})}
}

// Start begins to follow the store, until Stop. A directory starts once.
func (d *Cache) Start() {
	d.lifecycle.Lock()
	defer d.lifecycle.Unlock()

	if d.cancel != nil || d.stopped {
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go d.followStore(ctx)
}

// Stop ends what Start began and waits for it. It may be called again, and without
// Start.
func (d *Cache) Stop() {
	d.lifecycle.Lock()
	d.stopped = true
	cancel := d.cancel
	d.lifecycle.Unlock()
	if cancel != nil {
		cancel()
		<-d.done
	}
}

func (d *Cache) followStore(ctx context.Context) {
	defer close(d.done)

	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()

	away := false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}

		// After an outage the store may be another one, whose revision says nothing about ours.
		err := d.refreshView(ctx, away)
		if ctx.Err() != nil {
			return
		}

		if err != nil && !away {
			d.deps.Logger.Warn("event types cannot be read; events are turned away once they are too old",
				zap.Duration("max_age", maxAge), zap.Error(err))
		}

		if err == nil && away {
			d.deps.Logger.Info("event types are read again")
		}

		away = err != nil
	}
}

// Refresh reads everything from the store now. When it returns without an error, all
// that was committed before the call is in force.
func (d *Cache) Refresh(ctx context.Context) error { return d.refreshView(ctx, true) }

// refreshView asks the store for changes; whole reads everything even if there is none.
func (d *Cache) refreshView(ctx context.Context, whole bool) error {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()

	asOf := d.deps.Now()
	current := d.view.Load()
	if !whole && current != nil {
		bounded, cancel := context.WithTimeout(ctx, revisionTimeout)
		revision, err := d.deps.Store.ReadRevision(bounded)
		cancel()
		if err != nil {
			return err
		}

		if revision == current.revision {
			next := *current
			next.asOf = asOf
			d.view.Store(&next)
			return nil
		}
	}

	bounded, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()

	snapshot, err := d.deps.Store.ReadSnapshot(bounded)
	if err != nil {
		return err
	}

	d.view.Store(d.compileView(ctx, current, &snapshot, asOf))
	return nil
}

// compileView makes a view of a snapshot. What did not change is not compiled again.
func (d *Cache) compileView(ctx context.Context, current *view, snapshot *Snapshot, asOf time.Time) *view {
	next := &view{
		revision: snapshot.Revision, unregistered: d.unregistered, types: make(map[Key]*compiledType, len(snapshot.Types)),
		hashKey: snapshot.HashKey, asOf: asOf,
	}
	for _, t := range snapshot.Types {
		one := &compiledType{Type: t}
		if before := current.findType(t.Key); before != nil && before.Version == t.Version && before.CreatedAt.Equal(t.CreatedAt) {
			one = before
		} else if schema, err := CompileSchema(t.Schema); err == nil {
			one.schema = schema
		} else {
			// Another release of the service took it. What is known is better than nothing,
			// and what is marked is not kept in any case.
			d.deps.Logger.Error("the schema of an event type cannot be used; its events are judged by what was known before, or else let through, or turned away if it has marks",
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

	d.deps.Metrics.recordCompiled(ctx, len(next.types))
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
func (d *Cache) ValidatePayloads(envelopes []event.Envelope, kept bool) error {
	v, err := d.currentView()
	if err != nil {
		return err
	}

	if len(v.types) == 0 && v.unregistered == Accept {
		return nil
	}

	began, told := d.deps.Now(), 0
	for i := range envelopes {
		if i > 0 && d.deps.Now().Sub(began) > maxValidation {
			return fault.NewUnavailable(nil, fault.CodeOverloaded, "it took too long to hold the events against their schemas; send fewer of them in a request", time.Second)
		}

		if err := v.validateEvent(&envelopes[i], kept); err != nil {
			return err
		}

		told = cutPointers(envelopes[i].Violations, told)
		d.deps.Metrics.recordValidated(&envelopes[i])
	}

	return nil
}

// cutPointers bounds what a request is told; told is what it was told before.
func cutPointers(violations []fault.Violation, told int) int {
	for i := range violations {
		v := &violations[i]
		v.Pointer = event.CutPointer(v.Pointer, event.LongestPointer(told))
		told += len(v.Pointer)
	}

	return told
}

// Ready returns nil when events can be judged, or else the fault that every sender gets.
func (d *Cache) Ready() error {
	_, err := d.currentView()
	return err
}

func (d *Cache) currentView() (*view, error) {
	v := d.view.Load()
	if v != nil && d.deps.Now().Sub(v.asOf) <= maxAge {
		return v, nil
	}

	return nil, fault.NewUnavailable(nil, fault.CodeUnavailable, "events cannot be judged while the database is away; try again later", refreshInterval)
}
