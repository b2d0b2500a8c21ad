package main_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/client"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// TestMain builds the program that the tests kill. Its flags make the tests longer than they
// have to be every day.
func TestMain(m *testing.M) {
	flag.Int("kills", 20, "how often the sending process is killed")
	flag.Duration("outage", 3*time.Second, "how long the service is down")
	program.Build(filepath.Join("..", "..", "bin", "under-test", "e2e"))
	pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate))
}

// flagValue returns the value of a flag of TestMain.
func flagValue[T any](t *testing.T, name string) T {
	t.Helper()
	getter, ok := flag.Lookup(name).Value.(flag.Getter)
	require.True(t, ok)
	value, ok := getter.Get().(T)
	require.True(t, ok)
	return value
}

func newClient(t *testing.T, url, key string) *client.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(url, key, client.WithHTTPClient(&http.Client{Transport: transport, Timeout: time.Minute}))
	require.NoError(t, err)
	return c
}

// storedIDs returns the ids of a session's events in the order of their sequence.
func storedIDs(t *testing.T, database *pgtest.Database, session string) (ids []string) {
	t.Helper()
	rows, err := database.Pool(t).Query(context.Background(), "select event_id::text from event where session_id = $1 order by sequence", session)
	require.NoError(t, err)
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}

	require.NoError(t, rows.Err())
	return ids
}

// serving is the service as a process.
type serving struct {
	command *exec.Cmd
	ended   chan struct{}
}

// buildService builds the service, and returns its path.
func buildService(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", "under-test", "theeye-e2e"))
	require.NoError(t, err)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/theeye")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// run runs a command of the service, and returns its output.
func run(t *testing.T, path string, database *pgtest.Database, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), path, arguments...)
	command.Env = []string{"THEEYE_DATABASE_URL=" + database.DSN()}
	out, err := command.Output()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// serve starts the service and waits until it is ready.
func serve(t *testing.T, path, address, ops string, database *pgtest.Database) *serving {
	t.Helper()
	s := &serving{command: exec.CommandContext(context.Background(), path, "serve", "--http-listen", address, "--ops-listen", ops), ended: make(chan struct{})}
	s.command.Env = []string{"THEEYE_DATABASE_URL=" + database.DSN(), "THEEYE_DRAIN_DELAY=0s"}
	var log strings.Builder // read when the process has ended
	s.command.Stderr = &log
	require.NoError(t, s.command.Start())
	go func() {
		_ = s.command.Wait() // it is killed
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("%s", log.String())
		}
	})
	require.Eventually(t, func() bool { return isReady(t.Context(), ops) }, time.Minute, 20*time.Millisecond, "the service is not ready")
	return s
}

func isReady(ctx context.Context, ops string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/readyz", ops), http.NoBody)
	if err != nil {
		return false
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}

	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// kill ends the service without a warning.
func (s *serving) kill() {
	_ = s.command.Process.Kill() // it may have ended
	<-s.ended
}
