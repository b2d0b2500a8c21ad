package fair_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fair"
)

func config() fair.Config {
	return fair.Config{Slots: 4, HeavySlots: 2, PerCaller: 3, HeavyPerCaller: 1, MaxWaiting: 50}
}

// acquire acquires a slot that has to be free.
func acquire(t *testing.T, s *fair.Shares, caller string, heavy bool) func() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()

	release, err := s.Acquire(ctx, caller, heavy)
	require.NoError(t, err)
	return release
}

func requireFull(t *testing.T, s *fair.Shares, caller string, heavy bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()

	_, err := s.Acquire(ctx, caller, heavy)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestBoundsHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(config())
		heavy := acquire(t, s, "a", true)
		requireFull(t, s, "a", true)
		acquire(t, s, "a", false)
		acquire(t, s, "a", false)
		requireFull(t, s, "a", false)
		acquire(t, s, "b", true)
		requireFull(t, s, "c", false)
		heavy()
		acquire(t, s, "c", true)
	})
}

// However many requests of one caller wait, the next slot goes to another waiting
// caller.
func TestCallersAreServedInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(fair.Config{Slots: 1, HeavySlots: 1, PerCaller: 1, HeavyPerCaller: 1, MaxWaiting: 50})
		release := acquire(t, s, "greedy", false)
		var order []string
		var wait sync.WaitGroup
		ask := func(caller string) {
			wait.Go(func() {
				release, err := s.Acquire(t.Context(), caller, false)
				require.NoError(t, err)
				order = append(order, caller)
				release()
			})
			synctest.Wait()
		}
		for range 5 {
			ask("greedy")
		}

		ask("modest")
		ask("other")
		release()
		wait.Wait()
		require.Equal(t, []string{"greedy", "modest", "other", "greedy", "greedy", "greedy", "greedy"}, order)
	})
}

func TestLightWorkOvertakesHeavyWorkThatCannotBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(config())
		acquire(t, s, "a", true)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = s.Acquire(ctx, "a", true) }()
		synctest.Wait()
		acquire(t, s, "a", false)
		cancel()
	})
}

func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.MaxWaiting = 2
		s := fair.New(c)
		for range c.PerCaller {
			acquire(t, s, "a", false)
		}

		ctx, cancel := context.WithCancel(t.Context())
		for range c.MaxWaiting {
			go func() { _, _ = s.Acquire(ctx, "a", false) }()
		}

		synctest.Wait()
		_, err := s.Acquire(t.Context(), "a", false)
		require.ErrorIs(t, err, fair.ErrTooManyWaiting)
		acquire(t, s, "b", false)
		cancel()
	})
}

// A caller that gives up, at any moment, leaves no slot behind.
func TestNoSlotIsLost(t *testing.T) {
	t.Parallel()
	c := config()
	s := fair.New(c)
	var held, heavy atomic.Int64
	var wait sync.WaitGroup
	for n := range 16 {
		wait.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%5)*10*time.Microsecond)
				isHeavy := i%3 == 0
				release, err := s.Acquire(ctx, string(rune('a'+n%5)), isHeavy)
				if err == nil {
					if held.Add(1) > int64(c.Slots) {
						panic("too many slots are held")
					}

					if isHeavy && heavy.Add(1) > int64(c.HeavySlots) {
						panic("too many heavy slots are held")
					}

					if isHeavy {
						heavy.Add(-1)
					}

					held.Add(-1)
					release()
				}

				cancel()
			}
		})
	}

	wait.Wait()
	for range c.PerCaller {
		acquire(t, s, "x", false)
	}

	acquire(t, s, "y", true)
}
