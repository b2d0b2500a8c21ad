package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
)

func (s *site) someone() *instance { return s.instances[s.random.IntN(len(s.instances))] }

func killService(_ context.Context, s *site) (damage, error) {
	i := s.someone()
	return damage{on: "service " + i.name, heal: i.start}, i.kill()
}

func killServices(_ context.Context, s *site) (damage, error) {
	var err error
	for _, i := range s.instances {
		err = errors.Join(err, i.kill())
	}
	return damage{on: "both services", heal: s.startAll}, err
}

// startAll starts all services that do not run, at once.
func (s *site) startAll(ctx context.Context) error {
	var all sync.WaitGroup
	failed := make([]error, len(s.instances))
	for n, i := range s.instances {
		if !i.running() {
			all.Go(func() { failed[n] = i.start(ctx) })
		}
	}
	all.Wait()
	return errors.Join(failed...)
}

// stopService tells a service to stop and starts it again once it has.
func stopService(_ context.Context, s *site) (damage, error) {
	i := s.someone()
	if err := i.signal(syscall.SIGTERM); err != nil {
		return damage{}, err
	}
	return damage{on: "service " + i.name, heal: func(ctx context.Context) error {
		if err := i.endedWell(); err != nil {
			return err
		}
		return i.start(ctx)
	}}, nil
}

// freezeService stops a service in the middle of whatever it does, perhaps with rows
// locked.
func freezeService(_ context.Context, s *site) (damage, error) {
	i := s.someone()
	return damage{on: "service " + i.name, heal: func(context.Context) error { return i.signal(syscall.SIGCONT) }}, i.signal(syscall.SIGSTOP)
}

// duplicates sends copies of the same events again and again, to all services at once.
func duplicates(ctx context.Context, s *site) (damage, error) {
	random := rand.New(rand.NewPCG(s.random.Uint64(), 0)) //nolint:gosec // it has to give the same again
	return s.disturb(ctx, "both services", 0, func(ctx context.Context) error {
		s.load.storm(context.WithoutCancel(ctx), random)
		return nil
	})
}
