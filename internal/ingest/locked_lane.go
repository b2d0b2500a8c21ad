package ingest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// lockedLane commits the events of sessions whose rows another transaction has locked, each
// session by itself, so that no other session waits for that lock. A session comes here when
// a group has waited for its lock, and leaves when a commit of it has succeeded.
// Its methods are safe for concurrent use.
type lockedLane struct {
	wake     signal
	sessions atomic.Int64

	mu sync.Mutex
	// waiting are the entries of each session that is here. No entries means that the
	// session is being committed.
	waiting map[uuid.UUID][]*queueEntry
	// turns are the sessions with entries, in the order in which they are tried.
	turns  []uuid.UUID
	closed bool
}

func newLockedLane() *lockedLane {
	return &lockedLane{wake: newSignal(), waiting: map[uuid.UUID][]*queueEntry{}}
}

// isEmpty reports whether no session is here.
func (l *lockedLane) isEmpty() bool { return l.sessions.Load() == 0 }

// splitLocked separates the items that may go to a lane from those of sessions that are here.
// The items of an atomic request stay together.
func (l *lockedLane) splitLocked(items []Item, atomic bool) (free []Item, locked map[uuid.UUID][]Item) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for _, item := range items {
		session := item.Envelope.Event.SessionID
		_, here := l.waiting[session]
		switch {
		case here && atomic:
			return nil, map[uuid.UUID][]Item{session: items}
		case here:
			if locked == nil {
				locked = map[uuid.UUID][]Item{}
			}

			locked[session] = append(locked[session], item)
		default:
			free = append(free, item)
		}
	}

	return free, locked
}

// push adds an entry of a session, which is here from now on, unless the lane is closed.
func (l *lockedLane) push(session uuid.UUID, entry *queueEntry) (open bool) {
	l.mu.Lock()
	open = !l.closed
	if open {
		entries, here := l.waiting[session]
		if !here {
			l.sessions.Add(1)
		}

		if len(entries) == 0 {
			l.turns = append(l.turns, session)
		}

		l.waiting[session] = append(entries, entry)
	}

	l.mu.Unlock()

	l.wake.send()

	return open
}

// dequeue returns the session whose turn it is and the entries to commit in one transaction.
// None and open means: wait for a signal.
func (l *lockedLane) dequeue(maxEvents int) (session uuid.UUID, entries []*queueEntry, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if len(l.turns) == 0 {
		return uuid.Nil, nil, !l.closed
	}

	session = l.turns[0]
	l.turns = l.turns[1:]
	waiting := l.waiting[session]
	n := 1
	events := len(waiting[0].items)
	if !waiting[0].pending.atomic { // an atomic entry is a group of its own
		for ; n < len(waiting) && !waiting[n].pending.atomic; n++ {
			if events += len(waiting[n].items); events > maxEvents {
				break
			}
		}
	}

	entries = slices.Clone(waiting[:n])
	l.waiting[session] = slices.Clone(waiting[n:])
	if n < len(waiting) {
		l.turns = append(l.turns, session)
	}

	return session, entries, true
}

// removeAbandoned removes the entries that no sender waits for any more, of all sessions:
// they would take up room in the queue until it is their session's turn.
func (l *lockedLane) removeAbandoned() (removed []*queueEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for session, entries := range l.waiting {
		left := entries[:0:0]
		for _, entry := range entries {
			if entry.pending.abandoned.Load() {
				removed = append(removed, entry)
			} else {
				left = append(left, entry)
			}
		}

		if len(left) > 0 || len(entries) == 0 {
			l.waiting[session] = left
			continue
		}

		delete(l.waiting, session)
		l.sessions.Add(-1)
		l.turns = slices.DeleteFunc(l.turns, func(id uuid.UUID) bool { return id == session })
	}

	return removed
}

// releaseSession lets a session leave when nothing of it waits any more.
func (l *lockedLane) releaseSession(session uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if entries, here := l.waiting[session]; here && len(entries) == 0 {
		delete(l.waiting, session)
		l.sessions.Add(-1)
	}
}

// close stops the lane from accepting entries. What is here is still tried.
func (l *lockedLane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()

	l.wake.send()
}

// enqueueLocked puts an entry into the locked lane.
func (c *Collector) enqueueLocked(session uuid.UUID, entry *queueEntry) {
	entry.pending.openEntries.Add(1)
	if !c.lockedLane.push(session, entry) {
		c.finishEntry(entry.pending, errStopped)
	}
}

// moveHeldToLockedLane makes new entries of the held items. Their requests wait on for these.
func (g *groupCommit) moveHeldToLockedLane() {
	if len(g.held) == 0 {
		return
	}

	held := map[*Request][]Item{}
	for _, item := range g.held {
		held[item.Request] = append(held[item.Request], item)
	}

	for _, entry := range g.entries {
		bySession := map[uuid.UUID][]Item{}
		items := held[entry.pending.request]
		for _, item := range items {
			session := item.Envelope.Event.SessionID
			if entry.pending.atomic {
				session = items[0].Envelope.Event.SessionID
			}

			bySession[session] = append(bySession[session], item)
		}

		for session, items := range bySession {
			g.collector.enqueueLocked(session, &queueEntry{pending: entry.pending, items: items})
		}
	}
}

// runLockedLane commits the sessions of the locked lane in turn until it is closed and empty.
func (c *Collector) runLockedLane(ctx context.Context) {
	metrics := newGroupMetrics(c.deps.Metrics)
	for {
		for _, entry := range c.lockedLane.removeAbandoned() {
			c.finishEntry(entry.pending, context.Canceled)
		}

		session, entries, open := c.lockedLane.dequeue(c.config.GroupEvents)
		if len(entries) > 0 {
			c.commitLockedSession(ctx, metrics, session, entries)
			continue
		}

		if !open {
			return
		}

		<-c.lockedLane.wake
	}
}

// commitLockedSession tries to commit what waits for one session. What is still locked comes
// back to the lane, behind the other sessions, until its requests have been answered. Its duration
// is that of a lock, so that it counts neither as a pace of commits nor as a stage of a trace.
func (c *Collector) commitLockedSession(ctx context.Context, metrics *groupMetrics, session uuid.UUID, entries []*queueEntry) {
	if g := c.newGroup(entries); len(g.items) > 0 {
		ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
		defer cancel()

		g.commitItems(ctx, g.items, g.entries[0].pending.atomic, c.lockedLaneWait())
		metrics.countVerdicts(ctx, g.committedItems())
		g.finish()
	}

	c.lockedLane.releaseSession(session)
}

// lockedLaneWait is how long a commit of the locked lane waits for its lock: long enough for
// another replica's transaction to end, and short enough for the other sessions here.
func (c *Collector) lockedLaneWait() time.Duration {
	const longest = time.Second

	return min(max(2*c.rates.commitDuration(), briefLockWait), longest).Round(briefLockWait)
}
