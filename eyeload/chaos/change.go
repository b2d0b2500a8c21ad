package chaos

import (
	"time"

	"github.com/google/uuid"
)

// The codes with which the API rejects erased events.
const (
	codeEventErased   = "event_erased"
	codeSessionErased = "session_erased"
)

// change is the latest change of a stored event that an administrator requested.
type change struct {
	// requestedRevision is the revision that was requested last.
	requestedRevision uint8
	// pending is true until the result of the request is known.
	pending bool
	// erasing is true when the erasure of the event was requested. erased is the time at which
	// it was done.
	erasing bool
	erased  time.Time
}

// erasure is the erasure of a session.
type erasure struct {
	pending bool
	erased  time.Time
}

// mayChange reports whether an administrator may change an event: it was acknowledged, and no
// change of it is pending.
func (o *oracle) mayChange(index uint64) bool {
	known, _ := o.journal.VerdictOf(index)
	c := o.changes[index]
	return known.Acknowledged() && !isAhead(index) && (c == nil || !c.pending) && !o.mayBeErasedLocked(index)
}

// beginEdit records that an event is about to be edited, and returns the new revision.
func (o *oracle) beginEdit(index uint64) (revision uint8, begun bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if !o.mayChange(index) {
		return 0, false
	}

	c := o.changes[index]
	if c == nil {
		c = &change{}
		o.changes[index] = c
	}

	const last = 255
	if c.requestedRevision == last {
		return 0, false
	}

	c.requestedRevision++
	c.pending = true

	return c.requestedRevision, true
}

// recordEdit records that the last edit was made.
func (o *oracle) recordEdit(index uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()

	c := o.changes[index]
	c.pending = false
	o.journal.RecordEdit(index, c.requestedRevision)
	o.tally.edits++
}

// beginErasure records that an event is about to be erased.
func (o *oracle) beginErasure(index uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()

	if !o.mayChange(index) {
		return false
	}

	c := o.changes[index]
	if c == nil {
		c = &change{}
		o.changes[index] = c
	}

	c.erasing = true
	c.pending = true

	return true
}

// recordErasure records that an event is erased.
func (o *oracle) recordErasure(index uint64, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()

	c := o.changes[index]
	c.pending = false
	c.erased = now
	o.journal.RecordErasure(index)
	o.tally.erased++
}

// beginSessionErasure records that the session of an event is about to be erased.
func (o *oracle) beginSessionErasure(index uint64) (session uuid.UUID, begun bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	session = o.source.session(index)
	if o.erasures[session] != nil || !o.mayChange(index) {
		return session, false
	}

	o.erasures[session] = &erasure{pending: true}

	return session, true
}

// recordSessionErasure records that a session is erased.
func (o *oracle) recordSessionErasure(session uuid.UUID, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()

	e := o.erasures[session]
	e.pending = false
	e.erased = now
	o.journal.RecordSessionErasure(session)
	o.tally.erased++
}

// mayBeErasedLocked reports whether the erasure of an event or of its session was requested.
// The caller holds the lock.
func (o *oracle) mayBeErasedLocked(index uint64) bool {
	if c := o.changes[index]; c != nil && c.erasing {
		return true
	}

	return len(o.erasures) > 0 && o.erasures[o.source.session(index)] != nil
}

// erasedBefore reports whether an event or its session was erased before a time. The caller
// holds the lock.
func (o *oracle) erasedBefore(index uint64, at time.Time) bool {
	before := func(erased time.Time) bool { return !erased.IsZero() && erased.Before(at) }
	if c := o.changes[index]; c != nil && before(c.erased) {
		return true
	}

	e := o.erasures[o.source.session(index)]

	return e != nil && before(e.erased)
}

// mayBeErased is mayBeErasedLocked for callers that do not hold the lock.
func (o *oracle) mayBeErased(index uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.mayBeErasedLocked(index)
}

// pendingChanges returns the requested changes whose result is unknown.
func (o *oracle) pendingChanges() (edits, erasures []uint64, sessions []uuid.UUID) {
	o.mu.Lock()
	defer o.mu.Unlock()

	for index, c := range o.changes {
		switch {
		case c.pending && c.erasing:
			erasures = append(erasures, index)
		case c.pending:
			edits = append(edits, index)
		}
	}

	for session, e := range o.erasures {
		if e.pending {
			sessions = append(sessions, session)
		}
	}

	return edits, erasures, sessions
}

// requestedRevision returns the revision of an event that was requested last.
func (o *oracle) requestedRevision(index uint64) uint8 {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.changes[index].requestedRevision
}
