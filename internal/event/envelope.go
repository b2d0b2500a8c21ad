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

// Envelope is one event as it was sent, with what the decoder made of it.
type Envelope struct {
	// Raw is the text as sent. It shares memory with the request's body.
	Raw []byte
	// Event holds what could be read; Known tells which of its fields are set.
	Event Event
	// Violations say why it was refused. None: Event is whole but for an ID that
	// the client may leave to the service.
	Violations []fault.Violation
	// Observed is what an event type that only observes has to object to; it is stored
	// with the event.
	Observed []fault.Violation
	// ReadOnly are the members that the service adds to the events that it gives back, as they
	// were sent: who has them read an event that is stored, and is not sending a new one.
	ReadOnly []Member
	// TypeVersion is the version of the event type that judged it; 0 when there is none.
	TypeVersion int32
	Known       Fields
	// IsWholeBody tells that Raw is a body as a whole, which could not be taken apart into events.
	IsWholeBody bool
	// Unchanged tells that the stored event says the same, so that its type is not asked
	// again: it may ask for something else by now.
	Unchanged bool
	// Withheld tells that Raw is not to be kept: it may hold what must not be.
	Withheld bool
}

// Accepted tells whether the event kept every rule.
func (e *Envelope) Accepted() bool { return len(e.Violations) == 0 }

// Has tells whether a field could be read.
func (e *Envelope) Has(f Fields) bool { return e.Known&f != 0 }

// rejectMalformed refuses an event that is not JSON for that reason alone: what was found
// before reading ended may follow from it.
func (e *Envelope) rejectMalformed(detail string) {
	e.Violations = nil
	e.Reject(fault.CodeMalformedEvent, "", detail)
}

// Reject adds a reason to refuse the event. Where there are MaxViolations already,
// it takes the place of the last.
func (e *Envelope) Reject(code fault.Code, pointer, detail string) {
	e.Violations = e.Violations[:min(len(e.Violations), MaxViolations-1)]
	e.Violations = append(e.Violations, fault.Violation{Pointer: pointer, Code: code, Detail: detail})
}
