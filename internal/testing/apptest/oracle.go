package apptest

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// Oracle records the events of senders and the verdicts on them, and compares these
// records with the tables. It is safe for concurrent use.
type Oracle struct {
	mu   sync.Mutex
	sent map[uuid.UUID]*sentEvent
	// violations are the answers that contradict one another.
	violations []string
}

// sentEvent is the record of an event id.
type sentEvent struct {
	// intended are the contents that were sent with the id.
	intended map[[32]byte]event.Event
	// acknowledged is set once a verdict says that the id is stored, with its content and
	// sequence.
	acknowledged bool
	content      [32]byte
	sequence     int64
	stored       int
	// conflicting are the contents whose verdict was a conflict.
	conflicting map[[32]byte]bool
}

// NewOracle returns an oracle without records.
func NewOracle() *Oracle { return &Oracle{sent: map[uuid.UUID]*sentEvent{}} }

// RecordSending records that an event is about to be sent.
func (o *Oracle) RecordSending(e event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()

	s := o.sent[e.ID]
	if s == nil {
		s = &sentEvent{intended: map[[32]byte]event.Event{}, conflicting: map[[32]byte]bool{}}
		o.sent[e.ID] = s
	}

	s.intended[e.Digest()] = e
}

// RecordVerdict records the verdict on an event.
func (o *Oracle) RecordVerdict(e event.Event, status ingest.Status, sequence int64) {
	o.mu.Lock()
	defer o.mu.Unlock()

	s := o.sent[e.ID]
	digest := e.Digest()
	switch status {
	case ingest.Stored, ingest.Duplicate:
		if s.acknowledged && (s.sequence != sequence || s.content != digest) {
			o.addViolation("%s: acknowledged with sequence %d, then %d; same content: %t", e.ID, s.sequence, sequence, s.content == digest)
		}

		s.acknowledged = true
		s.sequence = sequence
		s.content = digest
		if status == ingest.Stored {
			s.stored++
		}

		if s.stored > 1 {
			o.addViolation("%s: acknowledged %d times as new", e.ID, s.stored)
		}
	case ingest.Conflict:
		s.conflicting[digest] = true
	case ingest.Rejected, ingest.NotStored, ingest.Valid:
		o.addViolation("%s: the verdict on a valid event is %q", e.ID, status)
	}
}

func (o *Oracle) addViolation(format string, args ...any) {
	o.violations = append(o.violations, fmt.Sprintf(format, args...))
}

// Unanswered returns the events that no sender knows to be stored.
func (o *Oracle) Unanswered() (events []event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()

	for _, s := range o.sent {
		if s.acknowledged {
			continue
		}

		for _, e := range s.intended {
			events = append(events, e)
			break
		}
	}

	return events
}

// Acknowledged returns the number of events that a sender knows to be stored.
func (o *Oracle) Acknowledged() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()

	for _, s := range o.sent {
		if s.acknowledged {
			n++
		}
	}

	return n
}

// FindViolations returns all violations: verdicts that contradict one another, events that
// were acknowledged but are not stored as they were sent, stored events that were never
// sent, and tables that contradict one another. An error means only that the store could
// not be read.
func (o *Oracle) FindViolations(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	wrong := append([]string(nil), o.violations...)
	rows, err := pool.Query(ctx, `select event_id, session_id, sequence, category, name, data, "timestamp" from event`) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return nil, err
	}

	var e event.Stored
	times := map[uuid.UUID]int{}
	_, err = pgx.ForEachRow(rows, []any{&e.ID, &e.SessionID, &e.Sequence, &e.Category, &e.Name, &e.Data, &e.Timestamp}, func() error {
		times[e.ID]++
		s := o.sent[e.ID]
		digest := e.Digest()
		switch {
		case s == nil:
			wrong = append(wrong, fmt.Sprintf("%s: stored but never sent", e.ID))
		case s.acknowledged && (s.sequence != e.Sequence || s.content != digest):
			wrong = append(wrong, fmt.Sprintf("%s: stored at %d, acknowledged with %d; same content: %t", e.ID, e.Sequence, s.sequence, s.content == digest))
		case !s.acknowledged && s.intended[digest].ID == uuid.Nil:
			wrong = append(wrong, fmt.Sprintf("%s: stored with a content that was never sent", e.ID))
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	for id, s := range o.sent {
		if n := times[id]; n > 1 || (s.acknowledged && n != 1) {
			wrong = append(wrong, fmt.Sprintf("%s: stored %d times, acknowledged: %t, with sequence %d of session %s, %d times as new",
				id, n, s.acknowledged, s.sequence, s.intended[s.content].SessionID, s.stored))
		}

		if len(s.conflicting) == len(s.intended) || (s.acknowledged && s.conflicting[s.content]) {
			wrong = append(wrong, fmt.Sprintf("%s: in conflict with nothing but itself", id))
		}
	}

	more, err := FindContradictions(ctx, pool)
	return append(wrong, more...), err
}

// RenderEvent renders an event as a client sends it.
func RenderEvent(e event.Event) []byte {
	return fmt.Appendf(nil, `{"event_id":%q,"session_id":%q,"category":%q,"name":%q,"data":%s,"timestamp":%q}`,
		e.ID, e.SessionID, e.Category, e.Name, e.Data, event.FormatTimestamp(e.Timestamp))
}
