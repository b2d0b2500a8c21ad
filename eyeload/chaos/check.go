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

// storedPlace is an event that was stored, and where.
type storedPlace struct {
	id       uuid.UUID
	at       time.Time
	sequence int64
}

// checkOrder holds the sequences of what one request stored against the promise: within
// a session they follow the timestamps, and then the order in which events were sent.
func (c *sender) checkOrder(indexes []uint64, results []verdict) {
	if len(indexes) == 1 {
		return
	}

	sessions := map[uuid.UUID][]storedPlace{}
	for i, index := range indexes {
		if results[i].Status != "stored" {
			continue
		}

		_, _, at := c.oracle.lookUpEvent(index)
		session := c.oracle.source.session(index)
		sessions[session] = append(sessions[session], storedPlace{results[i].EventID, at, results[i].Sequence})
	}

	for session, events := range sessions {
		slices.SortStableFunc(events, func(a, b storedPlace) int { return a.at.Compare(b.at) })
		if !slices.IsSortedFunc(events, func(a, b storedPlace) int { return cmp.Compare(a.sequence, b.sequence) }) {
			c.oracle.recordViolation("session %s: one request stored %d events, and their sequences do not follow their timestamps: %v", session, len(events), events)
		}
	}
}

// verifyListed asks a service for a list that an acknowledged event has to be in. What was
// acknowledged is seen by every question that is asked afterwards.
func (c *sender) verifyListed(ctx context.Context, index uint64, bySession bool) {
	v, sequence, at := c.oracle.lookUpEvent(index)
	if !v.Acknowledged() || c.oracle.mayBeErased(index) {
		return
	}

	question := url.Values{
		"from": {event.FormatTimestamp(at)}, "to": {event.FormatTimestamp(at.Add(time.Microsecond))}, "limit": {"1000"},
	}
	if bySession {
		question.Set("session_id", c.oracle.source.session(index).String())
	}

	status, body, err := c.doRequest(ctx, http.MethodGet, c.nextTarget()+"/v1/events?"+question.Encode(), c.keys.read, nil)
	if err != nil || status != http.StatusOK {
		return // who gets no answer sees nothing wrong
	}

	c.oracle.updateTally(func(t *tally) { t.reads++ })
	var page struct {
		Events []struct {
			ID       uuid.UUID `json:"event_id"`
			Sequence int64     `json:"sequence"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		c.oracle.recordViolation("a list that cannot be read: %.300s", body)
		return
	}

	id := c.oracle.source.ID(index)
	for _, e := range page.Events {
		if e.ID != id {
			continue
		}

		if sequence != 0 && e.Sequence != sequence {
			c.oracle.recordViolation("%s: told sequence %d, and a list says %d", id, sequence, e.Sequence)
		}

		return
	}

	if !c.oracle.mayBeErased(index) {
		c.oracle.recordViolation("%s: told %q, and a list that was asked for afterwards does not have it: %s", id, v, question.Encode())
	}
}
