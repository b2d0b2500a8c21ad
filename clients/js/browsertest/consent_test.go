//go:build browser

package browsertest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// traces are what a page has left behind.
type traces struct {
	// Storage is everything in the storages of the page.
	Storage []string
	// Events is the number of events that were sent.
	Events  int
	Session *string
	Stats   stats
	Thrown  []string
}

// requireNone requires that there is nothing on the visitor's machine and nothing was sent.
func (f traces) requireNone(t *testing.T) {
	t.Helper()
	require.Empty(t, f.Storage)
	require.Zero(t, f.Events)
	require.Nil(t, f.Session)
	require.Empty(t, f.Thrown)
}

func TestConsent(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	type answered struct {
		IDs               []string
		Later             *string
		Pending, Answered traces
	}

	t.Run("what happens before consent is stored with it, and nothing before", func(t *testing.T) {
		s := b.openStage(t)
		var saw answered
		began := time.Now()
		s.play(t, "answerLater", map[string]any{"answer": "granted"}, &saw)
		saw.Pending.requireNone(t)
		require.NotNil(t, saw.Later)

		events := named(s.stored(t), "test", "tracked")
		require.GreaterOrEqual(t, len(events), 3)
		require.Len(t, sessionsOf(events), 1)
		for i, id := range saw.IDs {
			require.Equal(t, id, events[i].EventID)
			require.WithinRange(t, events[i].Timestamp, began.Add(-time.Second), events[i].received.Add(-time.Second),
				"the time is that of the event, not of the consent")
		}

		require.Len(t, named(s.stored(t), "page", "view"), 1)
	})

	t.Run("what happens before a denial is dropped and counted, and so is what follows", func(t *testing.T) {
		s := b.openStage(t)
		var saw answered
		s.play(t, "answerLater", map[string]any{"answer": "denied"}, &saw)
		saw.Pending.requireNone(t)
		require.Nil(t, saw.Later)
		require.Zero(t, saw.Answered.Events)
		require.Nil(t, saw.Answered.Session)
		require.Equal(t, 5, saw.Answered.Stats.Dropped["consent"], "a view, three events, and one more")
		require.Empty(t, s.front.sent())
	})

	t.Run("a withdrawal erases the queue and the session", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs       []string
			Session   *string
			Denied    traces
			SentSince int `json:"sentSince"` //nolint:tagliatelle // JavaScript's
		}
		s.play(t, "withdraw", nil, &saw)
		require.NotNil(t, saw.Session)
		require.Zero(t, saw.SentSince)
		require.Empty(t, s.storedIDs(t))
		require.Nil(t, saw.Denied.Session)
		require.Equal(t, 3, saw.Denied.Stats.Dropped["consent"])
		for _, left := range saw.Denied.Storage {
			require.NotContains(t, left, *saw.Session)
		}
	})

	t.Run("Global Privacy Control is a denial", func(t *testing.T) {
		s := b.openStage(t)
		var saw traces
		s.play(t, "askForPrivacy", nil, &saw)
		require.Zero(t, saw.Events)
		require.Nil(t, saw.Session)
		require.Equal(t, 3, saw.Stats.Dropped["consent"])
	})

	t.Run("a site may leave Global Privacy Control to its own consent", func(t *testing.T) {
		s := b.openStage(t)
		var saw traces
		s.play(t, "askForPrivacy", map[string]any{"gpc": false}, &saw)
		require.Equal(t, 3, saw.Stats.Stored)
		require.Len(t, s.storedIDs(t), 3)
	})
}
