package query

import (
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Rejection is a refused event that was kept.
type Rejection struct {
	ID          uuid.UUID
	ReceivedAt  time.Time
	Application string
	RequestID   string
	// TraceID is the W3C trace id; not valid for one from before this was kept.
	TraceID uuid.NullUUID
	// Code is the first of the reasons.
	Code       string
	Violations []fault.Violation
	// What of the event could be read; nil is what could not.
	EventID   *uuid.UUID
	SessionID *uuid.UUID
	Category  *string
	Name      *string
	Timestamp *time.Time
	// Raw is the text as sent, or its beginning; nil when it is withheld because it
	// belongs to what was erased, or may hold what an event type takes out. RawSize is the size of the whole.
	Raw              []byte
	RawSize          int
	Status           string
	EventTypeVersion *int
}

// The statuses of a rejection.
const (
	StatusOpen      = "open"
	StatusReplayed  = "replayed"
	StatusDiscarded = "discarded"
)
