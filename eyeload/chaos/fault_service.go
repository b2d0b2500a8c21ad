package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
)

func (s *testbed) pickInstance() *instance { return s.instances[s.random.IntN(len(s.instances))] }

func killService(_ context.Context, s *testbed) (injection, error) {
	i := s.pickInstance()
	return injection{target: "service " + i.name, revert: i.start}, i.kill()
}

func killServices(_ context.Context, s *testbed) (injection, error) {
	var err error
	for _, i := range s.instances {
		err = errors.Join(err, i.kill())
	}

	return injection{target: "both services", revert: s.startAll}, err
}

// startAll starts all services that do not run, at the same time.
func (s *testbed) startAll(ctx context.Context) error {
	var all sync.WaitGroup
	failed := make([]error, len(s.instances))
	for n, i := range s.instances {
		if !i.isRunning() {
			all.Go(func() { failed[n] = i.start(ctx) })
		}
	}

	all.Wait()

	return errors.Join(failed...)
}

// stopService sends SIGTERM to a service. Reverting waits for its end and starts it again.
func stopService(_ context.Context, s *testbed) (injection, error) {
	i := s.pickInstance()
	if err := i.sendSignal(syscall.SIGTERM); err != nil {
		return injection{}, err
	}

	return injection{
		target: "service " + i.name,
		revert: func(ctx context.Context) error {
			if err := i.awaitCleanExit(); err != nil {
				return err
			}

			return i.start(ctx)
		},
	}, nil
}

// freezeService stops a service in the middle of its work, perhaps with rows locked.
func freezeService(_ context.Context, s *testbed) (injection, error) {
	i := s.pickInstance()
	return injection{target: "service " + i.name, revert: func(context.Context) error { return i.sendSignal(syscall.SIGCONT) }}, i.sendSignal(syscall.SIGSTOP)
}

// sendDuplicates sends copies of the same events again and again, to all services at once.
func sendDuplicates(ctx context.Context, s *testbed) (injection, error) {
	random := rand.New(rand.NewPCG(s.random.Uint64(), 0)) //nolint:gosec // has to be reproducible

	return s.repeatUntilReverted(ctx, "both services", 0, func(ctx context.Context) error {
		s.generator.sendCopies(context.WithoutCancel(ctx), random)
		return nil
	})
}
