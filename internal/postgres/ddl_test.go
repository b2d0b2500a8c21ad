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

// Whoever alters a table has it for himself. What is sent meanwhile is answered within
// its time, as something to be sent again, and all goes on when the table is free.
func TestTablesThatAreBeingAltered(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"event", "event_key", "session", "rejection_count", "rejection"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			c := collector(t, b.store, 1)
			session, noon := uuid.New(), time.Now().Add(-time.Hour)
			known := envelope(session, noon)
			submit(t, c, request(shop, known))
			conflicting := known
			conflicting.Event.Name = "other"
			tx, err := b.database.Pool(t).Begin(context.Background())
			require.NoError(t, err)
			_, err = tx.Exec(context.Background(), "lock table "+table+" in access exclusive mode")
			require.NoError(t, err)

			sent := request(shop, envelope(session, noon), conflicting)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			t.Cleanup(cancel)
			_, err = c.Submit(ctx, sent)
			require.True(t, fault.Is(err, fault.CodeUnavailable), "%v", err)

			require.NoError(t, tx.Rollback(context.Background()))
			verdicts := submit(t, c, request(shop, sent.Envelopes...))
			require.Equal(t, int64(2), verdicts[0].Sequence, "the first try was stored or not, and the second knows")
			require.Equal(t, ingest.Conflict, verdicts[1].Status)
			gapless(t, b)
		})
	}
}

// A migration that waits for a long reader holds up all who write. With a lock_timeout in
// its URL it gives way, has done nothing by halves, and can be tried again.
func TestMigrationGivesWay(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	dsn := b.database.DSN()
	for range 2 {
		require.NoError(t, postgres.MigrateDown(t.Context(), dsn))
	}
	reader, err := b.database.Pool(t).Begin(context.Background())
	require.NoError(t, err)
	_, err = reader.Exec(context.Background(), "select from event")
	require.NoError(t, err)
	err = postgres.Migrate(t.Context(), with(dsn, "lock_timeout=100ms"))
	require.ErrorContains(t, err, "55P03")
	require.ErrorIs(t, b.db.CheckSchema(t.Context()), postgres.ErrSchemaBehind)
	require.NoError(t, reader.Rollback(context.Background()))
	require.NoError(t, postgres.Migrate(t.Context(), with(dsn, "lock_timeout=100ms")))
	require.NoError(t, b.db.CheckSchema(t.Context()))
}
