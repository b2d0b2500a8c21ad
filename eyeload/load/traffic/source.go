package traffic

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Source makes the events of a run.
type Source struct {
	Run
	kind kind
}

// kind decides everything of an event except its id and its timestamp. The payload may be
// appended to scratch.
type kind interface {
	makeEvent(index uint64, scratch []byte) event.Event
}

// MakeEvent makes the event at an index, sent at a time. Its payload may use the memory of
// scratch, which may be nil.
func (s *Source) MakeEvent(index uint64, at time.Time, scratch []byte) event.Event {
	e := s.kind.makeEvent(index, scratch[:0])
	e.ID = s.ID(index)
	e.Timestamp = at.UTC().Truncate(time.Microsecond)

	return e
}

// AppendEvent renders an event as a client sends it.
func AppendEvent(b []byte, e *event.Event) []byte {
	b = appendID(append(b, `{"event_id":`...), e.ID)
	b = appendID(append(b, `,"session_id":`...), e.SessionID)
	b = appendString(append(b, `,"category":`...), e.Category)
	b = appendString(append(b, `,"name":`...), e.Name)
	b = append(append(b, `,"data":`...), e.Data...)
	b = append(event.AppendTimestamp(append(b, `,"timestamp":"`...), e.Timestamp), '"')

	return append(b, '}')
}

func appendID(b []byte, id uuid.UUID) []byte {
	text, _ := id.MarshalText() // cannot fail
	b = append(append(b, '"'), text...)
	return append(b, '"')
}

// appendString renders a JSON string.
func appendString(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(text) // a string cannot fail
			return append(b, quoted...)
		}
	}

	return append(append(append(b, '"'), text...), '"')
}

// NewHot makes events of one session.
func NewHot(run Run) *Source {
	return &Source{Run: run, kind: &hotSession{session: run.sessionID(0), seed: run.seed}}
}

type hotSession struct {
	session uuid.UUID
	seed    uint64
}

func (h *hotSession) makeEvent(index uint64, scratch []byte) event.Event {
	d := randomSource(mixBits(h.seed) ^ mixBits(index))
	e := makeContent(&d, scratch)
	e.SessionID = h.session

	return e
}

// NewSessions makes events of many concurrent sessions, of which a few are busier than the
// rest, like real users. Each session begins, gets some events, and is followed by another.
func NewSessions(run Run, concurrent int) (*Source, error) {
	const most = 1 << 20
	if concurrent < 1 || concurrent > most {
		return nil, fmt.Errorf("%d concurrent sessions: 1 to %d are possible", concurrent, most)
	}

	return &Source{Run: run, kind: newSessionSlots(run, concurrent)}, nil
}
