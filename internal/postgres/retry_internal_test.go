package postgres

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errAttempt = errors.New("it failed")

// A retry ends with the error of the last attempt: when that is final, when the attempts that
// count are used up, or when the context ends.
func TestRetryEnds(t *testing.T) {
	t.Parallel()
	policy := retryPolicy{attempts: 4, first: 10 * time.Millisecond, longest: 20 * time.Millisecond}

	for name, c := range map[string]struct {
		decision func(attempt int) retryDecision
		attempts int
		shortest time.Duration
		longest  time.Duration
	}{
		"final":           {func(int) retryDecision { return giveUp }, 1, 0, 0},
		"counted":         {func(int) retryDecision { return retryCounted }, 4, 25 * time.Millisecond, 75 * time.Millisecond},
		"at once":         {func(n int) retryDecision { return map[bool]retryDecision{true: retryAtOnce}[n < 9] }, 9, 0, 0},
		"not counted":     {func(n int) retryDecision { return map[bool]retryDecision{true: retryUncounted}[n < 9] }, 9, 75 * time.Millisecond, 225 * time.Millisecond},
		"until ctx ended": {func(int) retryDecision { return retryUncounted }, 0, time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()

				began := time.Now()
				n := 0
				err := policy.run(ctx, func() (retryDecision, error) {
					n++
					return c.decision(n), errAttempt
				})
				took := time.Since(began)

				require.ErrorIs(t, err, errAttempt)
				require.GreaterOrEqual(t, took, c.shortest)
				require.LessOrEqual(t, took, c.longest)
				if c.attempts > 0 {
					require.Equal(t, c.attempts, n)
				}
			})
		})
	}
}

// A success ends a retry.
func TestRetrySucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := transactionRetry().run(t.Context(), func() (retryDecision, error) {
			if n++; n < 3 {
				return retryCounted, errAttempt
			}

			return giveUp, nil
		})

		require.NoError(t, err)
		require.Equal(t, 3, n)
	})
}
