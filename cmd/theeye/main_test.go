package main_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// TestMain builds the program that the tests run.
func TestMain(m *testing.M) {
	program.Build(filepath.Join("..", "..", "bin", "under-test", "theeye"))
	pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate))
}

// theeye prepares the program with only the given variables in its environment.
func theeye(environ []string, arguments ...string) *exec.Cmd {
	command := program.Command(arguments...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.Getenv("TMPDIR")}, environ...)
	return command
}

// finish runs the program to its end.
func finish(t testing.TB, environ []string, arguments ...string) (code int, out, errOut string) {
	t.Helper()
	return program.Finish(t, theeye(environ, arguments...))
}

// running is the program while it runs.
type running struct {
	*exec.Cmd
	done chan struct{} // closed when it ended and all its output is in log
	log  *lines
}

// lines is the output of a program, for tests to wait for and to show.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

func (l *lines) read(from io.Reader) {
	scanner := bufio.NewScanner(from)
	for scanner.Scan() {
		l.mu.Lock()
		l.text.WriteString(scanner.Text() + "\n")
		close(l.news)
		l.news = make(chan struct{})
		l.mu.Unlock()
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

// await waits until the program writes a text, and fails the test when it ends first.
func (r *running) await(t testing.TB, text string) {
	t.Helper()
	const patience = time.Minute
	timeout := time.After(patience)
	for {
		r.log.mu.Lock()
		found, news := strings.Contains(r.log.text.String(), text), r.log.news
		r.log.mu.Unlock()
		if found {
			return
		}

		select {
		case <-news:
		case <-r.done:
			require.Contains(t, r.log.String(), text, "the program ended")
			return
		case <-timeout:
			require.FailNow(t, "waited too long for "+text, "%s", r.log)
		}
	}
}

// start starts the program. A program that still runs at the end of the test is killed.
func start(t testing.TB, environ []string, arguments ...string) *running {
	t.Helper()
	return launch(t, theeye(environ, arguments...))
}

// startIn is start in a folder.
func startIn(t testing.TB, folder string, arguments ...string) *running {
	t.Helper()
	command := theeye(nil, arguments...)
	command.Dir = folder
	return launch(t, command)
}

func launch(t testing.TB, command *exec.Cmd) *running {
	t.Helper()
	r := &running{Cmd: command, done: make(chan struct{}), log: &lines{news: make(chan struct{})}}
	read, write, err := os.Pipe()
	require.NoError(t, err)
	r.Stdout, r.Stderr = write, write
	require.NoError(t, r.Start())
	require.NoError(t, write.Close())
	told := make(chan struct{})
	go func() {
		defer close(told)

		r.log.read(read)
	}()
	go func() {
		_ = r.Wait() // the process state is checked
		<-told
		close(r.done)
	}()
	t.Cleanup(func() {
		_ = r.Process.Kill() // it may have ended
		<-r.done
		_ = read.Close() // as above
		if t.Failed() {
			t.Logf("%s", r.log)
		}
	})
	return r
}

// stop sends a signal and returns the exit code.
func (r *running) stop(t testing.TB, signal syscall.Signal) int {
	t.Helper()
	require.NoError(t, r.Process.Signal(signal))
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		require.FailNow(t, "the program does not stop", "%s", r.log)
	}

	return r.ProcessState.ExitCode()
}
