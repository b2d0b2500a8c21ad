package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Rejection is a rejected event that was kept.
type Rejection struct {
	ID          uuid.UUID
	ReceivedAt  time.Time
	Application string
	RequestID   string
	// TraceID is the W3C trace id; not valid for a rejection from before trace ids were
	// kept.
	TraceID uuid.NullUUID
	// Code is the first of the reasons.
	Code       string
	Violations []fault.Violation
	// The fields of the event that could be read; nil if they could not.
	EventID   *uuid.UUID
	SessionID *uuid.UUID
	Category  *string
	Name      *string
	Timestamp *time.Time
	// Raw is the text as sent, or its beginning; nil when it is withheld because it
	// belongs to an erased person or session, or may hold values that an event type
	// marks. RawSize is the size of the whole text.
	Raw              []byte
	RawSize          int
	Status           string
	EventTypeVersion *int
	// ReplayedAt and Outcome are of the last replay, if there was one. OutcomeEventID
	// is the event that was stored; OutcomeErrors are the reasons why it was rejected
	// again.
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

// RejectionStatuses returns the statuses that a rejection can have.
func RejectionStatuses() []string {
	return []string{StatusOpen, StatusReplayed, StatusDiscarded}
}

// RejectionStatsFilter selects rejections to count, and their grouping. A rejection
// counts once, under the first of its reasons. A field that could not be read counts as
// "".
type RejectionStatsFilter struct {
	Grouping
	RejectionFilter
}

// RejectionStats counts rejections. The filter's range has been resolved by
// Grouping.ResolveRange.
func (f *Finder) RejectionStats(ctx context.Context, filter RejectionStatsFilter) ([]Bucket, error) {
	return filter.CollectBuckets(filter.From, filter.To, func(limit int, yield func(Bucket) bool) error {
		return f.CountRejections(ctx, filter, limit, yield)
	})
}

// RejectionGroup is a group of rejections with the same reason at the same place, in
// events of one type from one application. A rejection with several reasons is in
// several groups.
type RejectionGroup struct {
	Code    fault.Code
	Pointer string
	// Category and Name are nil if they could not be read.
	Category    *string
	Name        *string
	Application string
	Count       int64
	FirstSeen   time.Time
	LastSeen    time.Time
	// SampleID is one of the latest rejections, and Detail is its detail.
	SampleID uuid.UUID
	Detail   string
}
