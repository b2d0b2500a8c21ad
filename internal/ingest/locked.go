package ingest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// lockedLane commits the events of sessions whose rows somebody else holds locked, each
// session by itself, so that nobody else waits for that lock. A session comes here when
// a group has waited for its lock, and leaves when a commit of it has succeeded.
// Its methods are safe for concurrent use.
type lockedLane struct {
	mu sync.Mutex
	// waiting are the parts of each session that is here. An entry without parts is of
	// a session that is being committed.
	waiting map[uuid.UUID][]*queueEntry
	// turns are the sessions with parts, in the order in which they are tried.
	turns    []uuid.UUID
	closed   bool
	sessions atomic.Int64
	wake     chan struct{}
}

func newLockedLane() *lockedLane {
	return &lockedLane{waiting: map[uuid.UUID][]*queueEntry{}, wake: make(chan struct{}, 1)}
}

// isEmpty tells whether no session is here.
func (l *lockedLane) isEmpty() bool { return l.sessions.Load() == 0 }

// splitLocked tells apart the items that may go to a lane from those of sessions that are here.
// The items of an atomic request stay together.
func (l *lockedLane) splitLocked(items []Item, whole bool) (free []Item, held map[uuid.UUID][]Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range items {
		session := item.Envelope.Event.SessionID
		_, here := l.waiting[session]
		switch {
		case here && whole:
			return nil, map[uuid.UUID][]Item{session: items}
		case here:
			if held == nil {
				held = map[uuid.UUID][]Item{}
			}
			held[session] = append(held[session], item)
		default:
			free = append(free, item)
		}
	}
	return free, held
}

// enqueue adds a part of a session, which is here from now on. A part that comes after the
// lane was closed is told to send again.
func (l *lockedLane) enqueue(session uuid.UUID, p *queueEntry) {
	for i := range p.items {
		p.items[i].entry = p
	}

	l.mu.Lock()
	closed := l.closed
	if !closed {
		parts, here := l.waiting[session]
		if !here {
			l.sessions.Add(1)
		}
		if len(parts) == 0 {
			l.turns = append(l.turns, session)
		}
		l.waiting[session] = append(parts, p)
	}
	l.mu.Unlock()

	if closed {
		p.err = errStopped
		p.finish()
		return
	}
	l.wakeUp()
}

// dequeue returns the session whose turn it is and the parts to commit in one transaction.
// None and open means: wait for a signal.
func (l *lockedLane) dequeue(maxEvents int) (session uuid.UUID, parts []*queueEntry, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.turns) == 0 {
		return uuid.Nil, nil, !l.closed
	}

	session = l.turns[0]
	l.turns = l.turns[1:]
	waiting := l.waiting[session]
	n, events := 1, len(waiting[0].items) // an atomic part is a group of its own
	for ; !waiting[0].atomic && n < len(waiting) && !waiting[n].atomic; n++ {
		if events += len(waiting[n].items); events > maxEvents {
			break
		}
	}
	parts = slices.Clone(waiting[:n])
	l.waiting[session] = slices.Clone(waiting[n:])
	if n < len(waiting) {
		l.turns = append(l.turns, session)
	}
	return session, parts, true
}

// dropAbandoned lets go of the parts that nobody waits for any more, of all sessions: else
// they would take up room in the queue until it is their session's turn.
func (l *lockedLane) dropAbandoned() {
	var gone []*queueEntry
	l.mu.Lock()
	for session, parts := range l.waiting {
		kept := parts[:0:0]
		for _, p := range parts {
			if p.request.abandoned.Load() {
				gone = append(gone, p)
			} else {
				kept = append(kept, p)
			}
		}
		if len(kept) > 0 || len(parts) == 0 {
			l.waiting[session] = kept
			continue
		}
		delete(l.waiting, session)
		l.sessions.Add(-1)
		l.turns = slices.DeleteFunc(l.turns, func(id uuid.UUID) bool { return id == session })
	}
	l.mu.Unlock()

	for _, p := range gone {
		p.err = context.Canceled
		p.finish()
	}
}

// releaseSession lets a session go when nothing of it waits any more.
func (l *lockedLane) releaseSession(session uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if parts, here := l.waiting[session]; here && len(parts) == 0 {
		delete(l.waiting, session)
		l.sessions.Add(-1)
	}
}

// close makes the lane take nothing more. What is here is still tried.
func (l *lockedLane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wakeUp()
}

func (l *lockedLane) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // a signal is pending already
	}
}

// runLockedLane commits the sessions of the locked lane in turn until it is closed and empty.
func (c *Collector) runLockedLane(ctx context.Context) {
	tally := newGroupMetrics(c.deps.Metrics)
	for {
		c.lockedLane.dropAbandoned()
		session, parts, open := c.lockedLane.dequeue(c.config.GroupEvents)
		if len(parts) > 0 {
			c.commitLockedSession(ctx, tally, session, parts)
			continue
		}
		if !open {
			return
		}
		<-c.lockedLane.wake
	}
}

// commitLockedSession tries to commit what waits for one session. What is still locked comes back
// to the lane, behind the other sessions, until its requests have been answered.
func (c *Collector) commitLockedSession(ctx context.Context, tally *groupMetrics, session uuid.UUID, parts []*queueEntry) {
	items, live := make([]Item, 0, len(parts)), make([]*queueEntry, 0, len(parts))
	for _, p := range parts {
		if p.request.abandoned.Load() {
			p.err = context.Canceled // nobody waits for it any more
			continue
		}
		items, live = append(items, p.items...), append(live, p)
	}

	if len(items) > 0 {
		began := c.deps.Now()
		ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
		g := groupCommit{collector: c, id: newGroupID(began)}
		g.commitItems(ctx, items, live[0].atomic, c.lockedLaneWait())
		cancel()
		tally.countVerdicts(ctx, g.settledItems(items))
		c.moveToLockedLane(g.held)
	}

	for _, p := range parts {
		p.finish()
	}
	c.lockedLane.releaseSession(session)
}

// lockedLaneWait is how long a commit of the locked lane waits for its lock: long enough for
// another replica's transaction to end, and short enough for the other sessions here.
func (c *Collector) lockedLaneWait() time.Duration {
	const longest = time.Second
	return min(max(2*c.rates.commitDuration(), briefLockWait), longest).Round(briefLockWait)
}

// moveToLockedLane hands items that wait for a lock over to the locked lane. Their requests wait
// on for them, and for nothing else.
func (c *Collector) moveToLockedLane(held []Item) {
	shares := map[*queueEntry][]Item{}
	for _, item := range held {
		shares[item.entry] = append(shares[item.entry], item)
	}
	for p, items := range shares {
		bySession := map[uuid.UUID][]Item{}
		for _, item := range items {
			session := item.Envelope.Event.SessionID
			if p.atomic {
				session = items[0].Envelope.Event.SessionID
			}
			bySession[session] = append(bySession[session], item)
		}
		for session, share := range bySession {
			p.request.openEntries.Add(1)
			c.lockedLane.enqueue(session, &queueEntry{request: p.request, items: share, atomic: p.atomic})
		}
	}
}
