package chaos

import (
	"context"
	"errors"
	"time"
)

// pairFaults returns the faults of a primary whose commits wait for a standby. After a
// failover, the events are compared with the server that was promoted.
func pairFaults() []fault {
	const short, middle = 3 * time.Second, 5 * time.Second

	// Long enough for events that had no verdict within the budget of 5 s to be sent again
	// while the standby is still frozen.
	const resent, long = 12 * time.Second, 15 * time.Second

	return []fault{
		{name: "failover", minDuration: 0, maxDuration: time.Second, inject: losePrimary},
		{name: "standby SIGSTOP", minDuration: middle, maxDuration: resent, inject: freezeStandby},
		{name: "standby kill -9", minDuration: short, maxDuration: middle, inject: killStandby},
		{name: "standby SIGSTOP, failover", minDuration: resent, maxDuration: long, inject: freezeResendAndLose},
		{name: "waiting commits terminated, failover", minDuration: middle, maxDuration: resent, inject: freezeAndLose("pg_terminate_backend")},
		{name: "waiting commits cancelled, failover", minDuration: middle, maxDuration: resent, inject: freezeAndLose("pg_cancel_backend")},
	}
}

// losePrimary kills the primary; reverting promotes its standby.
func losePrimary(_ context.Context, s *testbed) (injection, error) {
	return injection{target: "the primary killed, its standby promoted", revert: s.failOver}, s.server.Kill()
}

func freezeStandby(_ context.Context, s *testbed) (injection, error) {
	return injection{target: "commits wait", revert: s.pair.thawStandby}, s.pair.freezeStandby()
}

func killStandby(_ context.Context, s *testbed) (injection, error) {
	return injection{target: "commits wait", revert: s.pair.standby.Restart}, s.pair.standby.Kill()
}

// freezeResendAndLose freezes the standby, sends nothing but a few new events again and again,
// and loses the primary. A commit whose wait ended with the budget is visible to everyone, but
// exists on one machine alone: a sender that gets an acknowledgement then gets it too early.
// Among other events the bug would not show, because a transaction that writes anything waits.
func freezeResendAndLose(ctx context.Context, s *testbed) (injection, error) {
	const few = 20

	s.generator.pauseSending()
	if err := s.pair.freezeStandby(); err != nil {
		return injection{}, err
	}

	events := s.generator.newStorableEvents(s.random.IntN(applications), few)
	d, err := s.repeatUntilReverted(ctx, "the same events sent until the primary is killed", 0, func(ctx context.Context) error {
		s.generator.inFlight.Go(func() { s.generator.sendUntilVerdict(context.WithoutCancel(ctx), events, 1) })
		return nil
	})

	ended := d.revert
	d.revert = func(ctx context.Context) error {
		defer s.generator.resumeSending()

		return errors.Join(ended(ctx), s.failOver(ctx))
	}

	return d, err
}

// freezeAndLose freezes the standby, ends the waits of commits with a function of Postgres, and
// loses the primary: the commits that exist on the primary alone are then gone.
func freezeAndLose(end string) func(context.Context, *testbed) (injection, error) {
	return func(ctx context.Context, s *testbed) (injection, error) {
		if err := s.pair.freezeStandby(); err != nil {
			return injection{}, err
		}

		statement := "select " + end + "(pid) from pg_stat_activity where wait_event = 'SyncRep' and pid <> pg_backend_pid()"
		d, err := s.repeatUntilReverted(ctx, "their waits ended, then the primary is killed", 0, func(ctx context.Context) error {
			return s.execStatement(ctx, statement)
		})

		ended := d.revert
		d.revert = func(ctx context.Context) error { return errors.Join(ended(ctx), s.failOver(ctx)) }

		return d, err
	}
}
