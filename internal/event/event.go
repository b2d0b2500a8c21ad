package event

import (
	"time"

	"github.com/google/uuid"
)

// ApplicationID is the store's short name for an application (a trusted client).
type ApplicationID int32

// Event is a judged event: it kept every rule and can be stored as it is.
type Event struct {
	// ID is the idempotency key: unique in the organisation.
	ID uuid.UUID
	// SessionID was made by an application; several may send to one session.
	SessionID uuid.UUID
	Category  string
	Name      string
	// Data is the text of a JSON object that passed the strict decoder.
	Data []byte
	// Timestamp is when it happened, in UTC, cut to microseconds.
	Timestamp time.Time
}

// Stored is an event with what the store added to it.
type Stored struct {
	Event
	ApplicationID ApplicationID
	Application   string
	// ReceivedAt is the service's clock when the request had arrived.
	ReceivedAt time.Time
	// Sequence is the event's place in its session, from 1, in the order of storing.
	Sequence int64
	// TypeVersion is the version of the event type that judged it; nil where none did.
	TypeVersion *int32
	// Violations is what an event type that only observes objects to, as a JSON array;
	// nil is nothing.
	Violations []byte
}

// Session is what is known of a session as a whole, over all of its applications.
type Session struct {
	ID uuid.UUID
	// StartedAt and LastEventAt span the timestamps of the session's events. Both
	// are zero once every event was erased singly.
	StartedAt   time.Time
	LastEventAt time.Time
	EventCount  int64
	// Applications are the names of all that have an event in it, sorted.
	Applications []string
}

// Before tells the order of a timeline: by timestamp, then by sequence.
func (e *Stored) Before(other *Stored) bool {
	if !e.Timestamp.Equal(other.Timestamp) {
		return e.Timestamp.Before(other.Timestamp)
	}

	return e.Sequence < other.Sequence
}
