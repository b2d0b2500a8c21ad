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
	// asked is the revision that was asked for last.
	asked uint8
	// open tells that nobody knows whether that was done.
	open bool
	// erasing tells that the event is to be erased, and erased since when it is.
	erasing bool
	erased  time.Time
}

// erasure is that of a session.
type erasure struct {
	open   bool
	erased time.Time
}

// changeable tells whether an administrator may change an event: somebody was told that
// it is stored, and nobody is at it.
func (b *book) changeable(index uint64) bool {
	known, _ := b.ledger.Known(index)
	c := b.changes[index]
	return known.Acknowledged() && !isAhead(index) && (c == nil || !c.open) && !b.mayBeGone(index)
}

// beginEdit notes that an event is about to be edited, and tells to which revision.
func (b *book) beginEdit(index uint64) (revision uint8, begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.changeable(index) {
		return 0, false
	}
	c := b.changes[index]
	if c == nil {
		c = &change{}
		b.changes[index] = c
	}
	const last = 255
	if c.asked == last {
		return 0, false
	}
	c.asked, c.open = c.asked+1, true
	return c.asked, true
}

// edited notes that the last edit was made.
func (b *book) edited(index uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.changes[index]
	c.open = false
	b.ledger.Edited(index, c.asked)
	b.tally.edits++
}

// beginErasure notes that an event is about to be erased.
func (b *book) beginErasure(index uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.changeable(index) {
		return false
	}
	c := b.changes[index]
	if c == nil {
		c = &change{}
		b.changes[index] = c
	}
	c.erasing, c.open = true, true
	return true
}

// gone notes that an event is erased.
func (b *book) gone(index uint64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.changes[index]
	c.open, c.erased = false, now
	b.ledger.Erased(index)
	b.tally.erased++
}

// beginSessionErasure notes that the session of an event is about to be erased.
func (b *book) beginSessionErasure(index uint64) (session uuid.UUID, begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	session = b.source.session(index)
	if b.erasures[session] != nil || !b.changeable(index) {
		return session, false
	}
	b.erasures[session] = &erasure{open: true}
	return session, true
}

// sessionGone notes that a session is erased.
func (b *book) sessionGone(session uuid.UUID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.erasures[session]
	e.open, e.erased = false, now
	b.ledger.SessionErased(session)
	b.tally.erased++
}

// mayBeGone tells whether somebody asked to erase an event or its session. The caller
// holds the lock.
func (b *book) mayBeGone(index uint64) bool {
	if c := b.changes[index]; c != nil && c.erasing {
		return true
	}
	return len(b.erasures) > 0 && b.erasures[b.source.session(index)] != nil
}

// goneBefore tells whether an event or its session was erased before a time. The caller
// holds the lock.
func (b *book) goneBefore(index uint64, at time.Time) bool {
	before := func(erased time.Time) bool { return !erased.IsZero() && erased.Before(at) }
	if c := b.changes[index]; c != nil && before(c.erased) {
		return true
	}
	e := b.erasures[b.source.session(index)]
	return e != nil && before(e.erased)
}

// maybeGone is mayBeGone for those who do not hold the lock.
func (b *book) maybeGone(index uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mayBeGone(index)
}

// openChanges returns what was asked for and of which nobody knows whether it was done.
func (b *book) openChanges() (edits, erasures []uint64, sessions []uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for index, c := range b.changes {
		switch {
		case c.open && c.erasing:
			erasures = append(erasures, index)
		case c.open:
			edits = append(edits, index)
		}
	}
	for session, e := range b.erasures {
		if e.open {
			sessions = append(sessions, session)
		}
	}
	return edits, erasures, sessions
}

// revisionAsked is the revision of an event that was asked for last.
func (b *book) revisionAsked(index uint64) uint8 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes[index].asked
}
