package pgtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.WithMigrations(createSchema)) }

func createSchema(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}

	defer func() { _ = conn.Close(ctx) }()

	if _, err := conn.Exec(ctx, "CREATE TABLE note (body text NOT NULL)"); err != nil {
		return fmt.Errorf("creating table: %w", err)
	}

	return nil
}

func TestDatabasesAreIsolated(t *testing.T) {
	t.Parallel()
	first, second := pgtest.New(t), pgtest.New(t)
	require.NotEqual(t, first.DSN(), second.DSN())

	_, err := first.Pool(t).Exec(t.Context(), "INSERT INTO note VALUES ('only here')")
	require.NoError(t, err)

	require.Equal(t, 1, countNotes(t, first))
	require.Equal(t, 0, countNotes(t, second))
}

func TestNewIsSafeInParallel(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(fmt.Sprintf("Clone %d/ünï", i), func(t *testing.T) {
			t.Parallel()
			database := pgtest.New(t)
			_, err := database.Pool(t).Exec(t.Context(), "INSERT INTO note VALUES ($1)", database.Name())
			require.NoError(t, err)
			require.Equal(t, 1, countNotes(t, database))
		})
	}
}

func TestDatabaseIsDroppedWhenTheTestPasses(t *testing.T) {
	t.Parallel()
	witness := pgtest.New(t)
	var name string
	t.Run("passing", func(t *testing.T) {
		database := pgtest.New(t)
		name = database.Name()
		require.True(t, databaseExists(t, witness, name))

		// An open connection must not keep the database alive.
		conn, err := pgx.Connect(t.Context(), database.DSN())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	})
	require.False(t, databaseExists(t, witness, name))
}

func TestDedicatedKeepsCommittedDataAcrossAKill(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDedicated(t, pgtest.WithSetting("max_connections", "20"))
	shared := pgtest.New(t)
	require.NotEqual(t, shared.Server().PID(), database.Server().PID())

	_, err := database.Pool(t).Exec(t.Context(), "INSERT INTO note VALUES ('kept')")
	require.NoError(t, err)
	require.NoError(t, database.Server().Kill())
	require.NoError(t, database.Server().Restart(t.Context()))
	require.Equal(t, 1, countNotes(t, database))
	require.Equal(t, 0, countNotes(t, shared))
}

func countNotes(t *testing.T, database *pgtest.Database) int {
	t.Helper()
	var count int
	require.NoError(t, database.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM note").Scan(&count))
	return count
}

func databaseExists(t *testing.T, witness *pgtest.Database, name string) bool {
	t.Helper()
	var found bool
	err := witness.Pool(t).QueryRow(t.Context(),
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&found)
	require.NoError(t, err)
	return found
}
