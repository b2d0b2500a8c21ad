package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// pollInterval is the interval of checks on a process that is not a child of this one, and
// on a starting server.
const pollInterval = 25 * time.Millisecond

// postmaster is one run of the server process, started here or adopted.
type postmaster struct {
	process *os.Process
	at      address
	// logOffset is the start of this run's part of the log.
	logOffset int64
	done      chan struct{}
}

// startPostmaster starts cmd in its own process group, so that a terminal's Ctrl-C
// reaches only this program, which then shuts the server down cleanly.
func startPostmaster(cmd *exec.Cmd, at address, dieWithParent bool) (*postmaster, error) {
	cmd.SysProcAttr.Setpgid = true
	if dieWithParent {
		dieWith(cmd.SysProcAttr)
	}

	p := &postmaster{at: at, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel counts the death of the starting thread as the parent's
		// death, so the thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()

		err := cmd.Start()
		p.process = cmd.Process
		started <- err
		if err != nil {
			return
		}

		_ = cmd.Wait() // its log has the reason
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting postgres: %w", err)
	}

	if dieWithParent {
		if err := watchParent(p); err != nil {
			return nil, errors.Join(err, p.sendSignal(syscall.SIGQUIT))
		}
	}

	return p, nil
}

// adoptPostmaster takes over a postmaster that another process started. Because it is not
// a child of this process, its end is noticed by polling.
func adoptPostmaster(pid int, at address) (*postmaster, error) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("adopting postmaster %d: %w", pid, err)
	}

	p := &postmaster{process: process, at: at, done: make(chan struct{})}
	go func() {
		ticker := time.NewTicker(pollInterval)
		defer ticker.Stop()

		for range ticker.C {
			if processAlive(pid) && p.sendSignal(syscall.Signal(0)) == nil {
				continue
			}

			close(p.done)
			return
		}
	}()
	return p, nil
}

func (p *postmaster) hasExited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// sendSignal sends a signal to the postmaster alone.
func (p *postmaster) sendSignal(sig syscall.Signal) error {
	if err := p.process.Signal(sig); err != nil {
		return fmt.Errorf("signalling postmaster %d: %w", p.process.Pid, err)
	}

	return nil
}

// signalUnlessGone is sendSignal without an error for a postmaster that has ended.
func (p *postmaster) signalUnlessGone(sig syscall.Signal) error {
	err := p.sendSignal(sig)
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return nil
	}

	return err
}
