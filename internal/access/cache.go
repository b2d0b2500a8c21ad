package access

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// The defaults of Config.
const (
	DefaultRefresh = time.Second
	DefaultMaxAge  = 4500 * time.Millisecond
)

// snapshotTimeout bounds a read of everything. It is short, so that a store that comes back
// after an outage is noticed within a second or two.
const snapshotTimeout = 2 * time.Second

// Config says how fresh a Cache is.
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

// Deps are what a Cache works with.
type Deps struct {
	Store  Store
	Logger *zap.Logger
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
}

// Cache knows all applications and keys and answers without a question to the store. Its
// follower refreshes it. It is safe for concurrent use.
type Cache struct {
	*background.Follower[index]

	config   Config
	deps     Deps
	counters counters
}

// One answer for all, so that it never tells which keys exist.
var errUnauthorized = fault.New(fault.Unauthenticated, fault.CodeUnauthorized,
	"a valid key is required: Authorization: Bearer KEY")

// NewCache makes a cache that knows nothing until Start or Refresh.
func NewCache(config Config, deps Deps) *Cache {
	if config.Refresh <= 0 {
		config.Refresh = DefaultRefresh
	}

	if config.MaxAge <= 0 {
		config.MaxAge = DefaultMaxAge
	}

	c := &Cache{config: config, deps: deps}
	c.Follower = background.NewFollower(background.FollowerConfig[index]{
		ReadVersion: deps.Store.ReadVersion,
		ReadContent: c.readIndex,
		Interval:    config.Refresh,
		ReadTimeout: snapshotTimeout,
		MaxAge:      config.MaxAge,
		Now:         deps.Now,
		Lost:        c.logLost,
		Found:       c.logFound,
	})

	return c
}

// readIndex reads everything from the store.
func (c *Cache) readIndex(ctx context.Context, _ *index) (background.Snapshot[index], error) {
	snapshot, err := c.deps.Store.ReadSnapshot(ctx)
	if err != nil {
		return background.Snapshot[index]{}, err
	}

	return background.Snapshot[index]{Content: newIndex(&snapshot), Version: snapshot.Version, At: snapshot.At}, nil
}

func (c *Cache) logLost(err error) {
	c.deps.Logger.Warn("applications and keys cannot be read; requests fail once the cache is too old",
		zap.Duration("max_age", c.config.MaxAge), zap.Error(err))
}

func (c *Cache) logFound(bool) {
	latest := c.Latest()
	c.deps.Logger.Info("applications and keys are read",
		zap.Int("applications", latest.Content.applications),
		zap.Int("keys", len(latest.Content.keys)),
		zap.Int64("access_version", latest.Version))
}

// Authenticate returns who has the key with this text. An unknown, expired or
// revoked key and one of a disabled application are the same Unauthenticated fault.
// When the store has been away for longer than MaxAge, no key can be trusted, and
// the fault is Unavailable.
func (c *Cache) Authenticate(text string) (*Caller, error) {
	id, hash, ok := ParseKey(text)
	if !ok {
		c.counters.rejected.Add(1)
		return nil, errUnauthorized
	}

	now := c.deps.Now()
	latest := c.Latest()
	if err := c.checkFresh(latest, now); err != nil {
		c.counters.unavailable.Add(1)
		return nil, err
	}

	if caller := latest.Content.findCaller(id, &hash, storeTime(latest, now)); caller != nil {
		c.counters.accepted.Add(1)
		return caller, nil
	}

	c.counters.rejected.Add(1)
	return nil, errUnauthorized
}

// OriginAllowed tells whether any enabled application allows a web origin. It is
// for preflights, which come without a key and give nothing away, so it answers
// from what it knows, however old.
func (c *Cache) OriginAllowed(origin string) bool {
	latest := c.Latest()
	if latest == nil || origin == "" {
		return false
	}

	_, allowed := latest.Content.origins[origin]

	return allowed || latest.Content.anyOrigin
}

// Ready returns nil when keys can be checked, or else the fault that every caller
// gets.
func (c *Cache) Ready() error {
	return c.checkFresh(c.Latest(), c.deps.Now())
}

func (c *Cache) checkFresh(latest *background.Snapshot[index], now time.Time) error {
	if c.IsFresh(latest, now) {
		return nil
	}

	return fault.NewUnavailable(nil, fault.CodeUnavailable,
		"keys cannot be checked while the database is unreachable; try again later", c.config.Refresh)
}
