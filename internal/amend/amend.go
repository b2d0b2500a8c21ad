package amend

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Store changes stored events. The postgres package implements it.
type Store interface {
	// EditEvent locks an event and its session, calls change with the stored event, and
	// stores the event that change returns. If change returns an error, nothing is
	// stored. change may be called more than once.
	EditEvent(ctx context.Context, id uuid.UUID, change func(event.Stored) (event.Envelope, error)) (event.Stored, error)
	// EraseEvent locks an event and its session, and erases it unless check fails.
	EraseEvent(ctx context.Context, id uuid.UUID, check func(event.Stored) error) error
}

// PayloadValidator validates events against their types. The eventtype package
// implements it.
type PayloadValidator interface {
	// ValidatePayloads rejects events that violate their type, records violations that
	// are only observed, and removes values that the type says must not be stored.
	// redacted means that those values were removed before.
	ValidatePayloads(envelopes []event.Envelope, redacted bool) error
}

// Editor changes stored events. It is safe for concurrent use.
type Editor struct {
	store     Store
	rules     *event.Rules
	validator PayloadValidator
	now       func() time.Time
}

// New makes an editor that validates by rules and by types; nil types accept
// everything.
func New(store Store, rules *event.Rules, types PayloadValidator, now func() time.Time) *Editor {
	return &Editor{store: store, rules: rules, validator: types, now: now}
}

// ReplaceEvent replaces a stored event. The body is an event as it is sent for ingest,
// or as it was read; event_id may be left out. ReplaceEvent returns NotFound,
// PreconditionFailed, Conflict or Invalid faults.
func (e *Editor) ReplaceEvent(ctx context.Context, id uuid.UUID, body []byte, precondition *event.Precondition) (event.Stored, error) {
	return e.store.EditEvent(ctx, id, func(current event.Stored) (event.Envelope, error) {
		if err := precondition.Allows(current.ETag()); err != nil {
			return event.Envelope{}, err
		}

		return e.validateChange(&current, body)
	})
}

// PatchEvent applies a JSON Merge Patch (RFC 7396) to a stored event. Its faults are
// those of ReplaceEvent.
func (e *Editor) PatchEvent(ctx context.Context, id uuid.UUID, patch []byte, precondition *event.Precondition) (event.Stored, error) {
	if err := event.CheckObject(patch, e.rules); err != nil {
		return event.Stored{}, err
	}

	return e.store.EditEvent(ctx, id, func(current event.Stored) (event.Envelope, error) {
		if err := precondition.Allows(current.ETag()); err != nil {
			return event.Envelope{}, err
		}

		merged, err := applyPatch(&current, patch)
		if err != nil {
			return event.Envelope{}, err
		}

		return e.validateChange(&current, merged)
	})
}

// EraseEvent erases one event. Its sequence number in the session stays unused, and its
// id is rejected from then on.
func (e *Editor) EraseEvent(ctx context.Context, id uuid.UUID, precondition *event.Precondition) error {
	return e.store.EraseEvent(ctx, id, func(current event.Stored) error { return precondition.Allows(current.ETag()) })
}

// validateChange decodes a changed event by the rules of ingest. Values that its type
// marks may be in the redacted form that is stored, so their format is not checked
// again. An event that equals the stored one is not validated against its type at all.
func (e *Editor) validateChange(current *event.Stored, body []byte) (event.Envelope, error) {
	envelopes, single, err := event.ParseJSON(body, e.rules, e.now())
	if err != nil {
		return event.Envelope{}, err
	}

	if !single {
		return event.Envelope{}, fault.InvalidAt(fault.CodeInvalidType, "", "the body is one event (a JSON object)")
	}

	changed := &envelopes[0]
	if changed.Has(event.FieldID) && changed.Event.ID != current.ID {
		changed.Reject(fault.CodeEventIDImmutable, "/event_id", "an event keeps its id; leave event_id out or send the one in the path")
	}

	changed.RejectChanged(current)
	changed.Unchanged = changed.Accepted() && changed.Event.Digest() == current.Digest()
	if e.validator != nil {
		if err := e.validator.ValidatePayloads(envelopes, true); err != nil {
			return event.Envelope{}, err
		}
	}

	if !changed.Accepted() {
		return event.Envelope{}, &fault.Error{
			Kind: fault.Invalid, Code: fault.CodeInvalidEvent,
			Detail: changed.Violations[0].Detail, Violations: changed.Violations,
		}
	}

	changed.Event.ID = current.ID
	changed.Event.Data = bytes.Clone(changed.Event.Data)
	return *changed, nil
}
