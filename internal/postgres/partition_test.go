package postgres_test

import (
	"context"
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

func TestPartitionsAreMadeOnDemandByManyAtOnce(t *testing.T) {
	t.Parallel()
	const writers, months = 16, 30
	b, oracle := newBundle(t), apptest.NewOracle()
	both := replicas(t, b, 2)
	parallel(writers, func(writer int) {
		d := newDice(uint64(writer), 20)
		for range 3 {
			var envelopes []event.Envelope
			for _, month := range d.Perm(months) {
				envelopes = append(envelopes, envelope(d.session(), firstOf(-month)))
			}

			for _, v := range send(t, oracle, both[d.IntN(2)], request(shop, envelopes...)) {
				if v.Status != ingest.Stored {
					t.Errorf("an event was %s", v.Status)
				}
			}
		}
	})
	requireConsistent(t, b, oracle)
	requireGapless(t, b)
	require.Len(t, partitionsOf(t, b, "event"), months)
	t.Logf("%d deadlocks", countDeadlocks(t, b))
}

func TestPartitionsAreMadeAheadByManyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	other := openDB(t, b.database.DSN())
	parallel(8, func(n int) {
		store := postgres.NewRetentionStore([]*postgres.DB{b.db, other}[n%2])
		for range 2 {
			if err := store.CreatePartitions(context.Background(), firstOf(0), firstOf(2)); err != nil {
				t.Errorf("partitions were not made ahead: %v", err)
			}
		}
	})
	require.Len(t, partitionsOf(t, b, "event"), 3)
	require.Len(t, partitionsOf(t, b, "rejection"), 3)
}

// Retention drops partitions while writers write, even into the very months that expire. No
// request fails, and the remaining rows are consistent.
func TestExpiryUnderLoad(t *testing.T) {
	t.Parallel()
	const writers, least = 12, 40
	b, oracle := newBundle(t), apptest.NewOracle()
	both := replicas(t, b, 2)
	fillEvents(t, b)
	var expired atomic.Bool
	var late atomic.Int64
	boundary := firstOf(-2)
	parallel(writers+2, func(n int) {
		d := newDice(uint64(n), 50)
		if n >= writers {
			store := postgres.NewRetentionStore(openDB(t, b.database.DSN()))
			for range 6 {
				if _, err := store.ExpireEvents(context.Background(), boundary); err != nil {
					t.Errorf("a round failed: %v", err)
				}
			}

			expired.Store(true)
			return
		}

		for rounds := 0; rounds < least || !expired.Load(); rounds++ {
			envelopes := []event.Envelope{envelope(d.session(), boundary), envelope(d.session(), firstOf(0))}
			if n%3 == 0 { // too late
				envelopes = append(envelopes, envelope(d.session(), boundary.Add(-time.Hour)), envelope(uuid.New(), firstOf(-4)))
				late.Add(2)
			}

			send(t, oracle, both[d.IntN(2)], request(shop, envelopes...))
		}
	})
	require.Positive(t, late.Load())
	_, err := postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), boundary)
	require.NoError(t, err)
	contradictions, err := apptest.FindContradictions(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
	var lost int
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), `select count(*) from event where "timestamp" < $1`, boundary).Scan(&lost))
	require.Zero(t, lost, "events before the boundary")
	t.Logf("%d events, %d of them late, %d deadlocks", oracle.Acknowledged(), late.Load(), countDeadlocks(t, b))
}
