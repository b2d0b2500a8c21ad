package rejection

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Position is the place of a rejection in the order of receipt. The zero value is
// before all rejections.
type Position struct {
	ReceivedAt time.Time
	ID         uuid.UUID
}

// DeadLetter is a rejection as it is stored.
type DeadLetter struct {
	Position

	Application     event.ApplicationID
	ApplicationName string
	RequestID       string
	TraceID         uuid.UUID
	// Raw is the text as sent, or its beginning; nil if it is withheld.
	Raw []byte
	// RawSize is the size of the whole text.
	RawSize int
}

// Status is the verdict of a replayed rejection.
type Status string

// The statuses, as they are stored.
const (
	Stored    Status = "stored"
	Duplicate Status = "duplicate"
	Rejected  Status = "rejected"
)

// Verdict is the outcome of a replayed rejection.
type Verdict struct {
	Status  Status
	EventID uuid.UUID
	// Violations are the reasons why it was rejected again.
	Violations []fault.Violation
}

// Outcome is a rejection that a run claimed, with its verdict. A verdict without a
// status means that there is none: the rejection is released unchanged.
type Outcome struct {
	Position
	Verdict
}

// Store stores rejections. The postgres package implements it. It lists rejections in
// the order of receipt, after a position. A target is "ids", "all", or the filters as a
// query string.
type Store interface {
	// CountOpen counts the open rejections of a filter, including rejections claimed by
	// another run.
	CountOpen(ctx context.Context, filter Filter) (int64, error)
	// ReadOpen returns open rejections that no run has claimed, without claiming them.
	ReadOpen(ctx context.Context, filter Filter, after Position, limit int) ([]DeadLetter, error)
	// ClaimOpen claims the rejections that ReadOpen would return: for a minute, no
	// other run gets them. No lock is held when it returns.
	ClaimOpen(ctx context.Context, filter Filter, after Position, limit int) ([]DeadLetter, error)
	// SettleOutcomes records the verdicts of claimed rejections and releases them:
	// stored ones are closed, all others stay open. A rejection that was closed or
	// erased meanwhile is skipped. The actor and the target of the replay are recorded
	// in the audit log in the same transaction.
	SettleOutcomes(ctx context.Context, target string, outcomes []Outcome) error
	// DiscardOpen closes open rejections that no run has claimed and returns how many,
	// and the position of the last one. The actor and the target are recorded in the
	// audit log in the same transaction.
	DiscardOpen(ctx context.Context, target string, filter Filter, after Position, limit int) (int, Position, error)
}

// ReplayItem is a rejection on its way through ingest.
type ReplayItem struct {
	*DeadLetter

	Envelope event.Envelope
}

// ErrRejectedByDatabase means that a trigger or a constraint that an operator added to the
// database rejects an event. It says nothing about the next one, which a replay goes on with.
var ErrRejectedByDatabase = errors.New("a trigger or constraint that was added to the database rejects the event")

// Ingester is the ingest of events. Its faults of kind Unavailable mean that the
// outcome is unknown.
type Ingester interface {
	// Submit validates an event and stores it. ErrRejectedByDatabase is about this event
	// alone; after any other error, the next event would most likely fail as well.
	Submit(ctx context.Context, item *ReplayItem) (Verdict, error)
	// Check validates events like Submit and stores nothing.
	Check(ctx context.Context, items []ReplayItem) ([]Verdict, error)
}
