package query

import (
	"context"
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
	// ReplayedAt and Outcome tell of the last replay, if there was one. OutcomeEventID is
	// the event that is stored of it; OutcomeErrors say why it was refused again.
	ReplayedAt     *time.Time
	Outcome        *string
	OutcomeEventID *uuid.UUID
	OutcomeErrors  []fault.Violation
}

// The statuses of a rejection.
const (
	StatusOpen      = "open"
	StatusReplayed  = "replayed"
	StatusDiscarded = "discarded"
)

// RejectionStatsFilter says which rejections are counted, and how they are divided. A
// rejection counts once, under the first of its reasons. What could not be read of it
// counts as "".
type RejectionStatsFilter struct {
	Grouping
	RejectionFilter
}

// RejectionStats counts rejections. The filter's range is what Grouping.ResolveRange made of it.
func (f *Finder) RejectionStats(ctx context.Context, filter RejectionStatsFilter) ([]Bucket, error) {
	return filter.CollectBuckets(filter.From, filter.To, func(limit int, yield func(Bucket) bool) error {
		return f.CountRejections(ctx, filter, limit, yield)
	})
}

// RejectionGroup is what rejections have in common: a reason at a place, in events of a
// type of an application. A rejection with several reasons is in several groups.
type RejectionGroup struct {
	Code    fault.Code
	Pointer string
	// Category and Name are nil where they could not be read.
	Category    *string
	Name        *string
	Application string
	Count       int64
	FirstSeen   time.Time
	LastSeen    time.Time
	// SampleID is one of the latest, and Detail what it was told.
	SampleID uuid.UUID
	Detail   string
}
