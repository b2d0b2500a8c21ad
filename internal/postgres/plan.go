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
	id ingest.GroupID
	// rows are the accepted events in the group's order.
	rows []row
	// byID indexes rows by event id, copies of one id in the group's order.
	byID []int
	// repeated tells that an id occurs more than once in the group.
	repeated bool
	// rejected are the envelopes that were refused before the database saw them.
	rejected []*ingest.Item
	atomic   bool
	// lockWait bounds how long the transaction waits for a lock; 0 is the connection's bound.
	lockWait time.Duration
}

// row is one event on its way into the table.
type row struct {
	item *ingest.Item
	// session indexes the sessions of the numbering that the row took part in.
	session int
	// place is the row's place among the new events of its session, from 1.
	place int64
	// copyOf indexes the first row with the same id, or is the row itself.
	copyOf int
}

func (r *row) event() *event.Event { return &r.item.Envelope.Event }

func planGroup(group *ingest.Group) *groupPlan {
	p := &groupPlan{id: group.ID, rows: make([]row, 0, len(group.Items)), atomic: group.Atomic, lockWait: group.LockWait}
	for i := range group.Items {
		item := &group.Items[i]
		if !item.Envelope.Accepted() {
			p.rejected = append(p.rejected, item)
			continue
		}
		p.rows = append(p.rows, row{item: item, copyOf: len(p.rows)})
	}
	p.byID = make([]int, len(p.rows))
	for i := range p.byID {
		p.byID[i] = i
	}
	slices.SortStableFunc(p.byID, func(a, b int) int {
		return bytes.Compare(p.rows[a].event().ID[:], p.rows[b].event().ID[:])
	})
	for n := 1; n < len(p.byID); n++ {
		before, here := p.byID[n-1], p.byID[n]
		if p.rows[before].event().ID == p.rows[here].event().ID {
			p.rows[here].copyOf = p.rows[before].copyOf
			p.repeated = true
		}
	}
	return p
}

// firstRows returns the rows that are no copies of an earlier one, by event id.
func (p *groupPlan) firstRows() []int {
	if !p.repeated {
		return p.byID
	}
	return slices.DeleteFunc(slices.Clone(p.byID), func(i int) bool { return p.rows[i].copyOf != i })
}

// ledgerColumns returns the columns of event_key for the given rows.
func (p *groupPlan) ledgerColumns(rows []int) (ids [][16]byte, timestamps []time.Time) {
	ids, timestamps = make([][16]byte, len(rows)), make([]time.Time, len(rows))
	for n, i := range rows {
		e := p.rows[i].event()
		ids[n], timestamps[n] = e.ID, e.Timestamp
	}
	return ids, timestamps
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

// groupSessions is the share that each session has in a group, sorted by id: the
// order in which their rows are locked.
type groupSessions struct {
	ids          [][16]byte
	counts       []int64
	firsts       []time.Time
	lasts        []time.Time
	applications []string
	// base is the last sequence before the group; erased where there is none.
	base []int64
}

// erasedSession marks a session that takes no events any more.
const erasedSession = -1

// numberRows gives the rows their places in their sessions and returns the sessions.
func (p *groupPlan) numberRows(rows []int) *groupSessions {
	index := make(map[uuid.UUID]int, len(rows))
	ids := make([][16]byte, 0, len(rows))
	for _, i := range rows {
		id := p.rows[i].event().SessionID
		if _, known := index[id]; !known {
			index[id] = 0
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	for n, id := range ids {
		index[id] = n
	}
	s := &groupSessions{
		ids: ids, counts: make([]int64, len(ids)), firsts: make([]time.Time, len(ids)), lasts: make([]time.Time, len(ids)),
		applications: make([]string, len(ids)), base: make([]int64, len(ids)),
	}
	senders := make([][]event.ApplicationID, len(ids))
	ordered := slices.Sorted(slices.Values(rows)) // places follow the group's order
	for _, i := range ordered {
		r := &p.rows[i]
		n := index[r.event().SessionID]
		s.counts[n]++
		r.session, r.place = n, s.counts[n]
		at := r.event().Timestamp
		if s.counts[n] == 1 || at.Before(s.firsts[n]) {
			s.firsts[n] = at
		}
		if s.counts[n] == 1 || at.After(s.lasts[n]) {
			s.lasts[n] = at
		}
		if from := r.item.Request.Application; !slices.Contains(senders[n], from) {
			senders[n] = append(senders[n], from)
		}
		s.base[n] = erasedSession
	}
	for n, from := range senders {
		s.applications[n] = arrayLiteral(from)
	}
	return s
}

// setLastSequence notes what the upsert returned for a session.
func (s *groupSessions) setLastSequence(id [16]byte, lastSequence int64) {
	n, _ := slices.BinarySearchFunc(s.ids, id, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	s.base[n] = lastSequence - s.counts[n]
}

// hasErased tells whether a session takes no events any more.
func (s *groupSessions) hasErased() bool { return slices.Contains(s.base, erasedSession) }

// sequenceOf returns a row's place in its session. It is known after the upsert.
func (s *groupSessions) sequenceOf(r *row) int64 { return s.base[r.session] + r.place }

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
