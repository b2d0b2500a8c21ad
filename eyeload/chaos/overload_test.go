package chaos_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/chaos"
	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// The fifths show a service that works for a minute and then fails.
func TestOverloadIsToldByFifths(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	o := chaos.Overload{
		Capacity:       10,
		Offered:        20,
		GoodputShare:   1,
		Step:           time.Second,
		Memory:         []int64{mib, mib, 2 * mib, mib, 3 * mib, mib, mib, mib, mib, 9 * mib, mib},
		Verdicts:       []int64{0, 10, 20, 30, 40, 50, 60, 60, 60, 61, 62},
		Reconciliation: reconcile.Result{Outcome: reconcile.Consistent},
	}

	var text strings.Builder
	require.NoError(t, o.WriteText(&text))
	require.Contains(t, text.String(), "fifths    10 10 10 0 1 events/s\n")
	require.Contains(t, text.String(), "memory    2 3 3 1 9 MiB, the highest of each fifth\n")
	require.NoError(t, o.Err())
}

// Less than seven tenths of the capacity, or a lost event, is a failure.
func TestOverloadThatCostsTooMuch(t *testing.T) {
	t.Parallel()
	good := reconcile.Result{Outcome: reconcile.Consistent}
	require.NoError(t, (&chaos.Overload{GoodputShare: 0.7, Reconciliation: good}).Err())
	require.ErrorIs(t, (&chaos.Overload{GoodputShare: 0.69, Reconciliation: good}).Err(), chaos.ErrBroken)
	require.ErrorIs(t, (&chaos.Overload{GoodputShare: 1, Reconciliation: reconcile.Result{Outcome: reconcile.Unreadable}}).Err(), chaos.ErrBroken)
}
