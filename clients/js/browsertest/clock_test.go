//go:build browser

package browsertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rejections returns the number of rejections of these events.
func (s *stage) rejections(t *testing.T, ids []string) int {
	t.Helper()
	var n int
	const statement = "select count(*) from rejection where event_id = any($1::text[]::uuid[])"
	require.NoError(t, s.pool.QueryRow(context.Background(), statement, ids).Scan(&n))

	return n
}

func TestClock(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	t.Run("a clock that is 10 minutes ahead is corrected, and stays so after a reload", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			First, Later []string
			Verdicts     []verdict
		}
		began := time.Now()
		s.play(t, "runAhead", nil, &saw)
		require.Equal(t, append(saw.First, saw.Later...), s.storedIDs(t), "in the order in which they happened")
		for _, event := range s.stored(t) {
			require.WithinRange(t, event.Timestamp, began.Add(-2*time.Second), time.Now().Add(2*time.Second))
		}

		require.ElementsMatch(t, append(saw.First, saw.Later...), idsOf(saw.Verdicts), "a correction is not a verdict")
		require.Zero(t, s.rejections(t, saw.Later), "the page has learned")
	})

	t.Run("a clock that is put right does not make events wait", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs      []string
			Verdicts []verdict
		}
		s.play(t, "putClockRight", nil, &saw)
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
	})
}
