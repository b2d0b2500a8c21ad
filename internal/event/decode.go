package event

import (
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// uuidLength is the length of a UUID's text form (RFC 9562).
const uuidLength = 36

// readEnvelope reads one event at the current position and validates it. It returns false on a
// syntax error; the envelope then holds the fields before the error, and no text.
func (s *scanner) readEnvelope(now time.Time) (Envelope, bool) {
	s.violations = nil
	s.found = 0
	s.path = s.path[:0]
	s.names = s.names[:0]
	s.current = Envelope{}
	e := &s.current
	s.start = s.pos

	var ok bool
	if s.peek() == '{' {
		ok = s.readMembers((*scanner).eventMember)
	} else if ok = s.readValue(); ok {
		s.violations = nil // violations inside a value that is not an event do not matter
		s.report(fault.CodeInvalidType, "an event is a JSON object")
	}

	if !ok {
		e.Violations = s.violations
		return *e, false
	}

	e.Raw = s.text[s.start:s.pos]
	if size := s.countedSize(e.Raw); size > s.rules.EventBytes {
		s.violations = nil
		s.report(fault.CodeEventTooLarge, "the event has %d bytes; at most %d are allowed", size, s.rules.EventBytes)
	} else if e.Raw[0] == '{' {
		s.checkRequired(e)
		s.checkTime(e, now)
	}

	e.Violations = s.violations
	return *e, true
}

// eventMember reads the value of the last named member of the current event.
func (s *scanner) eventMember() bool {
	e := &s.current
	switch string(s.names[len(s.names)-1]) {
	case "event_id":
		return s.uuidField(e, FieldID, "event_id", &e.Event.ID)
	case "session_id":
		return s.uuidField(e, FieldSessionID, "session_id", &e.Event.SessionID)
	case "category":
		return s.nameField(e, FieldCategory, "category", &e.Event.Category)
	case "name":
		return s.nameField(e, FieldName, "name", &e.Event.Name)
	case "timestamp":
		return s.timestampField(e)
	case "data":
		return s.dataField(e)
	case memberSequence, memberReceivedAt, memberApplication, memberTypeVersion, memberViolations:
		return s.readOnlyField(e)
	}

	s.report(fault.CodeUnknownField, "no such member; an event has session_id, category, name, data, timestamp and event_id")
	return s.readValue()
}

// textField reads a member that has to be a string. read is false if it was not a string, or
// held characters that no string may hold; either was then reported.
func (s *scanner) textField(member string) (content []byte, read, ok bool) {
	before := len(s.violations)
	found := s.found
	if s.peek() == '"' {
		content, ok = s.readString()
		return content, ok && s.found == found, ok
	}

	if ok = s.readValue(); ok {
		s.violations = s.violations[:before]
		s.report(fault.CodeInvalidType, "%s is a string", member)
	}

	return nil, false, ok
}

func (s *scanner) uuidField(e *Envelope, field Fields, member string, into *uuid.UUID) bool {
	content, read, ok := s.textField(member)
	if !read {
		return ok
	}

	id, err := uuid.ParseBytes(content)
	switch {
	case err != nil || len(content) != uuidLength:
		s.report(fault.CodeInvalidUUID, "%s is a UUID such as 0190163d-8694-739b-aea5-966c26f8ad91", member)
		return true
	case id == uuid.Nil:
		s.report(fault.CodeNilUUID, "%s is the nil UUID, which names nothing; make a random one (UUIDv4 or UUIDv7)", member)
		return true
	}

	*into = id
	e.Known |= field
	return true
}

func (s *scanner) nameField(e *Envelope, field Fields, member string, into *string) bool {
	content, read, ok := s.textField(member)
	if !read {
		return ok
	}

	if n := utf8.RuneCount(content); n < 1 || n > MaxNameLength {
		s.report(fault.CodeInvalidLength, "%s has %d characters; 1 to %d are allowed", member, n, MaxNameLength)
		return true
	}

	*into = string(content)
	e.Known |= field
	return true
}

func (s *scanner) timestampField(e *Envelope) bool {
	content, read, ok := s.textField("timestamp")
	if !read {
		return ok
	}

	at, valid := ParseTimestamp(string(content))
	switch {
	case !valid && LacksZone(string(content)):
		s.report(fault.CodeInvalidTimestamp, "timestamp does not say in which zone it is: add Z or an offset, as in 2021-01-01T09:15:27.243860Z or 2021-01-01T10:15:27.243860+01:00")
		return true
	case !valid:
		s.report(fault.CodeInvalidTimestamp,
			"timestamp is a time such as 2021-01-01T09:15:27.243860Z (RFC 3339) or 2021-01-01 09:15:27.243860 (read as UTC)")
		return true
	}

	e.Event.Timestamp = at
	e.Known |= FieldTimestamp
	return true
}

func (s *scanner) dataField(e *Envelope) bool {
	before := len(s.violations)
	found := s.found
	start := s.pos
	isObject := s.peek() == '{'
	ok := s.readValue()
	switch {
	case !ok:
	case !isObject:
		s.violations = s.violations[:before]
		s.report(fault.CodeInvalidType, "data is a JSON object; send {} when there is nothing to say")
	case s.found == found:
		e.Event.Data = s.text[start:s.pos]
		e.DataAt = start - s.start
		e.Known |= FieldData
	}

	return ok
}

// checkRequired reports the missing members. A member that was sent and rejected for another
// reason has already been reported.
func (s *scanner) checkRequired(e *Envelope) {
	const needed = FieldSessionID | FieldCategory | FieldName | FieldData | FieldTimestamp
	if e.Known&needed == needed {
		return
	}

	members := []struct {
		field Fields
		name  string
	}{
		{FieldSessionID, "session_id"},
		{FieldCategory, "category"},
		{FieldName, "name"},
		{FieldData, "data"},
		{FieldTimestamp, "timestamp"},
	}
	for _, m := range members {
		if !e.Has(m.field) && !s.hasReported("/"+m.name) {
			s.reportAt(m.name, fault.CodeMissingField, "%s is required", m.name)
		}
	}
}

// hasReported reports whether a violation at the pointer or below it was reported.
func (s *scanner) hasReported(pointer string) bool {
	for _, v := range s.violations {
		if v.Pointer == pointer || (len(v.Pointer) > len(pointer) && v.Pointer[:len(pointer)+1] == pointer+"/") {
			return true
		}
	}

	return false
}

// checkTime rejects timestamps outside the window in which events are stored. It compares times,
// because the difference of two can be too long for a duration.
func (s *scanner) checkTime(e *Envelope, now time.Time) {
	if !e.Has(FieldTimestamp) {
		return
	}

	at := e.Event.Timestamp
	ahead := s.rules.MaxAhead
	age := s.rules.MaxAge
	if at.After(now.Add(ahead)) {
		s.reportAt("timestamp", fault.CodeTimestampInFuture,
			"timestamp lies %d s in the future; at most %.0f s are allowed: check the clock of the sender", secondsBetween(now, at), ahead.Seconds())
	} else if at.Before(now.Add(-age)) {
		const day = 24 * 60 * 60
		s.reportAt("timestamp", fault.CodeTimestampTooOld,
			"timestamp lies %d days in the past; at most %.0f days are allowed", (secondsBetween(at, now)+day-1)/day, age.Hours()/24)
	}
}

// secondsBetween returns the seconds from one time to a later one, rounded up so that an
// exceeded limit never looks kept. A duration holds no more than 292 years.
func secondsBetween(earlier, later time.Time) int64 {
	n := later.Unix() - earlier.Unix()
	if later.Nanosecond() > earlier.Nanosecond() {
		n++
	}

	return n
}
