package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopPatience is how long a service may take to stop before it is killed.
const stopPatience = 40 * time.Second

// instance is a service with an address that it keeps over restarts.
type instance struct {
	name         string
	program      string
	environ      []string
	address, ops string
	log          *os.File
	clock        *clock // nil when it cannot be stepped

	mu      sync.Mutex
	command *exec.Cmd
	done    chan struct{} // closed when the command has ended
}

// freeAddress returns a free address below the ephemeral ports: a client that retries a closed
// ephemeral port may end up connected to itself.
func freeAddress(ctx context.Context) (string, error) {
	const from, to, tries = 10_000, 30_000, 100

	var listen net.ListenConfig
	for range tries {
		l, err := listen.Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(from+rand.IntN(to-from))) //nolint:gosec // not a secret
		if err == nil {
			return l.Addr().String(), l.Close()
		}
	}

	return "", errors.New("no port is free")
}

func (i *instance) url() string { return "http://" + i.address }

// start starts the service and returns when it is ready.
func (i *instance) start(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()

	command := exec.CommandContext(context.WithoutCancel(ctx), i.program, "serve", //nolint:gosec // the caller names the program
		"--http-listen", i.address, "--ops-listen", i.ops, "--drain-delay", "1s", "--log-level", "warn")

	command.Env = i.environ
	command.Stdout = i.log
	command.Stderr = i.log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for this process, which stops the service in order

	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", i.program, err)
	}

	done := make(chan struct{})
	go func() {
		defer close(done)

		_ = command.Wait() // ProcessState has the result
	}()

	i.command = command
	i.done = done

	return i.awaitReady(ctx, done)
}

// awaitReady waits until the service is ready.
func (i *instance) awaitReady(ctx context.Context, done <-chan struct{}) error {
	const step, patience = 20 * time.Millisecond, 30 * time.Second

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	for {
		if i.isReady(ctx) {
			return nil
		}

		select {
		case <-done:
			return fmt.Errorf("service %s ended before it was ready: see its log", i.name)
		case <-ctx.Done():
			return fmt.Errorf("service %s does not become ready: %w", i.name, ctx.Err())
		case <-time.After(step):
		}
	}
}

func (i *instance) isReady(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.ops+"/readyz", http.NoBody)
	if err != nil {
		return false
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}

	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close() //nolint:errcheck // the body was read

	return response.StatusCode == http.StatusOK
}

// sendSignal sends a signal to the service.
func (i *instance) sendSignal(s syscall.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()

	if err := i.command.Process.Signal(s); err != nil {
		return fmt.Errorf("signal service %s: %w", i.name, err)
	}

	return nil
}

// exited returns a channel that is closed when the service has ended.
func (i *instance) exited() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()

	return i.done
}

// isRunning reports whether the service runs.
func (i *instance) isRunning() bool {
	if i.exited() == nil {
		return false
	}

	select {
	case <-i.exited():
		return false
	default:
		return true
	}
}

// kill ends the service at once.
func (i *instance) kill() error {
	if err := i.sendSignal(syscall.SIGKILL); err != nil {
		return err
	}

	<-i.exited()

	return nil
}

// stop ends the service as an operator does. An exit code other than 0 is an error.
func (i *instance) stop() error {
	if err := i.sendSignal(syscall.SIGTERM); err != nil {
		return err
	}

	return i.awaitCleanExit()
}

// awaitCleanExit waits for the end of a service that was asked to stop.
func (i *instance) awaitCleanExit() error {
	kill := time.AfterFunc(stopPatience, func() { _ = i.sendSignal(syscall.SIGKILL) })
	defer kill.Stop()

	<-i.exited()
	if code := i.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("service %s was asked to stop and ended with code %d", i.name, code)
	}

	return nil
}

// residentMemory returns the physical memory of the service in bytes, or 0 where it is unknown.
func (i *instance) residentMemory() int64 {
	i.mu.Lock()
	pid := i.command.Process.Pid
	i.mu.Unlock()

	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}

	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64) // 0 if it is not a number
			return kilobytes << 10
		}
	}

	return 0
}

// findLogErrors returns the lines of the log that no fault excuses.
func (i *instance) findLogErrors() []string {
	text, err := os.ReadFile(i.log.Name())
	if err != nil {
		return []string{err.Error()}
	}

	var found []string
	for line := range strings.Lines(string(text)) {
		for _, word := range []string{"panic", "DATA RACE", "fatal error", "passed every check"} {
			if strings.Contains(line, word) {
				found = append(found, "service "+i.name+" wrote: "+strings.TrimSpace(line))
			}
		}
	}

	const enough = 10

	return slices.Clip(found[:min(len(found), enough)])
}
