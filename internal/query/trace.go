package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// EventTrace is how an event came in: received, judged, waiting for its group, committed.
type EventTrace struct {
	EventID       uuid.UUID
	ApplicationID event.ApplicationID
	Application   string
	ReceivedAt    time.Time
	// TraceID is the W3C trace id. It is not valid, like all that follows, for an
	// event from before this was kept.
	TraceID uuid.NullUUID
	// Validated is how long after ReceivedAt the event was judged.
	Validated time.Duration
	// Group names the group that committed it; it began at GroupBegan.
	Group      int64
	GroupBegan time.Time
}

// TraceStore finds how events came in.
type TraceStore interface {
	// EventTrace finds an event's, or returns a NotFound fault.
	EventTrace(ctx context.Context, id uuid.UUID) (EventTrace, error)
	// GroupDuration tells how long the commit of a group took, or returns a NotFound fault
	// when that is not known, or not any more.
	GroupDuration(ctx context.Context, group int64) (time.Duration, error)
}
