package localpg_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

func TestServerKeepsDataAcrossStopAndStart(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	first := startServer(t, durableOptions(dir))
	execStatement(t, first, "CREATE TABLE note AS SELECT 'kept' AS body")
	execStatement(t, first, "CREATE DATABASE other")
	stopServer(t, first)
	requireDone(t, first)
	stopServer(t, first)

	second := startServer(t, durableOptions(dir))
	require.Equal(t, "kept", queryValue[string](t, second, "SELECT body FROM note"))
	conn, err := pgx.Connect(t.Context(), second.DSN("other"))
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

func TestTheLogIsPrivate(t *testing.T) {
	t.Parallel()
	s := startServer(t, durableOptions(newDir(t)))
	info, err := os.Stat(s.DataDir() + ".log")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestServerSettings(t *testing.T) {
	t.Parallel()
	options := durableOptions(newDir(t))
	options.Settings["work_mem"] = "7MB"
	server := startServer(t, options)
	for name, want := range map[string]string{
		"listen_addresses":   "",
		"fsync":              "on",
		"synchronous_commit": "on",
		"full_page_writes":   "on",
		"max_wal_size":       "2GB",
		"max_connections":    "100",
		"shared_buffers":     "16MB",
		"work_mem":           "7MB",
		"server_encoding":    "UTF8",
	} {
		require.Equal(t, want, queryValue[string](t, server, "SHOW "+name), name)
	}

	require.Equal(t, "theeye", queryValue[string](t, server, "SELECT current_user::text"))
	require.NotEqual(t, "off", queryValue[string](t, server, "SHOW wal_compression"))
}

func TestServerStopsThoughSessionsAreOpen(t *testing.T) {
	t.Parallel()
	server := startServer(t, cheapOptions(newDir(t)))
	conn := connectTo(t, server)
	_, err := conn.Exec(t.Context(), "BEGIN")
	require.NoError(t, err)
	stopServer(t, server)
	requireDone(t, server)
	require.Error(t, conn.Ping(t.Context()))
}

func TestStopQuitsAtItsDeadline(t *testing.T) {
	t.Parallel()
	server := startServer(t, durableOptions(newDir(t)))
	execStatement(t, server, "CREATE TABLE note AS SELECT 'kept' AS body")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Whether the clean shutdown was faster depends on the scheduler.
	if err := server.Stop(ctx); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}

	requireDone(t, server)

	require.NoError(t, server.Restart(t.Context()))
	require.Equal(t, "kept", queryValue[string](t, server, "SELECT body FROM note"))
}

func TestRestartRefusesARunningServer(t *testing.T) {
	t.Parallel()
	server := startServer(t, cheapOptions(newDir(t)))
	require.ErrorContains(t, server.Restart(t.Context()), "is running")
	requireRunning(t, server)
}

func TestStartReportsWhatThePostmasterSaid(t *testing.T) {
	t.Parallel()
	options := cheapOptions(newDir(t))
	options.Settings["shared_buffers"] = "not a size"
	_, err := localpg.Start(t.Context(), options)
	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers"`)

	startServer(t, cheapOptions(options.DataDir))
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := localpg.Start(ctx, cheapOptions(newDir(t)))
	require.ErrorIs(t, err, context.Canceled)
}

func TestStartRefusesAForeignDirectory(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, os.Mkdir(dir, 0o700))
	precious := filepath.Join(dir, "precious")
	require.NoError(t, os.WriteFile(precious, nil, 0o600))
	_, err := localpg.Start(t.Context(), cheapOptions(dir))
	require.ErrorContains(t, err, "neither empty nor a Postgres data directory")
	require.FileExists(t, precious)
}

func TestStartRefusesAnotherMajor(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := localpg.Start(t.Context(), cheapOptions(dir))
	require.ErrorContains(t, err, "was created by Postgres 9 but the binaries in")
	require.ErrorContains(t, err, "--pg-bin")
}

func TestStartUsesAnEmptyDirectoryAndClearsHalfMadeClusters(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, os.Mkdir(dir, 0o700))
	half := dir + ".init-123"
	require.NoError(t, os.MkdirAll(filepath.Join(half, "base"), 0o700))
	startServer(t, cheapOptions(dir))
	require.NoDirExists(t, half)
}

func TestPostmasterRunsUnderAnUnprivilegedAccount(t *testing.T) {
	t.Parallel()
	server := startServer(t, cheapOptions(newDir(t)))
	info, err := os.Stat(server.DataDir())
	require.NoError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.NotZero(t, stat.Uid)
	if self := os.Geteuid(); self != 0 {
		require.EqualValues(t, self, stat.Uid)
	}

	require.EqualValues(t, 0o700, info.Mode().Perm())

	socketDir := queryValue[string](t, server, "SHOW unix_socket_directories")
	info, err = os.Stat(socketDir)
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info.Mode().Perm())
	stopServer(t, server)
	require.NoDirExists(t, socketDir)
}

// As root, Postgres runs under an account that cannot enter a closed directory. An ordinary user runs
// it under the own account, for which it is open.
func TestStartNamesTheClosedDirectory(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o700))
	if os.Geteuid() != 0 {
		require.NoError(t, localpg.CheckReach(dir))
		return
	}

	_, err := localpg.Start(t.Context(), cheapOptions(dir))
	require.ErrorIs(t, err, localpg.ErrClosed)
	require.ErrorContains(t, err, "directory "+filepath.Dir(dir)+" is closed to the account that runs Postgres")
	require.ErrorContains(t, err, "--data-dir")
	require.ErrorIs(t, localpg.CheckReach(dir), localpg.ErrClosed)
}

func TestCheckReachOfAnOpenDirectory(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, localpg.CheckReach(dir))
	require.NoDirExists(t, dir)
}

func TestRemoveDeletesEverything(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := startServer(t, cheapOptions(dir))
	require.ErrorIs(t, localpg.Remove(t.Context(), cheapOptions(dir)), localpg.ErrInUse)
	stopServer(t, server)
	require.NoError(t, localpg.Remove(t.Context(), cheapOptions(dir)))
	entries, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Empty(t, entries)
}
