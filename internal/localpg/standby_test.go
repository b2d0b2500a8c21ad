package localpg_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// pollEvery is the interval of a test's checks.
const pollEvery = 20 * time.Millisecond

// startStandby starts a standby of a primary, which outlives the standby.
func startStandby(t *testing.T, primary *localpg.Server) *localpg.Server {
	t.Helper()
	dir := filepath.Join(filepath.Dir(primary.DataDir()), "standby")
	standby, err := primary.StartStandby(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() {
		stopServer(t, standby)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()

		require.NoError(t, localpg.Remove(ctx, localpg.Options{DataDir: dir}))
	})
	return standby
}

// requireCaughtUp waits until the standby has replayed all writes of the primary.
func requireCaughtUp(t *testing.T, primary, standby *localpg.Server) {
	t.Helper()
	written := queryValue[string](t, primary, "select pg_current_wal_lsn()::text")
	conn := connectTo(t, standby)
	require.Eventually(t, func() bool {
		var there bool
		err := conn.QueryRow(t.Context(), "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written).Scan(&there)
		return err == nil && there
	}, patience, pollEvery)
}

func TestAStandbyFollowsItsPrimaryAndIsPromoted(t *testing.T) {
	t.Parallel()
	options := durableOptions(newDir(t))
	options.Settings["max_connections"] = "33"
	primary := startServer(t, options)
	execStatement(t, primary, "create table note as select 'before' as body")

	standby := startStandby(t, primary)
	require.Equal(t, "33", queryValue[string](t, standby, "show max_connections"))
	require.True(t, queryValue[bool](t, standby, "select pg_is_in_recovery()"))

	execStatement(t, primary, "insert into note values ('after')")
	requireCaughtUp(t, primary, standby)
	require.Equal(t, 2, queryValue[int](t, standby, "select count(*) from note"))
	_, err := connectTo(t, standby).Exec(t.Context(), "insert into note values ('refused')")
	require.ErrorContains(t, err, "read-only")

	require.NoError(t, primary.Kill())
	require.NoError(t, standby.Promote(t.Context()))
	execStatement(t, standby, "insert into note values ('on its own')")
	require.Equal(t, 3, queryValue[int](t, standby, "select count(*) from note"))
	require.Error(t, standby.Promote(t.Context()), "it is not a standby any more")
}

func TestAStandbyComesBackAfterAKillAndAfterItsPrimaryWas(t *testing.T) {
	t.Parallel()
	primary := startServer(t, durableOptions(newDir(t)))
	standby := startStandby(t, primary)
	require.NoError(t, standby.Kill())
	execStatement(t, primary, "create table note as select 'while it was away' as body")
	require.NoError(t, standby.Restart(t.Context()))
	requireCaughtUp(t, primary, standby)

	require.NoError(t, primary.Kill())
	require.NoError(t, primary.Restart(t.Context()))
	execStatement(t, primary, "insert into note values ('after both')")
	requireCaughtUp(t, primary, standby)
	require.Equal(t, 2, queryValue[int](t, standby, "select count(*) from note"))
}

// A server is copied during writes, and the copy is complete.
func TestAStandbyIsMadeUnderLoad(t *testing.T) {
	t.Parallel()
	primary := startServer(t, durableOptions(newDir(t)))
	execStatement(t, primary, "create table note (n bigint primary key, body text)")
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan int)
	conn := connectTo(t, primary)
	go func() {
		n := 0
		for ctx.Err() == nil {
			n++
			if _, err := conn.Exec(context.WithoutCancel(ctx), "insert into note values ($1, repeat('x', 2000))", n); err != nil {
				n--
				break
			}
		}

		written <- n
	}()

	standby := startStandby(t, primary)
	cancel()
	rows := <-written
	require.Positive(t, rows)
	requireCaughtUp(t, primary, standby)
	require.Equal(t, rows, queryValue[int](t, standby, "select count(*) from note"))
}

func TestAStandbyIsRefusedWhereSomethingIs(t *testing.T) {
	t.Parallel()
	primary := startServer(t, cheapOptions(newDir(t)))
	_, err := primary.StartStandby(t.Context(), primary.DataDir())
	require.ErrorContains(t, err, "exists already")

	require.NoError(t, primary.Kill())
	_, err = primary.StartStandby(t.Context(), filepath.Join(filepath.Dir(primary.DataDir()), "standby"))
	require.ErrorContains(t, err, "connecting to the primary")
}
