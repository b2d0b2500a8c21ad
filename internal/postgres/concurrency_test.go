package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestManyWritersOfOneSession(t *testing.T) {
	t.Parallel()
	const writers, requests = 32, 25
	b, oracle := newBundle(t), apptest.NewOracle()
	both := replicas(t, b, 2)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	var sent atomic.Int64
	parallel(writers, func(writer int) {
		d := newDice(uint64(writer), 2)
		for range requests {
			envelopes := make([]event.Envelope, 1+d.IntN(4))
			for i := range envelopes {
				envelopes[i] = envelope(session, d.around(noon))
			}

			sent.Add(int64(len(envelopes)))
			application := shop
			if writer%4 == 0 {
				application = blog
			}

			for i, v := range send(t, oracle, both[writer%2], request(application, envelopes...)) {
				if v.Status != ingest.Stored {
					t.Errorf("event %d of a request was %s", i, v.Status)
				}
			}
		}
	})
	requireConsistent(t, b, oracle)
	requireGapless(t, b)
	var last, events int64
	var applications []int32
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
		"select last_sequence, event_count, application_ids from session").Scan(&last, &events, &applications))
	require.Equal(t, sent.Load(), last)
	require.Equal(t, sent.Load(), events)
	require.Equal(t, []int32{1, 2}, applications)
}

// Requests name their sessions in opposite orders, groups are wide, and another
// kind of writer commits small groups past any lane.
func TestSessionsInOppositeOrders(t *testing.T) {
	t.Parallel()
	const writers, requests, batch, sessions = 16, 12, 150, 40
	b, oracle := newBundle(t), apptest.NewOracle()
	both := replicas(t, b, 4)
	free := [2]*postgres.EventStore{b.store, newStore(openDB(t, b.database.DSN()), keepAll())}
	now := time.Now()
	parallel(writers, func(writer int) {
		d := newDice(uint64(writer), sessions)
		for range requests {
			envelopes := make([]event.Envelope, batch)
			for i := range envelopes {
				envelopes[i] = envelope(d.session(), now.Add(-time.Hour))
			}

			slices.SortFunc(envelopes, func(x, y event.Envelope) int {
				return slices.Compare(x.Event.SessionID[:], y.Event.SessionID[:])
			})
			if writer%2 == 0 {
				slices.Reverse(envelopes)
			}

			if writer%4 < 3 {
				send(t, oracle, both[d.IntN(2)], request(shop, envelopes...))
				continue
			}

			r := request(blog, envelopes[:20]...)
			verdicts := make([]ingest.Verdict, len(r.Envelopes))
			group := &ingest.Group{}
			for i := range r.Envelopes {
				oracle.RecordSending(r.Envelopes[i].Event)
				group.Items = append(group.Items, ingest.Item{Request: r, Envelope: &r.Envelopes[i], Verdict: &verdicts[i]})
			}

			if err := free[d.IntN(2)].Commit(context.Background(), group); err != nil {
				t.Errorf("a group was not stored: %v", err)
				return
			}

			for i, v := range verdicts {
				oracle.RecordVerdict(r.Envelopes[i].Event, v.Status, v.Sequence)
			}
		}
	})
	requireConsistent(t, b, oracle)
	requireGapless(t, b)
	t.Logf("%d events, %d deadlocks", oracle.Acknowledged(), countDeadlocks(t, b))
}

func TestOneEventSentAHundredTimes(t *testing.T) {
	t.Parallel()
	const copies = 100
	for _, contents := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d contents", contents), func(t *testing.T) {
			t.Parallel()
			b, oracle := newBundle(t), apptest.NewOracle()
			both := replicas(t, b, 2)
			original := envelope(uuid.New(), time.Now().Add(-time.Hour))
			var tally [2]map[ingest.Status]*atomic.Int64
			for i := range tally {
				tally[i] = map[ingest.Status]*atomic.Int64{
					ingest.Stored: {}, ingest.Duplicate: {}, ingest.Conflict: {}, ingest.Rejected: {}, ingest.NotStored: {}, ingest.Valid: {},
				}
			}

			parallel(copies, func(n int) {
				one := original
				one.Event.Data = fmt.Appendf(nil, `{"content":%d}`, n%contents)
				envelopes := []event.Envelope{one}
				if n%3 == 0 { // in the midst of a batch
					other := uuid.New()
					envelopes = []event.Envelope{envelope(other, one.Event.Timestamp), one, envelope(other, one.Event.Timestamp)}
				}

				verdicts := send(t, oracle, both[n/2%2], request(shop, envelopes...))
				if verdicts != nil {
					tally[n%contents][verdicts[len(verdicts)/2].Status].Add(1)
				}
			})
			requireConsistent(t, b, oracle)
			requireGapless(t, b)
			of := func(i int, s ingest.Status) int64 { return tally[i][s].Load() }
			winner := 0
			if of(1, ingest.Stored) > 0 {
				winner = 1
			}

			require.Equal(t, int64(1), of(winner, ingest.Stored))
			require.Equal(t, int64(copies/contents-1), of(winner, ingest.Duplicate))
			require.Zero(t, of(winner, ingest.Conflict))
			require.Equal(t, int64((contents-1)*copies/2), of(1-winner, ingest.Conflict))
			require.Equal(t, (contents-1)*copies/2, count(t, b, "rejection"))
		})
	}
}
