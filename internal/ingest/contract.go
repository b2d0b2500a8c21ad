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

// Request is what one client sent at once.
type Request struct {
	// ID is the request's id; it is recorded with rejections.
	ID          string
	Application event.ApplicationID
	// ApplicationName labels the metrics.
	ApplicationName string
	// TraceID is the W3C trace id; it is stored with events and rejections.
	TraceID uuid.UUID
	// Span is the request's; nil unless it is sampled.
	Span       trace.Span
	ReceivedAt time.Time
	// ValidatedAfter is how long after ReceivedAt the envelopes were validated; Submit sets it.
	ValidatedAfter time.Duration
	Envelopes      []event.Envelope
	// Atomic asks for all or none.
	Atomic bool
	// RegisteredOnly rejects events of unregistered types, whatever the setting.
	RegisteredOnly bool
	// Replay means that the request is a recorded rejection. If it is rejected again, it is
	// not recorded a second time.
	Replay bool
}

// Status is the outcome of one event.
type Status string

// The statuses of a verdict, as they stand in an answer.
const (
	// Stored: durable, in its place in its session, seen by every query.
	Stored Status = "stored"
	// Duplicate: the same event with the same content was stored before.
	Duplicate Status = "duplicate"
	// Conflict: the same event id was stored before with other content.
	Conflict Status = "conflict"
	// Rejected: not valid, or not allowed by its event type.
	Rejected Status = "rejected"
	// NotStored: valid, but part of an atomic batch in which another was rejected.
	NotStored Status = "not_stored"
	// Valid: would be stored; only a dry run gives it.
	Valid Status = "valid"
)

// Verdict is the final outcome of one event.
type Verdict struct {
	Status  Status
	EventID uuid.UUID
	// Sequence is the event's place in its session when it is Stored or Duplicate.
	Sequence int64
	// Violations say why it was rejected.
	Violations []fault.Violation
	// ErrorID names the recorded rejection; uuid.Nil when the rejection was only counted.
	ErrorID uuid.UUID
	// TypeVersion is the version of the event type that validated the event; 0 when there
	// is none, and for a Duplicate or a Conflict, which was validated before.
	TypeVersion int32
}

// IsRejected reports whether the event was rejected for a reason of its own.
func (v *Verdict) IsRejected() bool { return v.Status == Rejected || v.Status == Conflict }

// Types validates payloads by their event types. The eventtype package implements it.
type Types interface {
	// ValidatePayloads validates the envelopes of one request by the same state of the registry: it
	// rejects those that violate their type, notes what is only observed, and redacts what
	// a type says must not be kept. replay means that they were redacted before. It returns
	// a fault of kind Unavailable when the state may be out of date.
	ValidatePayloads(envelopes []event.Envelope, replay bool) error
	// ValidateRegistered is ValidatePayloads, and rejects events of unregistered types.
	ValidateRegistered(envelopes []event.Envelope) error
}

// Item is one envelope on its way through a group.
type Item struct {
	Request  *Request
	Envelope *event.Envelope
	// Verdict is filled by the Store. An item whose envelope was rejected comes with
	// the ErrorID to record it under.
	Verdict *Verdict
}

// Group is what one transaction commits.
type Group struct {
	// ID is stored with the events.
	ID GroupID
	// Items in the order of arrival, those of one request by timestamp. A session's
	// sequence follows this order.
	Items []Item
	// Atomic groups hold a single request and are stored together or not at all.
	Atomic bool
	// LockWait bounds how long the transaction waits for a lock; 0 is the store's own bound.
	LockWait time.Duration
}

// Store stores groups. The postgres package implements it.
type Store interface {
	// Commit stores a group in one transaction and fills the verdict of every item:
	// events get their sequence, rejections are recorded. It returns after the commit, and
	// is safe for concurrent use. The errors below mean that nothing was stored; any other
	// error means that the outcome may be unknown and the same ids can be sent again.
	Commit(ctx context.Context, group *Group) error
	// DryRun fills the verdicts that a Commit would give now, Valid in the place of
	// Stored, and stores nothing.
	DryRun(ctx context.Context, group *Group) error
}

// ErrAtomicRejected means that an atomic group was rolled back because of the items
// whose verdicts say Conflict or Rejected.
var ErrAtomicRejected = errors.New("an atomic group holds a rejected event")

// ErrNotStorable means that the store rejected the data of a group, not the attempt:
// trying the same group again cannot help.
var ErrNotStorable = errors.New("the store rejects the data")

// ErrRejectedByDatabase means that a trigger or a constraint that an operator added to the
// database rejected something in a group. The event is not at fault and can be stored once
// an operator has removed the cause.
var ErrRejectedByDatabase = errors.New("a trigger or constraint that was added to the database rejects an event")

// ErrUnsafeDatabase means that the database could lose what it commits.
var ErrUnsafeDatabase = errors.New("the database could lose what it commits")

// LockedError means that another transaction held a lock that a group needs for longer than
// the group waits.
type LockedError struct {
	// Sessions are those whose rows are locked. None means that it is not known which
	// item needs the lock.
	Sessions map[uuid.UUID]bool
	// Err is the error of the database.
	Err error
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("waiting for a lock (%d sessions are locked): %v", len(e.Sessions), e.Err)
}

// Unwrap returns the error of the database.
func (e *LockedError) Unwrap() error { return e.Err }
