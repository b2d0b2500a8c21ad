package access

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// The defaults of Config.
const (
	DefaultRefresh = time.Second
	DefaultMaxAge  = 4500 * time.Millisecond
)

// The bounds of one trip to the store. They are short so that a store that comes
// back after an outage is noticed within a second or two.
const (
	versionTimeout  = time.Second
	snapshotTimeout = 2 * time.Second
)

// Config says how fresh a Directory is.
type Config struct {
	// Refresh is how often the store is asked for changes; 1 s unless set. A key
	// that another process made works after at most this long.
	Refresh time.Duration
	// MaxAge is how old the answers may be; 4.5 s unless set. Past it no key is
	// accepted, so that a revocation is in force everywhere after this long. The
	// promise is 5 s; the rest is for requests that are on their way. With less than
	// Refresh and two seconds, one slow answer of the database turns callers away.
	MaxAge time.Duration
}

// Deps are what a Directory works with.
type Deps struct {
	Store  Store
	Logger *zap.Logger
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
}

// Cache knows all applications and keys and answers without a trip to the
// store. It is safe for concurrent use.
type Cache struct {
	config   Config
	deps     Deps
	view     atomic.Pointer[view] // nil until the first refresh
	counters counters
	// publishing orders the changes of view.
	publishing sync.Mutex

	lifecycle sync.Mutex
	cancel    context.CancelFunc // nil until Start
	done      chan struct{}
	stopped   bool
}

// One answer for all, so that it never tells which keys exist.
var errUnauthorized = fault.New(fault.Unauthenticated, fault.CodeUnauthorized,
	"a valid key is required: Authorization: Bearer KEY")

// NewCache makes a directory that knows nothing until Start or Refresh.
func NewCache(config Config, deps Deps) *Cache {
	if config.Refresh <= 0 {
		config.Refresh = DefaultRefresh
	}

	if config.MaxAge <= 0 {
		config.MaxAge = DefaultMaxAge
	}

	return &Cache{config: config, deps: deps, done: make(chan struct{})}
}

// Start begins to follow the store, until Stop. A directory starts once; after
// Stop it does not.
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

// Authenticate returns who has the key with this text. An unknown, expired or
// revoked key and one of a disabled application are the same Unauthenticated fault.
// When the store has been away for longer than MaxAge, no key can be trusted, and
// the fault is Unavailable.
func (d *Cache) Authenticate(text string) (*Caller, error) {
	id, hash, ok := ParseKey(text)
	if !ok {
		d.counters.rejected.Add(1)
		return nil, errUnauthorized
	}

	now := d.deps.Now()
	v := d.view.Load()
	if err := d.checkFresh(v, now); err != nil {
		d.counters.unavailable.Add(1)
		return nil, err
	}

	if caller := v.findCaller(id, &hash, v.storeTime(now)); caller != nil {
		d.counters.accepted.Add(1)
		return caller, nil
	}

	d.counters.rejected.Add(1)
	return nil, errUnauthorized
}

// OriginAllowed tells whether any enabled application allows a web origin. It is
// for preflights, which come without a key and give nothing away, so it answers
// from what it knows, however old.
func (d *Cache) OriginAllowed(origin string) bool {
	v := d.view.Load()
	if v == nil || origin == "" {
		return false
	}

	_, allowed := v.origins[origin]
	return allowed || v.anyOrigin
}

// Age tells how old the answers are, and whether there are any.
func (d *Cache) Age() (age time.Duration, known bool) {
	v := d.view.Load()
	if v == nil {
		return 0, false
	}

	return d.deps.Now().Sub(v.asOf), true
}

// Ready returns nil when keys can be checked, or else the fault that every caller
// gets.
func (d *Cache) Ready() error {
	return d.checkFresh(d.view.Load(), d.deps.Now())
}

func (d *Cache) checkFresh(v *view, now time.Time) error {
	if v != nil && now.Sub(v.asOf) <= d.config.MaxAge {
		return nil
	}

	return fault.NewUnavailable(nil, fault.CodeUnavailable,
		"keys cannot be checked while the database is away; try again later", d.config.Refresh)
}

// Refresh reads everything from the store now. When it returns without an error,
// all that was committed before the call is in force.
func (d *Cache) Refresh(ctx context.Context) error {
	asOf := d.deps.Now()
	bounded, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()

	snapshot, err := d.deps.Store.ReadSnapshot(bounded)
	if err != nil {
		d.countFailedRefresh(ctx)
		return err
	}

	d.counters.changed.Add(1)
	d.publishView(&view{index: newIndex(&snapshot), asOf: asOf, at: snapshot.At})
	return nil
}

// refreshIfChanged refreshes only if there is something new.
func (d *Cache) refreshIfChanged(ctx context.Context) error {
	asOf := d.deps.Now()
	bounded, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()

	version, at, err := d.deps.Store.ReadVersion(bounded)
	if err != nil {
		d.countFailedRefresh(ctx)
		return err
	}

	if d.confirmView(version, asOf, at) {
		d.counters.unchanged.Add(1)
		return nil
	}

	return d.Refresh(ctx)
}

// countFailedRefresh counts a refresh that failed; one that was called off did not.
func (d *Cache) countFailedRefresh(ctx context.Context) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		d.counters.failed.Add(1)
	}
}

// publishView puts a view in force, unless one that was asked for later is already:
// refreshes may overtake each other.
func (d *Cache) publishView(next *view) {
	d.publishing.Lock()
	defer d.publishing.Unlock()

	if current := d.view.Load(); current != nil {
		age := next.asOf.Compare(current.asOf)
		if age < 0 || age == 0 && next.version < current.version {
			return
		}
	}

	d.view.Store(next)
}

// confirmView notes that the view was still right at a time, if it was; at is that time by
// the store's clock.
func (d *Cache) confirmView(version int64, asOf, at time.Time) bool {
	d.publishing.Lock()
	defer d.publishing.Unlock()

	current := d.view.Load()
	if current == nil || current.version != version {
		return false
	}

	if asOf.After(current.asOf) {
		d.view.Store(&view{index: current.index, asOf: asOf, at: at})
	}

	return true
}
