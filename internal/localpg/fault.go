package localpg

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

const killTimeout = 10 * time.Second

// Kill ends the postmaster and all its processes at once with SIGKILL, like a crash of
// the machine, and returns when they are gone. The Server keeps the data directory:
// Restart recovers it, Stop releases it. A server that does not run is not an error.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.frozen = nil // SIGKILL reaches stopped processes as well
	return killAll(s.current.Load())
}

// Freeze stops the postmaster and all its backends with SIGSTOP: connections stay
// open and the kernel accepts new ones, but nothing is answered, as when a machine
// hangs. Until Thaw no process of the server runs. A server that does not run is an
// error.
func (s *Server) Freeze() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	p := s.current.Load()
	stopped, err := freezeAll(p)
	s.frozen = stopped
	if err != nil {
		return errors.Join(err, s.thawLocked())
	}

	return nil
}

// Thaw lets a frozen server continue. A server that is not frozen is not an error.
func (s *Server) Thaw() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.thawLocked()
}

func (s *Server) thawLocked() error {
	frozen := s.frozen
	s.frozen = nil
	var errs error
	for _, pid := range slices.Backward(frozen) { // the postmaster last
		if err := signalPID(pid, syscall.SIGCONT); err != nil {
			errs = errors.Join(errs, err)
		}
	}

	return errs
}

// freezeAll stops the postmaster first, so that it cannot fork, then its children.
// Every backend leads its own process group, so they are signalled one by one, and
// listed again until the list is stable, because a stop takes effect a moment after it
// is sent.
//
// It returns the stopped processes, the postmaster first.
func freezeAll(p *postmaster) ([]int, error) {
	if err := p.sendSignal(syscall.SIGSTOP); err != nil {
		return nil, err
	}

	stopped := []int{p.process.Pid}
	for {
		children, err := childrenOf(p.process.Pid)
		if err != nil {
			return stopped, err
		}

		fresh := slices.DeleteFunc(children, func(pid int) bool { return slices.Contains(stopped, pid) })
		if len(fresh) == 0 {
			return stopped, nil
		}

		for _, pid := range fresh {
			if err := signalPID(pid, syscall.SIGSTOP); err != nil {
				return stopped, err
			}

			stopped = append(stopped, pid)
		}
	}
}

// killAll kills the postmaster and its children and waits until none is left:
// a surviving child would hold the shared memory and block the next start.
func killAll(p *postmaster) error {
	if p.hasExited() {
		return nil
	}

	stopped, err := freezeAll(p)
	if p.hasExited() {
		return nil
	}

	for _, pid := range stopped {
		err = errors.Join(err, signalPID(pid, syscall.SIGKILL))
	}

	if err != nil {
		return fmt.Errorf("killing postgres: %w", err)
	}

	timeout := time.NewTimer(killTimeout)
	defer timeout.Stop()

	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()

	for !p.hasExited() || slices.ContainsFunc(stopped, processAlive) {
		select {
		case <-ticker.C:
		case <-timeout.C:
			return errors.New("killing postgres: its processes still exist")
		}
	}

	return nil
}

// signalPID sends a signal to one of the server's processes; one that is gone is not an error.
func signalPID(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signalling process %d: %w", pid, err)
	}

	return nil
}
