package traffic

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// recording sends recorded events again and again, each time in other sessions.
type recording struct {
	run    Run
	events []event.Event
}

// NewRecording sends recorded events, one a line, in the form of ingest or of the stream of GET
// /v1/events. Their order is kept, and so are their sessions' boundaries; ids, sessions and
// timestamps become those of the run. The Source keeps the text.
func NewRecording(run Run, text []byte) (*Source, error) {
	rules := event.DefaultRules()
	rules.BatchEvents = math.MaxInt
	rules.MaxAhead = math.MaxInt64
	rules.MaxAge = math.MaxInt64 // the timestamps are replaced
	envelopes, err := event.ParseNDJSON(text, &rules, time.Unix(0, 0))
	if err != nil {
		return nil, fmt.Errorf("read the recorded events: %w", err)
	}

	r := &recording{run: run, events: make([]event.Event, len(envelopes))}
	for i := range envelopes {
		for _, v := range envelopes[i].Violations {
			if !isServiceMember(v) {
				return nil, fmt.Errorf("read the recorded events: event %d: %s: %s", i+1, v.Pointer, v.Detail)
			}
		}

		r.events[i] = envelopes[i].Event
	}

	return &Source{Run: run, kind: r}, nil
}

// isServiceMember reports whether a violation is a member that the service adds to the events
// that it returns.
func isServiceMember(v fault.Violation) bool {
	return v.Code == fault.CodeUnknownField && (v.Pointer == "/sequence" || v.Pointer == "/received_at" || v.Pointer == "/application")
}

func (r *recording) makeEvent(index uint64, _ []byte) event.Event {
	n := uint64(len(r.events))
	e := r.events[index%n]
	e.SessionID = r.sessionID(e.SessionID, index/n)

	return e
}

func (r *recording) sessionID(recorded uuid.UUID, pass uint64) uuid.UUID {
	return r.run.sessionID(binary.BigEndian.Uint64(recorded[:8]), binary.BigEndian.Uint64(recorded[8:]), pass)
}
