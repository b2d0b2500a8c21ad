package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// recent holds events that writers sent lately, to be sent again.
type recent struct {
	mu   sync.Mutex
	list []event.Event
}

func (r *recent) add(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.list = append(r.list, e)
}

func (r *recent) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()

	return len(r.list)
}

func (r *recent) any(d *dice) (e event.Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if len(r.list) == 0 {
		return e, false
	}

	last := r.list[max(0, len(r.list)-300):]
	return last[d.IntN(len(last))], true
}

// draw makes an event for the race: mostly new, some sent before by any writer, some with a
// known id and other content, some that are rejected.
func (r *recent) draw(d *dice, now time.Time) event.Envelope {
	e := envelope(d.session(), d.around(now))
	if d.chance(5) {
		e.Event.Timestamp = e.Event.Timestamp.AddDate(0, -1, 0)
	}

	again, known := r.any(d)
	switch dice := d.IntN(100); {
	case dice < 10 && known:
		e.Event = again
	case dice < 11 && known:
		e.Event = again
		switch d.IntN(3) {
		case 0:
			e.Event.Data = []byte(`{"another":"content"}`)
		case 1:
			e.Event.SessionID = d.session()
		case 2:
			e.Event.Timestamp = again.Timestamp.AddDate(0, -2, 0)
		}
	case dice < 13:
		e = event.Envelope{Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON, Detail: "broken"}}}
	default:
		r.add(e.Event)
	}

	return e
}

// The race of everything with everything: two replicas, 32 writers that send one another's
// events again, duplicates, conflicts, rejections, other months, and atomic requests.
func TestRace(t *testing.T) {
	t.Parallel()
	const writers, requests, most, sessions = 32, 40, 40, 200
	b := newBundle(t)
	oracle := apptest.NewOracle()
	seen := &recent{}
	both := replicas(t, b, 2)
	now := time.Now()
	var stored, duplicates, rejected, retracted atomic.Int64
	parallel(writers, func(writer int) {
		d := newDice(uint64(writer), sessions)
		for range requests {
			envelopes := make([]event.Envelope, 1+d.IntN(most))
			for i := range envelopes {
				envelopes[i] = seen.draw(d, now)
			}

			r := request(shop+event.ApplicationID(d.IntN(2)), envelopes...)
			r.Atomic = d.chance(5)
			for _, v := range send(t, oracle, both[d.IntN(2)], r) {
				switch v.Status {
				case ingest.Stored:
					stored.Add(1)
				case ingest.Duplicate:
					duplicates.Add(1)
				case ingest.Conflict, ingest.Rejected:
					rejected.Add(1)
				case ingest.NotStored:
					retracted.Add(1)
				case ingest.Valid:
					t.Errorf("a verdict of a dry run")
				}
			}
		}
	})
	requireConsistent(t, b, oracle)
	requireGapless(t, b)
	require.Equal(t, int(stored.Load()), count(t, b, "event"))
	require.Equal(t, int(stored.Load()), count(t, b, "event_key"))
	require.Equal(t, int(rejected.Load()), count(t, b, "rejection"))
	var counted, kept int64
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), "select sum(refused), sum(kept) from rejection_count").Scan(&counted, &kept))
	require.Equal(t, rejected.Load(), counted)
	require.Equal(t, rejected.Load(), kept)
	require.NotZero(t, duplicates.Load())
	require.NotZero(t, retracted.Load())
	t.Logf("%d stored, %d duplicates, %d rejected, %d not stored with others, %d deadlocks",
		stored.Load(), duplicates.Load(), rejected.Load(), retracted.Load(), countDeadlocks(t, b))
}
