//go:build browser

package browsertest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/browsersdk"
)

func TestScript(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	t.Run("a page with a strict content security policy can use the SDK", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs    []string
			Thrown []string
		}
		s.play(t, "obeyPolicy", nil, &saw)
		require.Empty(t, saw.Thrown)
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
	})

	t.Run("the script of the service starts by itself, and tracks clicks and submits", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			Loaded string
			IDs    []string
		}
		s.play(t, "loadClassicScript", map[string]any{"integrity": browsersdk.Integrity()}, &saw)
		require.Equal(t, "load", saw.Loaded)

		events := s.stored(t)
		require.Len(t, events, 3)
		require.Len(t, sessionsOf(events), 1)
		require.Equal(t, saw.IDs[0], events[0].EventID)
		bought := named(events, "shop", "bought")
		require.Len(t, bought, 1)
		require.Equal(t, map[string]any{"product": "A-1042"}, bought[0].Data)
		require.Len(t, named(events, "shop", "searched"), 1)
		for _, sent := range s.front.sentEvents() {
			require.NotContains(t, string(sent.Data), "a secret of the visitor")
		}
	})

	t.Run("a script that is there twice tracks each click once", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct{}
		s.play(t, "loadTwice", nil, &saw)
		require.Len(t, named(s.stored(t), "shop", "bought"), 1)
	})

	for name, path := range map[string]string{"head": "/traced.html", "Server-Timing": "/timed/page.html"} {
		t.Run("an event is in the trace of its page, by its "+name, func(t *testing.T) {
			s := b.openStage(t)
			var saw struct{ IDs []string }
			s.play(t, "followTrace", map[string]any{"path": path}, &saw)
			require.Equal(t, saw.IDs, s.storedIDs(t))

			var trace string
			const statement = "select replace(trace_id::text, '-', '') from event where event_id = $1"
			require.NoError(t, b.pool.QueryRow(t.Context(), statement, saw.IDs[0]).Scan(&trace))
			require.Equal(t, pageTrace, trace)
		})
	}

	t.Run("a browser refuses a script that is not the one of the hash", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct{ Loaded string }
		wrong := strings.Replace(browsersdk.Integrity(), "sha384-", "sha384-A", 1)
		s.play(t, "loadClassicScript", map[string]any{"integrity": wrong[:len(browsersdk.Integrity())]}, &saw)
		require.Equal(t, "error", saw.Loaded)
	})
}
