package postgres

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// groupPlan is a group laid out for the database.
type groupPlan struct {
	// rows are the accepted events in the group's order.
	rows []eventRow
	// byID indexes rows by event id, the order in which the ids are locked; copies of one id
	// are in the group's order.
	byID []int
	// hasCopies means that an id occurs more than once in the group.
	hasCopies bool
	// rejected are the envelopes that were rejected before the database saw them.
	rejected []*ingest.Item
}

// eventRow is one event on its way into the table.
type eventRow struct {
	item *ingest.Item
	// copyOf indexes the first row with the same id, or is the row itself.
	copyOf int
	// claimed means that the row's id is new, and is in the ledger now.
	claimed bool
	// session is the share of its session in the group, and place the row's place among the
	// new events of it, from 1. They are set for claimed rows.
	session *sessionShare
	place   int64
}

func (r *eventRow) event() *event.Event { return &r.item.Envelope.Event }

// sequence is the row's place in its session, once that is locked.
func (r *eventRow) sequence() int64 { return r.session.base + r.place }

// planGroup lays out a group.
func planGroup(group *ingest.Group) *groupPlan {
	p := &groupPlan{rows: make([]eventRow, 0, len(group.Items))}
	for i := range group.Items {
		item := &group.Items[i]
		if !item.Envelope.Accepted() {
			p.rejected = append(p.rejected, item)
			continue
		}

		p.rows = append(p.rows, eventRow{item: item, copyOf: len(p.rows)})
	}

	p.byID = make([]int, len(p.rows))
	for i := range p.byID {
		p.byID[i] = i
	}

	slices.SortStableFunc(p.byID, func(a, b int) int {
		return bytes.Compare(p.rows[a].event().ID[:], p.rows[b].event().ID[:])
	})

	for n := 1; n < len(p.byID); n++ {
		before := &p.rows[p.byID[n-1]]
		here := &p.rows[p.byID[n]]
		if before.event().ID == here.event().ID {
			here.copyOf = before.copyOf
			p.hasCopies = true
		}
	}

	return p
}

// firstRows returns the rows that are not copies of an earlier one, by event id.
func (p *groupPlan) firstRows() []int {
	if !p.hasCopies {
		return p.byID
	}

	return slices.DeleteFunc(slices.Clone(p.byID), func(i int) bool { return p.rows[i].copyOf != i })
}

// partitionMonths returns the months that need a partition of event, and of rejection.
func (p *groupPlan) partitionMonths() (events, rejections []month) {
	for i := range p.rows {
		events = addMonth(events, p.rows[i].event().Timestamp)
		rejections = addMonth(rejections, p.rows[i].item.Request.ReceivedAt) // it may turn out a conflict
	}

	for _, item := range p.rejected {
		rejections = addMonth(rejections, item.Request.ReceivedAt)
	}

	return events, rejections
}

func addMonth(months []month, at time.Time) []month {
	m := monthOf(at)
	if slices.Contains(months, m) {
		return months
	}

	return append(months, m)
}

// sessionShare is the share that a session has in a group.
type sessionShare struct {
	id           uuid.UUID
	events       int64
	first        time.Time
	last         time.Time
	applications []event.ApplicationID
	// oneApplication spares most sessions an allocation.
	oneApplication [1]event.ApplicationID
	// base is the last sequence before the group. It is known once the session is locked, and
	// erasedSession where the session does not accept events any more.
	base int64
}

// erasedSession marks a session that does not accept events any more.
const erasedSession = -1

// numberRows gives the claimed rows their places in their sessions, and returns the sessions
// by id: the order in which they are locked.
func (p *groupPlan) numberRows() []*sessionShare {
	known := make(map[uuid.UUID]*sessionShare, len(p.rows))
	sessions := make([]*sessionShare, 0, len(p.rows))
	for i := range p.rows { // places follow the group's order
		r := &p.rows[i]
		if !r.claimed {
			continue
		}

		at := r.event().Timestamp
		s := known[r.event().SessionID]
		if s == nil {
			s = &sessionShare{id: r.event().SessionID, first: at, last: at, base: erasedSession}
			s.applications = s.oneApplication[:0]
			known[s.id] = s
			sessions = append(sessions, s)
		}

		s.add(at, r.item.Request.Application)
		r.session = s
		r.place = s.events
	}

	slices.SortFunc(sessions, func(a, b *sessionShare) int { return bytes.Compare(a.id[:], b.id[:]) })

	return sessions
}

// add counts an event.
func (s *sessionShare) add(at time.Time, from event.ApplicationID) {
	s.events++
	if at.Before(s.first) {
		s.first = at
	}

	if at.After(s.last) {
		s.last = at
	}

	if !slices.Contains(s.applications, from) {
		s.applications = append(s.applications, from)
	}
}

// arrayLiteral writes an integer array as Postgres reads it, sorted.
func arrayLiteral(ids []event.ApplicationID) string {
	slices.Sort(ids)
	text := []byte{'{'}
	for n, id := range ids {
		if n > 0 {
			text = append(text, ',')
		}

		text = strconv.AppendInt(text, int64(id), 10)
	}

	return string(append(text, '}'))
}
