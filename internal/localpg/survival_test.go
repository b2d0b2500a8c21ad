package localpg_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

func TestStartAdoptsThePostmasterOfAKilledOwner(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	owner, pid := startOwner(t, dir)

	_, err := localpg.Start(t.Context(), cheapOptions(dir))
	require.ErrorIs(t, err, localpg.ErrInUse)
	require.NoError(t, owner.Kill())
	_, err = owner.Wait()
	require.NoError(t, err)

	server := startServer(t, cheapOptions(dir))
	require.Equal(t, pid, server.PID())
	requireRunning(t, server)
	stopServer(t, server)
	requireDone(t, server)

	require.NoError(t, server.Restart(t.Context()))
	require.NotEqual(t, pid, server.PID())
	requireRunning(t, server)
}

func TestPostmasterDiesWithItsParent(t *testing.T) {
	t.Parallel()
	requireDeathWithOwner(t)
}

func TestFrozenPostmasterDiesWithItsParent(t *testing.T) {
	t.Parallel()
	requireDeathWithOwner(t, ownerFreezeVariable+"=1")
}

func requireDeathWithOwner(t *testing.T, env ...string) {
	t.Helper()
	dir := newDir(t)
	owner, pid := startOwner(t, dir, append(env, ownerDieVariable+"=1")...)
	require.NoError(t, owner.Kill())
	_, err := owner.Wait()
	require.NoError(t, err)

	// An adopted postmaster would keep its pid, if this raced with its death.
	server := startServer(t, cheapOptions(dir))
	require.NotEqual(t, pid, server.PID())
	requireRunning(t, server)
}

func TestOfManyStartsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	const starters = 4
	servers, errs := make([]*localpg.Server, starters), make([]error, starters)
	var group sync.WaitGroup
	for i := range starters {
		group.Go(func() { servers[i], errs[i] = localpg.Start(t.Context(), cheapOptions(dir)) })
	}

	group.Wait()
	won := 0
	for i, server := range servers {
		if errs[i] != nil {
			require.ErrorIs(t, errs[i], localpg.ErrInUse)
			continue
		}

		won++
		requireRunning(t, server)
		stopServer(t, server)
	}

	require.Equal(t, 1, won)
}

func TestStartIgnoresAStalePIDFile(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := startServer(t, cheapOptions(dir))
	pid := server.PID()
	stopServer(t, server)
	// A pid that is gone, and one that now belongs to another program: this one.
	for _, stale := range []int{pid, os.Getpid()} {
		content := fmt.Sprintf("%d\n%s\n1\n5432\n/nowhere\n\n1 1\nready\n", stale, dir)
		path := filepath.Join(dir, "postmaster.pid")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		require.NoError(t, server.Restart(t.Context()))
		requireRunning(t, server)
		stopServer(t, server)
	}
}

func TestRestartRecoversAfterKill(t *testing.T) {
	t.Parallel()
	server := startServer(t, durableOptions(newDir(t)))
	execStatement(t, server, "CREATE TABLE note AS SELECT generate_series(1, 1000) AS n")
	require.NoError(t, server.Kill())
	requireDone(t, server)
	require.NoError(t, server.Kill())
	require.Error(t, server.Freeze())

	require.NoError(t, server.Restart(t.Context()))
	require.Equal(t, 1000, queryValue[int](t, server, "SELECT count(*) FROM note"))
}

func TestRestartAfterThePostmasterAloneIsKilled(t *testing.T) {
	t.Parallel()
	server := startServer(t, durableOptions(newDir(t)))
	execStatement(t, server, "CREATE TABLE note AS SELECT 'kept' AS body")
	killProcess(t, server.PID())
	requireDone(t, server)
	// Its orphans may still be exiting.
	require.NoError(t, server.Restart(t.Context()))
	require.Equal(t, "kept", queryValue[string](t, server, "SELECT body FROM note"))
}

func TestFreezeAndThaw(t *testing.T) {
	t.Parallel()
	server := startServer(t, cheapOptions(newDir(t)))
	require.NoError(t, server.Thaw())
	bystander, victim := connectTo(t, server), connectTo(t, server)

	require.NoError(t, server.Freeze())
	requireTimeout(t, victim)
	requireNoConnection(t, server)
	require.NoError(t, server.Thaw())

	// A connection whose query was not abandoned continues as if nothing had happened.
	require.NoError(t, bystander.Ping(t.Context()))
	requireRunning(t, server)
}

func TestStopAndKillWorkOnAFrozenServer(t *testing.T) {
	t.Parallel()
	server := startServer(t, durableOptions(newDir(t)))
	require.NoError(t, server.Freeze())
	stopServer(t, server)
	requireDone(t, server)

	require.NoError(t, server.Restart(t.Context()))
	require.NoError(t, server.Freeze())
	require.NoError(t, server.Kill())
	requireDone(t, server)
	require.NoError(t, server.Restart(t.Context()))
	requireRunning(t, server)
}

func TestPostmasterHasAProcessGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	server := startServer(t, cheapOptions(newDir(t)))
	group, err := syscall.Getpgid(server.PID())
	require.NoError(t, err)
	require.Equal(t, server.PID(), group)
}

const frozenTimeout = 300 * time.Millisecond

func requireTimeout(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), frozenTimeout)
	defer cancel()

	require.ErrorIs(t, conn.Ping(ctx), context.DeadlineExceeded)
}

func requireNoConnection(t *testing.T, server *localpg.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), frozenTimeout)
	defer cancel()

	_, err := pgx.Connect(ctx, server.DSN("postgres"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
