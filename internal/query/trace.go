package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// EventTrace is the history of an event's ingest: received, validated, waiting for its
// group, committed.
type EventTrace struct {
	EventID       uuid.UUID
	ApplicationID event.ApplicationID
	Application   string
	ReceivedAt    time.Time
	// TraceID is the W3C trace id. It is not valid, like all following fields, for an
	// event from before traces were kept.
	TraceID uuid.NullUUID
	// Validated is how long after ReceivedAt the event was validated.
	Validated time.Duration
	// Group names the group that committed it; it began at GroupBegan.
	Group      int64
	GroupBegan time.Time
}

// TraceStore finds the traces of events.
type TraceStore interface {
	// EventTrace returns the trace of an event, or a NotFound fault.
	EventTrace(ctx context.Context, id uuid.UUID) (EventTrace, error)
	// GroupDuration returns how long the commit of a group took, or a NotFound fault
	// when that is not or no longer known.
	GroupDuration(ctx context.Context, group int64) (time.Duration, error)
}
