package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	keepVariable = "EYE_PGTEST_KEEP"
	// binVariable names the folder of the server's programs; then no other folder is tried.
	binVariable = "EYE_PGTEST_BIN"
	stopTimeout = 30 * time.Second
)

var errNoMain = errors.New("pgtest is not set up: call pgtest.Main in TestMain")

// process is the state of the test process.
type process struct {
	mu       sync.Mutex
	ready    bool // Main was called
	settings settings
	shared   *cluster
	err      error // why shared could not be started; the next test does not retry
	failed   bool  // a test left its database behind
}

// state holds the one server of this test process. A server costs seconds and a
// database milliseconds, so tests must share one; and only a variable can pass a value
// from TestMain to the tests.
//
//nolint:gochecknoglobals // see above
var state process

// Main runs a package's tests, stops the server that they started, if any, checks for
// leaked goroutines, and exits the process. TestMain only calls it.
func Main(m *testing.M, options ...Option) {
	os.Exit(run(m, options))
}

func run(m *testing.M, options []Option) (code int) {
	state.mu.Lock()
	state.ready = true
	state.settings = newSettings(options)
	state.mu.Unlock()

	code = m.Run()

	state.mu.Lock()
	defer state.mu.Unlock()

	if err := state.close(); err != nil {
		return reportError(code, err)
	}

	if code == 0 {
		if err := goleak.Find(); err != nil {
			return reportError(code, err)
		}
	}

	return code
}

// reportError reports on standard error, because the testing package has finished.
func reportError(code int, err error) int {
	fmt.Fprintln(os.Stderr, "pgtest:", err)
	return max(code, 1)
}

// close ends the shared server, unless EYE_PGTEST_KEEP asks to keep it after a failure.
func (p *process) close() error {
	if p.shared == nil {
		return nil
	}

	if p.failed && keepsServer() {
		p.shared.admin.Close()
		fmt.Fprintf(os.Stderr, "pgtest: server kept on %s, stop it with: kill -INT %d\n",
			p.shared.server.DataDir(), p.shared.server.PID())
		return nil
	}

	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()

	return p.shared.close(ctx)
}

func keepsServer() bool { return os.Getenv(keepVariable) != "" }

// sharedCluster returns the shared server, which the first caller starts.
func (p *process) sharedCluster(ctx context.Context) (*cluster, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if !p.ready {
		return nil, errNoMain
	}

	if p.shared == nil && p.err == nil {
		p.shared, p.err = newCluster(ctx, p.settings, false)
	}

	return p.shared, p.err
}

// mainSettings returns Main's settings for a test's own server.
func (p *process) mainSettings() settings {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.settings
}

func (p *process) markFailed() {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.failed = true
}
