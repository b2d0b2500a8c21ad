package event

import (
	"bytes"
	"fmt"
	"time"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// typicalEvent is a guess at an event's size, used to allocate once.
const typicalEvent = 300

// ParseJSON reads a body that holds one event (an object) or a batch (an array)
// and judges each. single tells which it was. A body that cannot be taken apart
// into events gives a fault; everything that concerns one event alone is among
// that envelope's violations. now is the service's clock. The envelopes share
// memory with the body.
func ParseJSON(body []byte, rules *Rules, now time.Time) (envelopes []Envelope, single bool, err error) {
	s := newScanner(body, rules)
	s.space()
	switch s.peek() {
	case '{':
		return []Envelope{s.single(now)}, true, nil
	case '[':
		envelopes, err = s.batch(now)
		return envelopes, false, err
	}
	if s.pos == len(body) {
		return nil, false, fault.InvalidAt(fault.CodeInvalidJSON, "", "the body is empty; send an event or an array of events")
	}
	if !s.value() {
		return nil, false, fault.InvalidAt(fault.CodeInvalidJSON, "", s.syntaxDetail())
	}
	return nil, false, fault.InvalidAt(fault.CodeInvalidType, "", "the body is an event (a JSON object) or an array of events")
}

// ParseNDJSON reads a body that holds one event a line; empty lines are passed
// over. A line that is not valid JSON is refused alone.
func ParseNDJSON(body []byte, rules *Rules, now time.Time) ([]Envelope, error) {
	envelopes := make([]Envelope, 0, guess(body, rules))
	s := newScanner(nil, rules)
	lines := 0
	for line := range bytes.Lines(body) {
		lines++
		line = bytes.Trim(line, " \t\r\n") // the space of JSON, not that of Unicode
		if len(line) == 0 {
			continue
		}
		if len(envelopes) == rules.BatchEvents {
			return nil, tooMany(rules)
		}
		s.reset(line)
		s.before = lines - 1
		envelopes = append(envelopes, s.single(now))
	}
	if len(envelopes) == 0 {
		return nil, emptyBatch()
	}
	return envelopes, nil
}

// single reads a text that holds nothing but one event.
func (s *scanner) single(now time.Time) Envelope {
	e, ok := s.envelope(now)
	if !ok {
		return e
	}
	s.space()
	if s.pos < len(s.text) {
		e.Raw = s.text
		e.Refuse(fault.CodeTrailingText, "", fmt.Sprintf("there is text behind the event, at byte %d; send several events as an array or as NDJSON", s.pos))
	}
	return e
}

// batch reads an array of events, to the last or to one past the limit.
func (s *scanner) batch(now time.Time) ([]Envelope, error) {
	s.pos++
	s.space()
	if s.peek() == ']' {
		return nil, emptyBatch()
	}
	envelopes := make([]Envelope, 0, guess(s.text, s.rules))
	for more := true; more; {
		if len(envelopes) == s.rules.BatchEvents {
			return nil, tooMany(s.rules)
		}
		e, ok := s.envelope(now)
		if ok {
			more, ok = s.separator(']')
		}
		if !ok {
			return nil, fault.InvalidAt(fault.CodeInvalidJSON, fmt.Sprintf("/%d", len(envelopes)), s.syntaxDetail())
		}
		envelopes = append(envelopes, e)
	}
	s.space()
	if s.pos < len(s.text) {
		return nil, fault.InvalidAt(fault.CodeTrailingText, "", fmt.Sprintf("there is text behind the array, at byte %d", s.pos))
	}
	return envelopes, nil
}

func guess(body []byte, rules *Rules) int { return min(len(body)/typicalEvent+1, rules.BatchEvents) }

func emptyBatch() error {
	return fault.New(fault.Invalid, fault.CodeEmptyBatch, "the batch holds no event")
}

func tooMany(rules *Rules) error {
	return fault.New(fault.TooLarge, fault.CodeBatchTooLarge, fmt.Sprintf("a batch holds at most %d events; send more requests", rules.BatchEvents))
}

// CheckObject tells whether a text is one JSON object that the strict decoder
// would accept as part of an event, with the fault that says where it is not.
func CheckObject(text []byte, rules *Rules) error {
	s := newScanner(text, rules)
	s.space()
	if s.peek() != '{' {
		return fault.InvalidAt(fault.CodeInvalidType, "", "the body is a JSON object")
	}
	if !s.members((*scanner).value) {
		return fault.InvalidAt(fault.CodeInvalidJSON, "", s.syntaxDetail())
	}
	if s.space(); s.pos < len(text) {
		return fault.InvalidAt(fault.CodeTrailingText, "", fmt.Sprintf("there is text behind the object, at byte %d", s.pos))
	}
	if s.tooLarge() {
		return fault.InvalidAt(fault.CodeEventTooLarge, "", fmt.Sprintf("the object has %d bytes; at most %d are allowed", len(text), rules.EventBytes))
	}
	if len(s.violations) > 0 {
		return &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidEvent, Detail: s.violations[0].Detail, Violations: s.violations}
	}
	return nil
}
