package postgres

import (
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// RejectionBounds bounds the rejections that are recorded of one application in an hour.
// Beyond either bound they are counted and sampled.
type RejectionBounds struct {
	Rows  int64
	Bytes int64
	// RawBytes bounds the raw text that is kept of one.
	RawBytes int
	// BodyBytes bounds it where the text is a body that could not be taken apart into
	// events, and may hold many good ones. Less than RawBytes is the same as RawBytes.
	BodyBytes int
}

// EventStore stores groups of events. It implements ingest.Store and is safe for
// concurrent use.
type EventStore struct {
	db              *DB
	partitions      *partitions
	rejectionBounds RejectionBounds
	newID           func() uuid.UUID
	now             func() time.Time
	metrics         *Metrics
	// carefulGroups counts the groups that are still to use the careful path: a client that
	// resends would otherwise make every group be done twice.
	carefulGroups atomic.Int64
}

var _ ingest.Store = (*EventStore)(nil)

// EventStoreDeps are what an event store works with.
type EventStoreDeps struct {
	DB *DB
	// NewID makes UUIDv7s for rejections that turn up inside a transaction.
	NewID func() uuid.UUID
	// Now is the monotonic clock that steps are timed with.
	Now func() time.Time
	// Metrics are what is measured. Nil measures nothing.
	Metrics *Metrics
}

// NewEventStore makes a store on a database whose schema is current.
func NewEventStore(bounds RejectionBounds, deps EventStoreDeps) *EventStore {
	return &EventStore{
		db:              deps.DB,
		partitions:      &partitions{db: deps.DB, known: map[string]bool{}},
		rejectionBounds: bounds,
		newID:           deps.NewID,
		now:             deps.Now,
		metrics:         deps.Metrics,
	}
}
