package event

import (
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Fields is the set of an event's fields that could be read.
type Fields uint8

// The fields of an event, as they may be sent.
const (
	FieldID Fields = 1 << iota
	FieldSessionID
	FieldCategory
	FieldName
	FieldData
	FieldTimestamp
)

// Envelope is one event as it was sent, with the results of the decoder.
type Envelope struct {
	// Raw is the text as sent. It shares memory with the request's body.
	Raw []byte
	// Event holds the fields that could be read, and Known is their set.
	Event Event
	Known Fields
	// DataAt is where the text of Event.Data begins in Raw.
	DataAt int
	// ReadOnly are the members that the service adds to the events that it returns, as they
	// were sent: their sender has read a stored event, and is not sending a new one.
	ReadOnly []Member
	// Violations are the reasons for a rejection. If there are none, Event is complete except
	// for an ID, which the client may leave to the service.
	Violations []fault.Violation
	// Observed are the violations of an event type that only observes; they are stored
	// with the event.
	Observed []fault.Violation
	// TypeVersion is the version of the event type that validated it; 0 when there is none.
	TypeVersion int32
	// IsWholeBody means that Raw is a body that could not be taken apart into events.
	IsWholeBody bool
	// Unchanged means that the stored event says the same, so that it is not validated by its
	// type again, which may have changed.
	Unchanged bool
	// Withheld means that Raw must not be kept: it may hold what has to be redacted.
	Withheld bool
}

// Accepted reports whether the event complies with every rule.
func (e *Envelope) Accepted() bool { return len(e.Violations) == 0 }

// Has reports whether a field could be read.
func (e *Envelope) Has(f Fields) bool { return e.Known&f != 0 }

// rejectMalformed rejects an event that is not JSON for that reason alone: violations found
// before reading ended may follow from it.
func (e *Envelope) rejectMalformed(detail string) {
	e.Violations = nil
	e.Reject(fault.CodeMalformedEvent, "", detail)
}

// Reject adds a reason to reject the event. If there are MaxViolations already, it replaces the
// last.
func (e *Envelope) Reject(code fault.Code, pointer, detail string) {
	e.Violations = e.Violations[:min(len(e.Violations), MaxViolations-1)]
	e.Violations = append(e.Violations, fault.Violation{Pointer: pointer, Code: code, Detail: detail})
}
