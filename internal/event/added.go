package event

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// The members that the service adds to the events that it returns.
const (
	memberSequence    = "sequence"
	memberReceivedAt  = "received_at"
	memberApplication = "application"
	memberTypeVersion = "event_type_version"
	memberViolations  = "violations"
)

// Member is a member of an event as it was sent.
type Member struct {
	Name string
	// Text is the JSON text of its value.
	Text []byte
}

// readOnlyField reads a member that the service adds. Only a comparison with the stored event
// can show whether it is right.
func (s *scanner) readOnlyField(e *Envelope) bool {
	name := string(s.names[len(s.names)-1])
	found := s.found
	start := s.pos
	ok := s.readValue()
	if ok && s.found == found {
		e.ReadOnly = append(e.ReadOnly, Member{name, s.text[start:s.pos]})
	}

	return ok
}

// RejectChanged rejects an event that was sent back with a member that differs from the one that
// the service added to the stored event.
func (e *Envelope) RejectChanged(stored *Stored) {
	for _, m := range e.ReadOnly {
		if !stored.hasMember(m) {
			e.Reject(fault.CodeReadOnlyField, "/"+m.Name,
				m.Name+" is set by the service and is not what is stored with this event; leave it out, or send it as it was read")
		}
	}
}

// RejectImport rejects an event with members of another service, or of an event that is no
// longer stored: there is no stored event to compare them with.
func (e *Envelope) RejectImport() {
	if len(e.ReadOnly) == 0 {
		return
	}

	name := e.ReadOnly[0].Name
	e.Reject(fault.CodeImportUnsupported, "/"+name,
		name+" is set by the service, which holds no event with this event_id; events cannot be imported with it: leave it out to have this stored as a new event")
}

// hasMember reports whether a member that was sent agrees with the service's own value. A member
// that the service leaves out may be sent as null.
func (e *Stored) hasMember(m Member) bool {
	const null = "null"
	want := null
	switch m.Name {
	case memberSequence:
		want = strconv.FormatInt(e.Sequence, 10)
	case memberReceivedAt:
		var text string
		if json.Unmarshal(m.Text, &text) != nil {
			return false
		}

		at, ok := ParseTimestamp(text)
		return ok && at.Equal(e.ReceivedAt)
	case memberApplication:
		name, _ := json.Marshal(e.Application) // a string cannot fail
		want = string(name)
	case memberTypeVersion:
		if e.TypeVersion != nil {
			want = strconv.FormatInt(int64(*e.TypeVersion), 10)
		}
	case memberViolations:
		if e.Violations != nil {
			want = string(e.Violations)
		}
	}

	return bytes.Equal(Canonicalize(m.Text), Canonicalize([]byte(want)))
}
