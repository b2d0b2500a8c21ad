package postgres_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// edited records the work of the editors: how often each event was counted up, and whether it
// was erased.
type edited struct {
	mu     sync.Mutex
	counts map[uuid.UUID]int
	erased map[uuid.UUID]bool
}

func (e *edited) note(id uuid.UUID, erased bool) {
	e.mu.Lock()
	defer e.mu.Unlock()

	if erased {
		e.erased[id] = true
	} else {
		e.counts[id]++
	}
}

// isErased reports whether an edit failed because its event had been erased.
func isErased(err error) bool {
	return fault.Is(err, fault.CodeNotFound) || fault.Is(err, fault.CodeSessionErased)
}

// countUp adds one to an event's data, sometimes moves the event to another session, and changes
// its time.
func countUp(d *dice, sessions uint64) func(event.Stored) (event.Envelope, error) {
	move := d.chance(20)
	to := sessionOf(d.Uint64N(sessions))
	shift := time.Duration(d.Int64N(int64(time.Minute)))
	return func(current event.Stored) (event.Envelope, error) {
		next := current.Event
		var n int
		if _, err := fmt.Sscanf(string(current.Data), `{"n": %d}`, &n); err != nil {
			return event.Envelope{}, err
		}

		next.Data = fmt.Appendf(nil, `{"n": %d}`, n+1)
		if move {
			next.SessionID = to
		}

		next.Timestamp = next.Timestamp.Add(-shift)
		return event.Envelope{Event: next}, nil
	}
}

// Writers, editors and erasers work on the same sessions: no edit is lost, no event of an erased
// session survives, every session's row agrees with its events, and no client sees a deadlock.
func TestRaceOfEditsErasuresAndIngest(t *testing.T) {
	t.Parallel()
	const sessions, writers, editors = 12, 8, 6
	b := newBundle(t)
	oracle := apptest.NewOracle()
	seen := &recent{}
	both := replicas(t, b, 2)
	amends := [2]*postgres.AmendStore{postgres.NewAmendStore(b.db), postgres.NewAmendStore(openDB(t, b.database.DSN()))}
	erasers := [2]*erasure.Eraser{newEraser(b.db), newEraser(openDB(t, b.database.DSN()))}
	log := &edited{counts: map[uuid.UUID]int{}, erased: map[uuid.UUID]bool{}}
	now := time.Now()
	var rejected atomic.Int64
	write := func(d *dice) {
		for range 40 {
			envelopes := make([]event.Envelope, 1+d.IntN(20))
			for i := range envelopes {
				envelopes[i] = envelope(sessionOf(d.Uint64N(sessions)), d.around(now))
				envelopes[i].Event.Data = []byte(`{"n": 0}`)
			}

			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			verdicts, err := both[d.IntN(2)].Submit(ctx, request(shop, envelopes...))
			cancel()
			if err != nil {
				t.Errorf("a request was not answered: %v", err)
				return
			}

			for i, v := range verdicts {
				switch {
				case v.Status == ingest.Stored:
					oracle.RecordSending(envelopes[i].Event)
					seen.add(envelopes[i].Event)
				case v.Status == ingest.Rejected && v.Violations[0].Code == fault.CodeSessionErased:
					rejected.Add(1)
				default:
					t.Errorf("an event was %s: %v", v.Status, v.Violations)
				}
			}
		}
	}
	edit := func(d *dice) {
		await(t, func() bool { return seen.count() > 0 || t.Failed() })
		for range 120 {
			e, ok := seen.any(d)
			if !ok {
				return
			}

			erase := d.chance(10)
			var err error
			if erase {
				err = amends[d.IntN(2)].EraseEvent(context.Background(), e.ID, func(event.Stored) error { return nil })
			} else {
				_, err = amends[d.IntN(2)].EditEvent(context.Background(), e.ID, countUp(d, sessions))
			}

			switch {
			case err == nil:
				log.note(e.ID, erase)
			case !isErased(err):
				t.Errorf("an event could not be changed: %v", err)
			}
		}
	}
	bury := func(d *dice) {
		for n := range uint64(3) {
			await(t, func() bool { return seen.count() > int(n+1)*500 || t.Failed() })
			if err := tryErase(erasers[d.IntN(2)], erasure.Request{SessionIDs: []uuid.UUID{sessionOf(n)}}); err != nil {
				t.Errorf("a session could not be erased: %v", err)
			}
		}
	}
	parallel(writers+editors+2, func(n int) {
		d := newDice(uint64(n), sessions)
		switch {
		case n < writers:
			write(d)
		case n < writers+editors:
			edit(d)
		default:
			bury(d)
		}
	})
	for n := range uint64(3) { // the sessions that were erased before they had events
		require.NoError(t, tryErase(erasers[0], erasure.Request{SessionIDs: []uuid.UUID{sessionOf(n)}}))
	}

	contradictions, err := apptest.FindContradictions(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
	log.compare(t, b)
	t.Logf("%d events sent, %d rejected, %d edited, %d erased singly, %d left, %d deadlocks",
		seen.count(), rejected.Load(), len(log.counts), len(log.erased), count(t, b, "event"), countDeadlocks(t, b))
}

// compare fails the test if an edit was lost or an erased event still exists.
func (e *edited) compare(t *testing.T, b *bundle) {
	t.Helper()
	rows, err := b.database.Pool(t).Query(context.Background(), "select event_id, session_id, data ->> 'n' from event")
	require.NoError(t, err)
	defer rows.Close()

	for rows.Next() {
		var id, session uuid.UUID
		var n string
		require.NoError(t, rows.Scan(&id, &session, &n))
		require.Equal(t, strconv.Itoa(e.counts[id]), n, "edits of event %s", id)
		require.False(t, e.erased[id], "event %s was erased", id)
		for erased := range uint64(3) {
			require.NotEqual(t, sessionOf(erased), session, "event %s is of a session that was erased", id)
		}
	}

	require.NoError(t, rows.Err())
}
