package localpg_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

const (
	ownerDirVariable    = "LOCALPG_OWNER_DIR"
	ownerDieVariable    = "LOCALPG_OWNER_DIE_WITH_PARENT"
	ownerFreezeVariable = "LOCALPG_OWNER_FREEZE"
	patience            = 30 * time.Second
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDirVariable); dir != "" {
		runOwner(dir)
		return
	}

	remove, err := useTemp()
	if err != nil {
		panic(err)
	}

	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		remove()
		os.Exit(code) //nolint:forbidigo // goleak leaves it to its cleanup
	}))
}

// runOwner is the second process of the tests that need one: it starts a server, prints
// its pid and waits to be killed.
func runOwner(dir string) {
	options := cheapOptions(dir)
	options.DieWithParent = os.Getenv(ownerDieVariable) != ""
	server, err := localpg.Start(context.Background(), options)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		return
	}

	if os.Getenv(ownerFreezeVariable) != "" {
		err = server.Freeze()
	}

	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		return
	}

	_, _ = fmt.Fprintln(os.Stdout, server.PID())
	<-server.Done()
}

// useTemp gives these tests their own temporary directory, because the library that
// fetches binaries leaves files there. It is in memory if there is enough, because a
// cluster has a thousand files, which take seconds on some disks.
func useTemp() (remove func(), err error) {
	const memory, plenty = "/dev/shm", 4 << 30
	parent := os.TempDir()
	var stat syscall.Statfs_t
	const writeAndEnter = 0b011
	if os.Getenv("TMPDIR") == "" && syscall.Access(memory, writeAndEnter) == nil && syscall.Statfs(memory, &stat) == nil &&
		uint64(stat.Bavail)*uint64(stat.Bsize) > plenty { //nolint:unconvert // the types differ between systems
		parent = memory
	}

	dir, err := os.MkdirTemp(parent, "theeye-localpg-")
	if err != nil {
		return nil, err
	}

	remove = func() { _ = os.RemoveAll(dir) }
	// As root, the server runs under another account, which must be able to enter.
	return remove, errors.Join(os.Chmod(dir, 0o755), os.Setenv("TMPDIR", dir))
}

// startOwner starts runOwner in a process, and returns the process and its server's pid.
func startOwner(t *testing.T, dir string, env ...string) (*os.Process, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), ownerDirVariable+"="+dir), env...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, line)
	return cmd.Process, pid
}

// newDir returns a data directory that another account may reach.
func newDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	data := filepath.Join(dir, "data")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()

		require.NoError(t, localpg.Remove(ctx, localpg.Options{DataDir: data}))
	})
	return data
}

func cheapOptions(dir string) localpg.Options {
	return localpg.Options{DataDir: dir, Settings: map[string]string{"shared_buffers": "16MB"}}
}

func durableOptions(dir string) localpg.Options {
	options := cheapOptions(dir)
	options.Durable = true
	return options
}

func startServer(t *testing.T, options localpg.Options) *localpg.Server {
	t.Helper()
	server, err := localpg.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { stopServer(t, server) })
	return server
}

func stopServer(t *testing.T, server *localpg.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	require.NoError(t, server.Stop(ctx))
}

func connectTo(t *testing.T, server *localpg.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.DSN("postgres"))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()

		_ = conn.Close(ctx) // the test may have killed the server
	})
	return conn
}

func execStatement(t *testing.T, server *localpg.Server, statement string) {
	t.Helper()
	_, err := connectTo(t, server).Exec(t.Context(), statement)
	require.NoError(t, err)
}

func queryValue[T any](t *testing.T, server *localpg.Server, query string) T {
	t.Helper()
	var answer T
	require.NoError(t, connectTo(t, server).QueryRow(t.Context(), query).Scan(&answer))
	return answer
}

func requireDone(t *testing.T, server *localpg.Server) {
	t.Helper()
	select {
	case <-server.Done():
	case <-time.After(patience):
		require.Fail(t, "the server has not ended")
	}
}

func requireRunning(t *testing.T, server *localpg.Server) {
	t.Helper()
	select {
	case <-server.Done():
		require.Fail(t, "the server has ended")
	default:
	}

	require.Equal(t, 1, queryValue[int](t, server, "SELECT 1"))
}

func killProcess(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}
