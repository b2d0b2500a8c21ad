package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Status is what became of one event.
type Status string

// The statuses of a verdict, as they stand in an answer.
const (
	// Stored: durable, in its place in its session, seen by every query.
	Stored Status = "stored"
	// Duplicate: the same event with the same content was stored before.
	Duplicate Status = "duplicate"
	// Conflict: the same event id was stored before with other content.
	Conflict Status = "conflict"
	// Rejected: not valid, or refused.
	Rejected Status = "rejected"
	// NotStored: valid, but part of an atomic batch in which another was refused.
	NotStored Status = "not_stored"
	// Valid: would be stored; only a dry run gives it.
	Valid Status = "valid"
)

// Verdict says what became of one event.
type Verdict struct {
	Status  Status
	EventID uuid.UUID
	// Sequence is the event's place in its session when it is Stored or Duplicate.
	Sequence int64
	// Violations say why it was refused.
	Violations []fault.Violation
	// ErrorID names the kept refusal. It is uuid.Nil when the refusal was only counted.
	ErrorID uuid.UUID
	// TypeVersion is the version of the event type that judged the event; 0 when there
	// is none, and for a Duplicate or a Conflict, which was judged before.
	TypeVersion int32
}

// IsRejected tells whether the event was refused for a reason of its own.
func (v *Verdict) IsRejected() bool { return v.Status == Rejected || v.Status == Conflict }

// Request is what one client sent at once.
type Request struct {
	// ID is the request's id; it is kept with refusals.
	ID          string
	Application event.ApplicationID
	// ApplicationName is what it is counted under.
	ApplicationName string
	// TraceID is the W3C trace id; it is kept with events and refusals.
	TraceID uuid.UUID
	// Span is the request's; nil unless it is sampled.
	Span       trace.Span
	ReceivedAt time.Time
	// ValidatedAfter is how long after ReceivedAt the envelopes were judged; Submit sets it.
	ValidatedAfter time.Duration
	Envelopes      []event.Envelope
	// Atomic asks for all or none.
	Atomic bool
	// Replay tells that it is a refusal that is sent through again. If it is refused
	// again it is not kept anew.
	Replay bool
}

// Types judges events by their types. The eventtype package implements it.
type Types interface {
	// Judge judges the envelopes of one request by the same state of the registry: it
	// refuses those that violate their type, notes what is only observed, and takes out
	// what a type says must not be kept. It returns a fault of kind Unavailable when
	// it does not know of recent changes.
	// kept tells that they were kept before, as refusals that are replayed were.
	Judge(envelopes []event.Envelope, kept bool) error
}

// Item is one envelope on its way through a group.
type Item struct {
	Request  *Request
	Envelope *event.Envelope
	// Verdict is filled by the Store. An item whose envelope was refused comes with
	// the ErrorID to keep it under.
	Verdict *Verdict
	entry   *queueEntry
}

// Group is what one transaction commits.
type Group struct {
	// ID is kept with the events.
	ID GroupID
	// Items in the order of arrival, those of one request by timestamp. A session's
	// sequence follows this order.
	Items []Item
	// Atomic groups hold a single request and are stored whole or not at all.
	Atomic bool
	// LockWait bounds how long the transaction waits for a lock; 0 is the store's own bound.
	LockWait time.Duration
}

// ErrNotStorable tells that the store refused the data of a group, not the
// attempt: the group was rolled back, and trying it again as it is cannot help.
var ErrNotStorable = errors.New("the store refuses the data")

// ErrRejectedByDatabase tells that a trigger or a constraint of the database that is not the
// service's refused something in a group. The group was rolled back. It is no fault of the
// event, which can be stored once an operator has removed the cause.
var ErrRejectedByDatabase = errors.New("the database refuses an event for a reason that is not the service's")

// ErrUnsafeDatabase tells that the database could lose what it commits, so that nothing was
// stored.
var ErrUnsafeDatabase = errors.New("the database could lose what it commits")

// LockedError tells that somebody else holds a lock that a group needs, and did not let go
// of it in the time that the group waits. Nothing was stored.
type LockedError struct {
	// Sessions are those whose rows are locked. None means that it is not known which
	// item needs the lock.
	Sessions map[uuid.UUID]bool
	// Err is what the database said.
	Err error
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("waiting for a lock (%d sessions are locked): %v", len(e.Sessions), e.Err)
}

// Unwrap returns what the database said.
func (e *LockedError) Unwrap() error { return e.Err }

// ErrAtomicRejected tells that an atomic group was rolled back because of the items
// whose verdicts say Conflict or Rejected.
var ErrAtomicRejected = errors.New("an atomic group holds a refused event")

// Store keeps groups. The postgres package implements it.
type Store interface {
	// Commit stores a group in one transaction and fills the verdict of every item:
	// events get their sequence, refusals are kept. It returns after the commit, and
	// is safe for concurrent use. ErrNotStorable and ErrAtomicRefused mean that
	// nothing was stored; any other error means that the outcome may be unknown and
	// the same ids can be sent again.
	Commit(ctx context.Context, group *Group) error
	// DryRun fills the verdicts that a Commit would give now, Valid in the place of
	// Stored, and stores nothing.
	DryRun(ctx context.Context, group *Group) error
}
