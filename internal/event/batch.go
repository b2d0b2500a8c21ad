package event

import (
	"bytes"
	"fmt"
	"time"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// typicalEvent is an estimate of an event's size, used to allocate once.
const typicalEvent = 300

// ParseJSON reads a body that holds one event (an object) or a batch (an array) and validates
// each event. single reports which it was. A body that cannot be divided into events returns a
// fault; every problem of one event alone is among that envelope's violations, also if the event
// is not JSON: an array element that strings and brackets delimit is rejected alone. now is the
// service's clock. The envelopes share memory with the body.
func ParseJSON(body []byte, rules *Rules, now time.Time) (envelopes []Envelope, single bool, err error) {
	s := newScanner(body, rules)
	s.skipSpace()
	switch s.peek() {
	case '{':
		e, ok := s.readSingle(now, fault.CodeInvalidJSON)
		e.IsWholeBody = !ok
		return []Envelope{e}, true, nil
	case '[':
		envelopes, err = s.readBatch(now)
		return envelopes, false, err
	}

	if s.pos == len(body) {
		return nil, false, fault.InvalidAt(fault.CodeInvalidJSON, "", "the body is empty; send an event or an array of events")
	}

	if !s.readValue() {
		return nil, false, fault.InvalidAt(fault.CodeInvalidJSON, "", s.syntaxDetail())
	}

	return nil, false, fault.InvalidAt(fault.CodeInvalidType, "", "the body is an event (a JSON object) or an array of events")
}

// ParseNDJSON reads a body that holds one event a line; empty lines are skipped. A line that is
// not valid JSON is rejected alone.
func ParseNDJSON(body []byte, rules *Rules, now time.Time) ([]Envelope, error) {
	envelopes := make([]Envelope, 0, guessEvents(body, rules))
	s := newScanner(nil, rules)
	lines := 0
	for line := range bytes.Lines(body) {
		lines++
		line = bytes.Trim(line, " \t\r\n") // the whitespace of JSON, not that of Unicode
		if len(line) == 0 {
			continue
		}

		if len(envelopes) == rules.BatchEvents {
			return nil, tooManyFault(rules)
		}

		s.reset(line)
		s.before = lines - 1
		e, _ := s.readSingle(now, fault.CodeMalformedEvent)
		envelopes = append(envelopes, e)
	}

	if len(envelopes) == 0 {
		return nil, emptyBatchFault()
	}

	return envelopes, nil
}

// readSingle reads a text that holds exactly one event. It returns false if the text is not
// JSON, which is rejected with the given code, or if more text follows.
func (s *scanner) readSingle(now time.Time, malformed fault.Code) (Envelope, bool) {
	e, ok := s.readEnvelope(now)
	if !ok {
		e.Raw = s.text
		if malformed == fault.CodeMalformedEvent {
			e.rejectMalformed(s.syntaxDetail())
		} else {
			e.Reject(malformed, "", s.syntaxDetail())
		}

		return e, false
	}

	s.skipSpace()
	if s.pos < len(s.text) {
		e.Raw = s.text
		e.Reject(fault.CodeTrailingText, "", fmt.Sprintf("there is text behind the event, at byte %d; send several events as an array or as NDJSON", s.pos))
		return e, false
	}

	return e, true
}

// readBatch reads an array of events, to the last or to one past the limit.
func (s *scanner) readBatch(now time.Time) ([]Envelope, error) {
	s.pos++
	s.skipSpace()
	if s.peek() == ']' {
		return nil, emptyBatchFault()
	}

	envelopes := make([]Envelope, 0, guessEvents(s.text, s.rules))
	for more := true; more; {
		if len(envelopes) == s.rules.BatchEvents {
			return nil, tooManyFault(s.rules)
		}

		e, ok := s.readEnvelope(now)
		if ok {
			more, ok = s.readSeparator(']')
		}

		if !ok {
			detail := s.syntaxDetail()
			if more, ok = s.skipElement(&e); !ok {
				return nil, fault.InvalidAt(fault.CodeInvalidJSON, fmt.Sprintf("/%d", len(envelopes)),
					detail+"; strings and brackets do not show where this event ends, so nothing of the batch is stored")
			}

			e.rejectMalformed(detail)
		}

		envelopes = append(envelopes, e)
	}

	s.skipSpace()
	if s.pos < len(s.text) {
		return nil, fault.InvalidAt(fault.CodeTrailingText, "", fmt.Sprintf("there is text behind the array, at byte %d", s.pos))
	}

	return envelopes, nil
}

// skipElement skips an element of the outermost array that is not JSON, from its beginning to
// the comma or the bracket that follows, and records its text. Characters in strings do not
// count, and brackets have to match; it returns false if they do not, because then the ends of
// the elements are unknown. It reads each byte of the element once.
func (s *scanner) skipElement(e *Envelope) (more, ok bool) {
	var open []byte
	for i := s.start; i < len(s.text); i++ {
		c := s.text[i]
		if len(open) == 0 && (c == ',' || c == ']') {
			e.Raw = bytes.TrimRight(s.text[s.start:i], " \t\r\n")
			s.pos = i + 1
			s.syntax = ""
			s.skipSpace()
			return c == ',', true
		}

		switch c {
		case '"':
			end := stringEnd(s.text, i)
			if end == 0 {
				return false, false
			}

			i = end - 1
		case '{', '[':
			open = append(open, c+2) // in ASCII, '}' is '{'+2 and ']' is '['+2
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return false, false
			}

			open = open[:len(open)-1]
		}
	}

	return false, false
}

func guessEvents(body []byte, rules *Rules) int {
	return min(len(body)/typicalEvent+1, rules.BatchEvents)
}

func emptyBatchFault() error {
	return fault.New(fault.Invalid, fault.CodeEmptyBatch, "the batch holds no event")
}

func tooManyFault(rules *Rules) error {
	return fault.New(fault.TooLarge, fault.CodeBatchTooLarge, fmt.Sprintf("a batch holds at most %d events; send more requests", rules.BatchEvents))
}

// CheckObject returns nil for one JSON object that the strict decoder would accept as part of an
// event, and otherwise a fault with the position of the problem.
func CheckObject(text []byte, rules *Rules) error {
	s := newScanner(text, rules)
	s.skipSpace()
	if s.peek() != '{' {
		return fault.InvalidAt(fault.CodeInvalidType, "", "the body is a JSON object")
	}

	if !s.readMembers((*scanner).readValue) {
		return fault.InvalidAt(fault.CodeInvalidJSON, "", s.syntaxDetail())
	}

	if s.skipSpace(); s.pos < len(text) {
		return fault.InvalidAt(fault.CodeTrailingText, "", fmt.Sprintf("there is text behind the object, at byte %d", s.pos))
	}

	if size := s.countedSize(text); size > rules.EventBytes {
		return fault.InvalidAt(fault.CodeEventTooLarge, "", fmt.Sprintf("the object has %d bytes; at most %d are allowed", size, rules.EventBytes))
	}

	if len(s.violations) > 0 {
		return &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidEvent, Detail: s.violations[0].Detail, Violations: s.violations}
	}

	return nil
}
