package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// A COPY that the server refuses before it asks for data leaves nothing behind, and
// its connection is good for the next group, although the data was sent already.
func TestRefusedCopyLeavesItsConnectionUsable(t *testing.T) {
	t.Parallel()
	ctx, b := context.Background(), newBundle(t)
	db, err := postgres.Open(ctx, postgres.Config{
		URL: b.database.DSN(), WriteConnections: 1, ReadConnections: 1,
		ConnectTimeout: 3 * time.Second, WriteTimeout: 200 * time.Millisecond, ReadTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	store, session := newStore(db, keepAll()), uuid.New()
	c := collector(t, store, 1)
	submit(t, c, request(shop, envelope(uuid.New(), time.Now()))) // connections are made anew once, since commits wait for no disk here
	require.Equal(t, int64(1), submit(t, c, request(shop, envelope(session, time.Now())))[0].Sequence)
	pool := b.database.Pool(t)
	connected := func() (processes []int32) {
		require.NoError(t, pool.QueryRow(ctx, `select array_agg(pid) from pg_stat_activity
			where application_name = 'theeye write' and datname = current_database()`).Scan(&processes))
		require.Len(t, processes, 1)
		return processes
	}
	before := connected()

	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "lock table event in exclusive mode")
	require.NoError(t, err)
	refused := envelope(session, time.Now())
	_, err = c.Submit(ctx, request(shop, refused))
	require.True(t, fault.Is(err, fault.CodeUnavailable), "%v", err)
	require.NoError(t, tx.Rollback(ctx))

	verdicts := submit(t, c, request(shop, refused, envelope(session, time.Now())))
	// The last attempt of the group that was given up may have found the table free.
	require.Contains(t, []ingest.Status{ingest.Stored, ingest.Duplicate}, verdicts[0].Status)
	require.Equal(t, ingest.Stored, verdicts[1].Status)
	require.Equal(t, int64(2), verdicts[0].Sequence, "what was refused took no place")
	require.Equal(t, before, connected(), "the connection was kept")
}
