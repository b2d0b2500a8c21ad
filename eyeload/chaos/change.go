package chaos

import (
	"time"

	"github.com/google/uuid"
)

// The codes with which the API refuses what was erased.
const (
	codeEventErased   = "event_erased"
	codeSessionErased = "session_erased"
)

// change is what an administrator asked for of a stored event.
type change struct {
	// requestedRevision is the revision that was asked for last.
	requestedRevision uint8
	// pending tells that nobody knows whether that was done.
	pending bool
	// erasing tells that the event is to be erased, and erased since when it is.
	erasing bool
	erased  time.Time
}

// erasure is that of a session.
type erasure struct {
	pending bool
	erased  time.Time
}

// mayChange tells whether an administrator may change an event: somebody was told that
// it is stored, and nobody is at it.
func (b *oracle) mayChange(index uint64) bool {
	known, _ := b.journal.VerdictOf(index)
	c := b.changes[index]
	return known.Acknowledged() && !isAhead(index) && (c == nil || !c.pending) && !b.mayBeErasedLocked(index)
}

// beginEdit notes that an event is about to be edited, and tells to which revision.
func (b *oracle) beginEdit(index uint64) (revision uint8, begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if !b.mayChange(index) {
		return 0, false
	}

	c := b.changes[index]
	if c == nil {
		c = &change{}
		b.changes[index] = c
	}

	const last = 255
	if c.requestedRevision == last {
		return 0, false
	}

	c.requestedRevision, c.pending = c.requestedRevision+1, true
	return c.requestedRevision, true
}

// recordEdit notes that the last edit was made.
func (b *oracle) recordEdit(index uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()

	c := b.changes[index]
	c.pending = false
	b.journal.RecordEdit(index, c.requestedRevision)
	b.tally.edits++
}

// beginErasure notes that an event is about to be erased.
func (b *oracle) beginErasure(index uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	if !b.mayChange(index) {
		return false
	}

	c := b.changes[index]
	if c == nil {
		c = &change{}
		b.changes[index] = c
	}

	c.erasing, c.pending = true, true
	return true
}

// recordErasure notes that an event is erased.
func (b *oracle) recordErasure(index uint64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	c := b.changes[index]
	c.pending, c.erased = false, now
	b.journal.RecordErasure(index)
	b.tally.erased++
}

// beginSessionErasure notes that the session of an event is about to be erased.
func (b *oracle) beginSessionErasure(index uint64) (session uuid.UUID, begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	session = b.source.session(index)
	if b.erasures[session] != nil || !b.mayChange(index) {
		return session, false
	}

	b.erasures[session] = &erasure{pending: true}
	return session, true
}

// recordSessionErasure notes that a session is erased.
func (b *oracle) recordSessionErasure(session uuid.UUID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	e := b.erasures[session]
	e.pending, e.erased = false, now
	b.journal.RecordSessionErasure(session)
	b.tally.erased++
}

// mayBeErasedLocked tells whether somebody asked to erase an event or its session. The caller
// holds the lock.
func (b *oracle) mayBeErasedLocked(index uint64) bool {
	if c := b.changes[index]; c != nil && c.erasing {
		return true
	}

	return len(b.erasures) > 0 && b.erasures[b.source.session(index)] != nil
}

// erasedBefore tells whether an event or its session was erased before a time. The caller
// holds the lock.
func (b *oracle) erasedBefore(index uint64, at time.Time) bool {
	before := func(erased time.Time) bool { return !erased.IsZero() && erased.Before(at) }
	if c := b.changes[index]; c != nil && before(c.erased) {
		return true
	}

	e := b.erasures[b.source.session(index)]
	return e != nil && before(e.erased)
}

// mayBeErased is mayBeGone for those who do not hold the lock.
func (b *oracle) mayBeErased(index uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.mayBeErasedLocked(index)
}

// pendingChanges returns what was asked for and of which nobody knows whether it was done.
func (b *oracle) pendingChanges() (edits, erasures []uint64, sessions []uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()

	for index, c := range b.changes {
		switch {
		case c.pending && c.erasing:
			erasures = append(erasures, index)
		case c.pending:
			edits = append(edits, index)
		}
	}

	for session, e := range b.erasures {
		if e.pending {
			sessions = append(sessions, session)
		}
	}

	return edits, erasures, sessions
}

// requestedRevision is the revision of an event that was asked for last.
func (b *oracle) requestedRevision(index uint64) uint8 {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.changes[index].requestedRevision
}
