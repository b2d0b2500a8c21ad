package fair_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fair"
)

// Heavy work of all callers together has a bound of its own, however few of it each has.
func TestHeavyWorkOfAllCallersIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(config())
		first := acquire(t, s, "a", true)
		acquire(t, s, "b", true)
		requireFull(t, s, "c", true)
		acquire(t, s, "c", false)
		first()
		acquire(t, s, "c", true)
	})
}

// One slot that is given back may let two requests begin: heavy work of one caller, and light
// work of the caller that held it.
func TestASlotGivenBackMayLetTwoBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(fair.Config{Slots: 4, HeavySlots: 1, PerCaller: 1, HeavyPerCaller: 1, MaxWaiting: 50})
		release := acquire(t, s, "a", true)
		var granted atomic.Int32
		for caller, heavy := range map[string]bool{"a": false, "b": true} {
			go func() {
				if _, err := s.Acquire(t.Context(), caller, heavy); err == nil {
					granted.Add(1)
				}
			}()
			synctest.Wait()
		}

		require.Zero(t, granted.Load())
		release()
		synctest.Wait()
		require.EqualValues(t, 2, granted.Load())
	})
}

// A caller that gives up one of several requests is still held to its bounds by the others.
func TestACallerThatGivesUpOneRequestKeepsItsBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(fair.Config{Slots: 1, HeavySlots: 1, PerCaller: 1, HeavyPerCaller: 1, MaxWaiting: 2})
		acquire(t, s, "other", false)
		waits := func() context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { _, _ = s.Acquire(ctx, "a", false) }()
			synctest.Wait()
			return cancel
		}
		giveUp := waits()
		waits()
		giveUp()
		synctest.Wait()
		waits()
		_, err := s.Acquire(t.Context(), "a", false)
		require.ErrorIs(t, err, fair.ErrTooManyWaiting)
	})
}

// Callers that hold nothing and wait for nothing are forgotten, or there would be one for each
// application that ever asked.
func TestIdleCallersAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fair.New(fair.Config{Slots: 1, HeavySlots: 1, PerCaller: 1, HeavyPerCaller: 1, MaxWaiting: 2})
		release := acquire(t, s, "a", false)
		requireFull(t, s, "b", false)
		require.Equal(t, 1, s.Callers(), "b gave up")
		release()
		require.Zero(t, s.Callers())
	})
}
