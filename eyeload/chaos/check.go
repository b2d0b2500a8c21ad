package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// storedPlace is the place of a stored event.
type storedPlace struct {
	id       uuid.UUID
	at       time.Time
	sequence int64
}

// checkOrder checks the sequences of the events that one request stored: within a session they
// follow the timestamps, and for equal timestamps the order in the request.
func (s *sender) checkOrder(indexes []uint64, results []verdict) {
	if len(indexes) == 1 {
		return
	}

	sessions := map[uuid.UUID][]storedPlace{}
	for i, index := range indexes {
		if results[i].Status != "stored" {
			continue
		}

		_, _, at := s.oracle.lookUpEvent(index)
		session := s.oracle.source.session(index)
		sessions[session] = append(sessions[session], storedPlace{results[i].EventID, at, results[i].Sequence})
	}

	for session, events := range sessions {
		slices.SortStableFunc(events, func(a, b storedPlace) int { return a.at.Compare(b.at) })
		if !slices.IsSortedFunc(events, func(a, b storedPlace) int { return cmp.Compare(a.sequence, b.sequence) }) {
			s.oracle.recordViolation("session %s: one request stored %d events, and their sequences do not follow their timestamps: %v", session, len(events), events)
		}
	}
}

// verifyListed requests a list that has to contain an acknowledged event. Every list that is
// requested after the acknowledgement has to contain it.
func (s *sender) verifyListed(ctx context.Context, index uint64, bySession bool) {
	v, sequence, at := s.oracle.lookUpEvent(index)
	if !v.Acknowledged() || s.oracle.mayBeErased(index) {
		return
	}

	question := url.Values{
		"from": {event.FormatTimestamp(at)}, "to": {event.FormatTimestamp(at.Add(time.Microsecond))}, "limit": {"1000"},
	}
	if bySession {
		question.Set("session_id", s.oracle.source.session(index).String())
	}

	status, body, err := s.doRequest(ctx, http.MethodGet, s.nextTarget()+"/v1/events?"+question.Encode(), s.keys.read, nil)
	if err != nil || status != http.StatusOK {
		return // without an answer there is nothing to check
	}

	s.oracle.updateTally(func(t *tally) { t.reads++ })
	var page struct {
		Events []struct {
			ID       uuid.UUID `json:"event_id"`
			Sequence int64     `json:"sequence"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		s.oracle.recordViolation("a list that cannot be read: %.300s", body)
		return
	}

	id := s.oracle.source.ID(index)
	for _, e := range page.Events {
		if e.ID != id {
			continue
		}

		if sequence != 0 && e.Sequence != sequence {
			s.oracle.recordViolation("%s: acknowledged with sequence %d, and a list has %d", id, sequence, e.Sequence)
		}

		return
	}

	if !s.oracle.mayBeErased(index) {
		s.oracle.recordViolation("%s: acknowledged as %q, and missing in a later list: %s", id, v, question.Encode())
	}
}
