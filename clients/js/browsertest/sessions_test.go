//go:build browser

package browsertest_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sessionsOf returns the sessions of events, in their order, each once.
func sessionsOf(events []storedEvent) []string {
	var found []string
	for _, event := range events {
		if !slices.Contains(found, event.SessionID) {
			found = append(found, event.SessionID)
		}
	}

	return found
}

func TestSessions(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	for name, without := range map[string][]string{"": {}, ", also without Web Locks": {"locks"}} {
		t.Run("tabs share one session"+name, func(t *testing.T) {
			s := b.openStage(t)
			var saw struct{ Sessions []string }
			s.play(t, "openThreeTabs", map[string]any{"without": without}, &saw)
			require.EventuallyWithT(t, func(t *assert.CollectT) {
				// A page view and two events of each of three tabs, one of each of a last one.
				assert.Len(t, s.storedIDs(t), 11)
			}, patience, step)
			require.Len(t, sessionsOf(s.stored(t)), 1)
			require.Len(t, slices.Compact(saw.Sessions), 1)
			require.Equal(t, sessionsOf(s.stored(t)), saw.Sessions[:1])
		})
	}

	t.Run("a page that is left at once is in the session of its visitor", func(t *testing.T) {
		s := b.openStage(t)
		const pages = 10
		s.play(t, "leaveAtOnce", map[string]any{"pages": pages}, new(struct{}))
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			assert.Len(t, s.storedIDs(t), 1+2*pages)
		}, patience, step)
		require.Len(t, sessionsOf(s.stored(t)), 1)
	})

	t.Run("a visit is one session, whatever is under way", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct{ Sessions []string }
		const visitors = 5
		s.play(t, "trackWithoutBreak", map[string]any{"visitors": visitors, "events": 40}, &saw)
		require.Len(t, saw.Sessions, visitors)
		require.Equal(t, saw.Sessions, sessionsOf(s.stored(t)))
	})

	t.Run("a session ends after 30 minutes without an event", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct{ IDs []string }
		s.play(t, "trackWithPauses", map[string]any{"pauses": []int{0, 29, 29, 31, 1}}, &saw)
		events := s.stored(t)
		require.Equal(t, saw.IDs, s.storedIDs(t))
		require.Len(t, sessionsOf(events), 2)
		require.Len(t, sessionsOf(events[:3]), 1)
		require.Len(t, sessionsOf(events[3:]), 1)
	})

	t.Run("a session ends 24 hours after its begin", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct{ IDs []string }
		const perDay, pause = 24 * 60 / 20, 20
		pauses := append([]int{0}, slices.Repeat([]int{pause}, perDay+5)...)
		s.play(t, "trackWithPauses", map[string]any{"pauses": pauses}, &saw)
		events := s.stored(t)
		require.Equal(t, saw.IDs, s.storedIDs(t))
		require.Len(t, sessionsOf(events[:perDay]), 1)
		require.Len(t, sessionsOf(events[perDay+1:]), 1)
		require.Len(t, sessionsOf(events), 2)
	})
}
