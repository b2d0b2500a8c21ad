package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

const (
	patience  = 30 * time.Second
	pollEvery = 10 * time.Millisecond
)

// connectTo opens a connection that is closed when the test ends, even without its server.
func connectTo(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()

		_ = conn.Close(ctx)
	})
	return conn
}

// insertNote inserts a row, and sends the result to the returned channel.
func insertNote(t *testing.T, dsn, body string) <-chan error {
	t.Helper()
	conn, ended := connectTo(t, dsn), make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "INSERT INTO note VALUES ($1)", body)
		ended <- err
	}()
	return ended
}

func readNotes(t *testing.T, dsn string) []string {
	t.Helper()
	rows, err := connectTo(t, dsn).Query(t.Context(), "SELECT body FROM note ORDER BY body")
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

func TestACommitWaitsForTheStandbyAndSurvivesAFailover(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t)
	require.NoError(t, <-insertNote(t, pair.PrimaryDSN(), "1 before"))

	pair.FreezeStandby(t)
	waiting := insertNote(t, pair.DSN(), "2 acknowledged late")
	require.Eventually(t, func() bool { return pair.CommitsWaiting(t) == 1 }, patience, pollEvery)
	select {
	case err := <-waiting:
		require.FailNow(t, "a commit did not wait for the standby", "%v", err)
	default:
	}

	pair.ThawStandby(t)
	require.NoError(t, <-waiting)

	pair.FreezeStandby(t)
	unknown := insertNote(t, pair.DSN(), "3 never acknowledged")
	require.Eventually(t, func() bool { return pair.CommitsWaiting(t) == 1 }, patience, pollEvery)
	pair.KillPrimary(t)
	require.Error(t, <-unknown)

	pair.Promote(t)
	require.NoError(t, <-insertNote(t, pair.DSN(), "4 after the failover"))
	require.Equal(t, []string{"1 before", "2 acknowledged late", "4 after the failover"}, readNotes(t, pair.StandbyDSN()))
}

// A commit that is cancelled while it waits for the standby is only on the primary.
func TestACancelledWaitIsACommitOnOneMachine(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t)
	pair.FreezeStandby(t)
	warned := make(chan string, 1)
	config, err := pgx.ParseConfig(pair.PrimaryDSN())
	require.NoError(t, err)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { warned <- n.Message }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })

	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "INSERT INTO note VALUES ('on one machine')")
		ended <- err
	}()
	require.Eventually(t, func() bool { return pair.CommitsWaiting(t) == 1 }, patience, pollEvery)
	require.NoError(t, conn.PgConn().CancelRequest(t.Context()))
	require.NoError(t, <-ended)
	require.Contains(t, <-warned, "canceling wait for synchronous replication")

	require.Equal(t, []string{"on one machine"}, readNotes(t, pair.PrimaryDSN()))
	pair.KillPrimary(t)
	pair.Promote(t)
	require.Empty(t, readNotes(t, pair.StandbyDSN()))
}

func TestAnAsynchronousStandbyHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, pgtest.WithAsynchronousStandby())
	pair.FreezeStandby(t)
	require.NoError(t, <-insertNote(t, pair.PrimaryDSN(), "1 the standby has to catch up"))
	pair.ThawStandby(t)
	require.Eventually(t, func() bool { return len(readNotes(t, pair.StandbyDSN())) == 1 }, patience, pollEvery)
}
