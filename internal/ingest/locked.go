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
	waiting map[uuid.UUID][]*part
	// turns are the sessions with parts, in the order in which they are tried.
	turns    []uuid.UUID
	closed   bool
	sessions atomic.Int64
	wake     chan struct{}
}

func newLockedLane() *lockedLane {
	return &lockedLane{waiting: map[uuid.UUID][]*part{}, wake: make(chan struct{}, 1)}
}

// empty tells whether no session is here.
func (l *lockedLane) empty() bool { return l.sessions.Load() == 0 }

// divide tells apart the items that may go to a lane from those of sessions that are here.
// The items of an atomic request stay together.
func (l *lockedLane) divide(items []Item, whole bool) (free []Item, held map[uuid.UUID][]Item) {
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

// push adds a part of a session, which is here from now on. A part that comes after the
// lane was closed is told to send again.
func (l *lockedLane) push(session uuid.UUID, p *part) {
	for i := range p.items {
		p.items[i].part = p
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
	l.signal()
}

// next returns the session whose turn it is and the parts to commit in one transaction.
// None and open means: wait for a signal.
func (l *lockedLane) next(maxEvents int) (session uuid.UUID, parts []*part, open bool) {
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
	var gone []*part
	l.mu.Lock()
	for session, parts := range l.waiting {
		kept := parts[:0:0]
		for _, p := range parts {
			if p.waiting.abandoned.Load() {
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

// leave lets a session go when nothing of it waits any more.
func (l *lockedLane) leave(session uuid.UUID) {
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
	l.signal()
}

func (l *lockedLane) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // a signal is pending already
	}
}

// runLocked commits the sessions of the locked lane in turn until it is closed and empty.
func (c *Collector) runLocked(ctx context.Context) {
	tally := newTally(c.deps.Metrics)
	for {
		c.locked.dropAbandoned()
		session, parts, open := c.locked.next(c.config.GroupEvents)
		if len(parts) > 0 {
			c.flushLocked(ctx, tally, session, parts)
			continue
		}
		if !open {
			return
		}
		<-c.locked.wake
	}
}

// flushLocked tries to commit what waits for one session. What is still locked comes back
// to the lane, behind the other sessions, until its requests have been answered.
func (c *Collector) flushLocked(ctx context.Context, tally *tally, session uuid.UUID, parts []*part) {
	items, live := make([]Item, 0, len(parts)), make([]*part, 0, len(parts))
	for _, p := range parts {
		if p.waiting.abandoned.Load() {
			p.err = context.Canceled // nobody waits for it any more
			continue
		}
		items, live = append(items, p.items...), append(live, p)
	}

	if len(items) > 0 {
		began := c.deps.Now()
		ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
		g := groupCommit{collector: c, id: newGroupID(began)}
		g.commit(ctx, items, live[0].atomic, c.lockedWait())
		cancel()
		tally.count(ctx, g.settled(items))
		c.setAside(g.held)
	}

	for _, p := range parts {
		p.finish()
	}
	c.locked.leave(session)
}

// lockedWait is how long a commit of the locked lane waits for its lock: long enough for
// another replica's transaction to end, and short enough for the other sessions here.
func (c *Collector) lockedWait() time.Duration {
	const longest = time.Second
	return min(max(2*c.pace.commit(), briefLockWait), longest).Round(briefLockWait)
}

// setAside hands items that wait for a lock over to the locked lane. Their requests wait
// on for them, and for nothing else.
func (c *Collector) setAside(held []Item) {
	shares := map[*part][]Item{}
	for _, item := range held {
		shares[item.part] = append(shares[item.part], item)
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
			p.waiting.parts.Add(1)
			c.locked.push(session, &part{waiting: p.waiting, items: share, atomic: p.atomic})
		}
	}
}
