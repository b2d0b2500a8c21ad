package rejection

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Position is a rejection's place in the order of receipt. The zero value is before all.
type Position struct {
	ReceivedAt time.Time
	ID         uuid.UUID
}

// DeadLetter is a rejection as it was kept.
type DeadLetter struct {
	Position

	Application     event.ApplicationID
	ApplicationName string
	RequestID       string
	TraceID         uuid.UUID
	// Raw is the text as sent, or its beginning; nil where it is withheld.
	Raw []byte
	// RawSize is the size of the whole.
	RawSize int
}

// Status is what became of a rejection that was sent through again.
type Status string

// The statuses, as they are kept.
const (
	Stored    Status = "stored"
	Duplicate Status = "duplicate"
	Rejected  Status = "rejected"
)

// Verdict says what became of a rejection that was sent through again.
type Verdict struct {
	Status  Status
	EventID uuid.UUID
	// Violations say why it was refused again.
	Violations []fault.Violation
}

// Outcome is a rejection that a run took, with what became of it. A verdict without a status is none: the
// rejection is given back as it was.
type Outcome struct {
	Position
	Verdict
}

// Store keeps rejections. The postgres package implements it. What it lists is in the
// order of receipt, behind a position. A target is "ids", "all", or the filters as a
// query string.
type Store interface {
	// CountOpen counts the open rejections of a filter, those that another run holds included.
	CountOpen(ctx context.Context, filter Filter) (int64, error)
	// ReadOpen returns open rejections that no run holds, and takes none.
	ReadOpen(ctx context.Context, filter Filter, after Position, limit int) ([]DeadLetter, error)
	// ClaimOpen takes what Read would return: for a minute, no other run gets it. No lock is
	// held when it returns.
	ClaimOpen(ctx context.Context, filter Filter, after Position, limit int) ([]DeadLetter, error)
	// SettleOutcomes notes what became of claimed rejections and gives them back: those that are
	// stored are closed, all others stay open. One that was closed or erased meanwhile is
	// passed over. Who had target replayed is recorded with it.
	SettleOutcomes(ctx context.Context, target string, outcomes []Outcome) error
	// DiscardOpen closes open rejections that no run holds and returns how many, and the last.
	// Who had target discarded is recorded with it.
	DiscardOpen(ctx context.Context, target string, filter Filter, after Position, limit int) (int, Position, error)
}

// ReplayItem is a rejection on its way through the gate.
type ReplayItem struct {
	*DeadLetter

	Envelope event.Envelope
}

// Ingester is what every event passes. Its faults of kind Unavailable mean that nothing is
// known of the outcome.
type Ingester interface {
	// Submit judges an event and stores it.
	Submit(ctx context.Context, passage *ReplayItem) (Verdict, error)
	// Check judges events as Submit would and stores nothing.
	Check(ctx context.Context, passages []ReplayItem) ([]Verdict, error)
}
