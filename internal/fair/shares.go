package fair

import (
	"context"
	"errors"
	"sync"
)

// ErrTooManyWaiting means that a caller already has as many waiting requests as one
// caller may have.
var ErrTooManyWaiting = errors.New("too many requests of this caller wait for their turn")

// Config bounds the slots that are held at once. Bounds below 1 count as 1.
type Config struct {
	// Slots is how many slots may be held at once.
	Slots int
	// HeavySlots is how many of the slots may be held for heavy work.
	HeavySlots int
	// PerCaller and HeavyPerCaller bound the same for one caller.
	PerCaller      int
	HeavyPerCaller int
	// MaxWaiting bounds the waiting requests of one caller.
	MaxWaiting int
}

// Shares grants slots. Waiting callers are served in turn, and the requests of one
// caller in the order of their arrival; light work overtakes heavy work that cannot
// begin. Its methods are safe for concurrent use.
type Shares struct {
	config Config

	mu      sync.Mutex
	held    slotCounts
	callers map[string]*caller
	// turns are the waiting callers, in the order in which they are served.
	turns []*caller
}

// slotCounts is how many slots are held.
type slotCounts struct{ all, heavy int }

func (l *slotCounts) addSlots(heavy bool, by int) {
	l.all += by
	if heavy {
		l.heavy += by
	}
}

// caller is a caller that holds slots or waits for them.
type caller struct {
	name    string
	held    slotCounts
	waiting []*request
}

// request waits for a slot.
type request struct {
	heavy   bool
	granted chan struct{}
}

// New makes shares with all slots free.
func New(config Config) *Shares {
	config.Slots = max(config.Slots, 1)
	config.HeavySlots = max(config.HeavySlots, 1)
	config.PerCaller = max(config.PerCaller, 1)
	config.HeavyPerCaller = max(config.HeavyPerCaller, 1)
	config.MaxWaiting = max(config.MaxWaiting, 1)
	return &Shares{config: config, callers: map[string]*caller{}}
}

// Acquire waits for a slot for a caller. The returned function releases the slot and is
// called once. Acquire returns ErrTooManyWaiting at once if too many requests wait
// already, and the error of ctx if ctx ends first.
func (s *Shares) Acquire(ctx context.Context, name string, heavy bool) (release func(), err error) {
	s.mu.Lock()
	c := s.callers[name]
	if c == nil {
		c = &caller{name: name}
		s.callers[name] = c
	}

	if len(c.waiting) >= s.config.MaxWaiting {
		s.mu.Unlock()
		return nil, ErrTooManyWaiting
	}

	r := &request{heavy: heavy, granted: make(chan struct{})}
	if len(c.waiting) == 0 {
		s.turns = append(s.turns, c)
	}

	c.waiting = append(c.waiting, r)
	s.grantSlots()
	s.mu.Unlock()

	select {
	case <-r.granted:
		return func() { s.releaseSlot(c, heavy) }, nil
	case <-ctx.Done():
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	select {
	case <-r.granted: // granted at the last moment
		s.releaseLocked(c, heavy)
	default:
		s.removeRequest(c, r)
	}

	return nil, ctx.Err()
}

func (s *Shares) releaseSlot(c *caller, heavy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.releaseLocked(c, heavy)
}

// releaseLocked releases a slot and grants it to a waiting request. The calling
// function holds the lock.
func (s *Shares) releaseLocked(c *caller, heavy bool) {
	s.held.addSlots(heavy, -1)
	c.held.addSlots(heavy, -1)
	s.grantSlots()
	s.forgetIdleCaller(c)
}

// removeRequest removes a request that no longer waits from its caller's list.
func (s *Shares) removeRequest(c *caller, r *request) {
	for i, one := range c.waiting {
		if one == r {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			break
		}
	}

	if len(c.waiting) == 0 {
		s.endTurn(c)
	}

	s.forgetIdleCaller(c)
}

func (s *Shares) endTurn(c *caller) {
	for i, one := range s.turns {
		if one == c {
			s.turns = append(s.turns[:i], s.turns[i+1:]...)
			return
		}
	}
}

// forgetIdleCaller drops a caller that holds nothing and waits for nothing.
func (s *Shares) forgetIdleCaller(c *caller) {
	if c.held.all == 0 && len(c.waiting) == 0 {
		delete(s.callers, c.name)
	}
}

// grantSlots grants free slots to the waiting callers, one to each caller in turn.
func (s *Shares) grantSlots() {
	for tried := 0; tried < len(s.turns) && s.held.all < s.config.Slots; {
		c := s.turns[0]
		s.turns = s.turns[1:]
		granted := s.grantOne(c)
		if len(c.waiting) > 0 {
			s.turns = append(s.turns, c)
		}

		if granted {
			tried = 0
		} else {
			tried++
		}
	}
}

// grantOne grants a slot to the first of a caller's requests that may begin, if there
// is one.
func (s *Shares) grantOne(c *caller) bool {
	if c.held.all >= s.config.PerCaller {
		return false
	}

	for i, r := range c.waiting {
		if r.heavy && (s.held.heavy >= s.config.HeavySlots || c.held.heavy >= s.config.HeavyPerCaller) {
			continue
		}

		c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
		s.held.addSlots(r.heavy, 1)
		c.held.addSlots(r.heavy, 1)
		close(r.granted)
		return true
	}

	return false
}

// callerKey is the key of a context's value for its caller.
type callerKey struct{}

// WithCaller returns a context that works on behalf of a caller.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

// CallerOf returns the caller on whose behalf a context works; "" is the service
// itself.
func CallerOf(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}
