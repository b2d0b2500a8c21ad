package load_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load"
)

func TestSearchFindsTheHighestRate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, highest float64 }{
		{100, 100}, {100, 1234}, {100, 50_000}, {100, 7}, {1, 1}, {5000, 4999}, {1, 3},
	} {
		tries := 0
		found, err := load.FindHighestRate(c.first, func(rate float64) (bool, error) {
			tries++
			return rate <= c.highest, nil
		})

		require.NoError(t, err)
		require.LessOrEqual(t, found, c.highest, "%+v", c)
		require.GreaterOrEqual(t, max(found*1.05, found+1), c.highest, "%+v", c)
		require.Less(t, tries, 25, "%+v", c)
	}
}

func TestSearchEnds(t *testing.T) {
	t.Parallel()
	found, err := load.FindHighestRate(100, func(float64) (bool, error) { return false, nil })
	require.NoError(t, err)
	require.Zero(t, found, "nothing passes")
	found, err = load.FindHighestRate(100, func(float64) (bool, error) { return true, nil })
	require.NoError(t, err)
	require.InDelta(t, 1<<20, found, 0, "everything passes")

	stop := errors.New("stop")
	found, err = load.FindHighestRate(100, func(rate float64) (bool, error) {
		if rate > 300 {
			return false, stop
		}

		return true, nil
	})

	require.ErrorIs(t, err, stop)
	require.InDelta(t, 200, found, 0, "what passed before is kept")
}
