package postgres_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/migrations"
)

// A session that alters a table has exclusive access. Requests that arrive meanwhile are
// answered within their budget, with a retry, and are stored when the table is free.
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
			require.Equal(t, int64(2), verdicts[0].Sequence, "the second try finds out whether the first was stored")
			require.Equal(t, ingest.Conflict, verdicts[1].Status)
			requireGapless(t, b)
		})
	}
}

// A migration that waits for a long reader holds up every later transaction. So it gives up
// after a second, and is retried until the reader has gone.
func TestMigrationGivesWay(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	dsn := b.database.DSN()
	migrateDownTo(t, dsn, 2) // the third migration alters event
	pool := b.database.Pool(t)
	reader, err := pool.Begin(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Rollback(context.Background()) })
	_, err = reader.Exec(context.Background(), "select from event")
	require.NoError(t, err)

	migrated := make(chan error, 1)
	go func() { migrated <- postgres.Migrate(context.Background(), dsn) }()
	const waiting = `select exists (select from pg_locks where relation = 'event'::regclass and mode = 'AccessExclusiveLock' and not granted)`
	require.Eventually(t, func() bool {
		var found bool
		return pool.QueryRow(t.Context(), waiting).Scan(&found) == nil && found
	}, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	_, err = pool.Exec(ctx, "select from event")
	require.NoError(t, err, "a later transaction does not wait")
	require.Empty(t, migrated, "while it still waits for the reader")
	require.ErrorIs(t, b.db.CheckSchema(t.Context()), postgres.ErrSchemaBehind)

	require.NoError(t, reader.Rollback(context.Background()))
	require.NoError(t, <-migrated)
	require.NoError(t, b.db.CheckSchema(t.Context()))
}

// migrateDownTo reverts migrations until the given one is the last.
func migrateDownTo(t testing.TB, dsn string, last int64) {
	t.Helper()
	there, err := postgres.Migrations(context.Background(), dsn)
	require.NoError(t, err)
	for _, m := range there {
		if m.Version > last && m.Applied {
			require.NoError(t, postgres.MigrateDown(context.Background(), dsn, func(postgres.MigrationStep) {}))
		}
	}
}

// Every migration has to set a lock timeout.
func TestEveryStepGivesWay(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(migrations.Files(), "*.sql")
	require.NoError(t, err)
	for _, name := range files {
		text, err := migrations.Files().ReadFile(name)
		require.NoError(t, err)
		if strings.Contains(string(text), "+goose NO TRANSACTION") {
			continue // it alters nothing that other transactions wait for
		}

		for _, section := range []string{"Up", "Down"} {
			require.Contains(t, string(text), "-- +goose "+section+"\nset local lock_timeout = '1s';\n", name)
		}
	}
}
