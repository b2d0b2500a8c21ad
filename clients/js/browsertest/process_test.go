//go:build browser

package browsertest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// process is the service as a process, with an address that it keeps when it is killed and started
// again. It is safe for concurrent use.
type process struct {
	t            testing.TB
	program      string
	dsn          string
	address, ops string
	log          *os.File

	mu      sync.Mutex
	command *exec.Cmd
}

// startProcess builds the program, and starts it on a database until the test ends.
func startProcess(t testing.TB, database *pgtest.Database) *process {
	t.Helper()
	p := &process{t: t, program: filepath.Join(t.TempDir(), "theeye"), dsn: database.DSN(), address: program.FreeAddress(t), ops: program.FreeAddress(t)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.program, "../../../cmd/theeye")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)

	p.log, err = os.Create(filepath.Join(t.TempDir(), "service.log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		p.kill()
		require.NoError(t, p.log.Close())
	})
	require.NoError(t, p.start(t.Context()))

	return p
}

func (p *process) url() string { return "http://" + p.address }

// start starts the service, and returns when it is ready.
func (p *process) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()

	command := exec.CommandContext(context.WithoutCancel(ctx), p.program, "serve",
		"--http-listen", p.address, "--ops-listen", p.ops, "--drain-delay", "0s", "--log-level", "warn")
	command.Env = []string{"THEEYE_DATABASE_URL=" + p.dsn}
	command.Stdout = p.log
	command.Stderr = p.log
	if err := command.Start(); err != nil {
		return err
	}

	p.command = command

	return p.awaitReady(ctx)
}

func (p *process) awaitReady(ctx context.Context) error {
	const patience, step = 30 * time.Second, 20 * time.Millisecond

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.ops+"/readyz", http.NoBody)
		if err != nil {
			return err
		}

		request.Close = true
		if response, err := http.DefaultClient.Do(request); err == nil {
			io.Copy(io.Discard, response.Body) //nolint:errcheck // the status is all
			response.Body.Close()              //nolint:errcheck // it was read
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(step):
		}
	}
}

// kill ends the service at once, as kill -9 does.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.command == nil {
		return
	}

	p.command.Process.Kill() //nolint:errcheck // it has ended already
	p.command.Wait()         //nolint:errcheck // it was killed
	p.command = nil
}

// serveControl lets the driver kill the service and start it again.
func (p *process) serveControl(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/control/kill-service" {
		p.kill()
		return
	}

	if err := p.start(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
