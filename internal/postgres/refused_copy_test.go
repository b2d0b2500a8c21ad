package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// A COPY that the server refuses before it asks for data leaves nothing behind, and its
// connection is usable for the next group, although the data was already sent.
func TestRefusedCopyLeavesItsConnectionUsable(t *testing.T) {
	t.Parallel()
	ctx, b := context.Background(), newBundle(t)
	db, err := postgres.Open(ctx, postgres.Config{
		URL: b.database.DSN(), WriteConnections: 1, ReadConnections: 1,
		ConnectTimeout: 3 * time.Second, WriteTimeout: time.Second, ReadTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	store, session := newStore(db, keepAll()), uuid.New()
	c := collectorWithin(t, store, 1, time.Minute)
	submit(t, c, request(shop, envelope(uuid.New(), time.Now()))) // connections are renewed once, since commits here do not wait for the disk
	require.Equal(t, int64(1), submit(t, c, request(shop, envelope(session, time.Now())))[0].Sequence)
	pool := b.database.Pool(t)
	connected := func() (processes []int32) {
		require.NoError(t, pool.QueryRow(ctx, `select array_agg(pid) from pg_stat_activity
			where application_name = 'theeye write' and datname = current_database()`).Scan(&processes))
		return processes
	}
	require.Eventually(t, func() bool { return len(connected()) == 1 }, 30*time.Second, 10*time.Millisecond)
	before := connected()

	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "lock table event in exclusive mode")
	require.NoError(t, err)
	type answer struct {
		verdicts []ingest.Verdict
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		verdicts, err := c.Submit(ctx, request(shop, envelope(session, time.Now())))
		answers <- answer{verdicts, err}
	}()
	attempts := map[string]bool{}
	require.Eventually(t, func() bool { // the second attempt waits, so the first was refused
		var attempt string
		err := pool.QueryRow(ctx, `select virtualtransaction from pg_locks where not granted and relation = 'event'::regclass`).Scan(&attempt)
		if err == nil {
			attempts[attempt] = true
		}

		return len(attempts) > 1
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, tx.Rollback(ctx))

	got := <-answers
	require.NoError(t, got.err)
	require.Equal(t, ingest.Stored, got.verdicts[0].Status)
	require.Equal(t, int64(2), got.verdicts[0].Sequence, "the refused attempt used no sequence")
	require.Equal(t, before, connected(), "the connection was kept")
}
