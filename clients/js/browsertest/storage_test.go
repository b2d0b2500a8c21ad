//go:build browser

package browsertest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStorage(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	type sight struct {
		IDs      []string
		Verdicts []verdict
		Filled   []string
		Keys     []string
		Thrown   []string
		Secure   bool
		Unsaved  int
	}

	requireWorks := func(t *testing.T, s *stage, saw sight) {
		t.Helper()
		require.Empty(t, saw.Thrown)
		require.ElementsMatch(t, saw.IDs, idsOf(saw.Verdicts))
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
	}

	t.Run("a localStorage that the site has filled stays as it is, and events are sent", func(t *testing.T) {
		s := b.openStage(t)
		var saw sight
		s.play(t, "fillLocalStorage", nil, &saw)
		requireWorks(t, s, saw)
		require.NotEmpty(t, saw.Filled)
		require.Subset(t, saw.Keys, saw.Filled)
	})

	t.Run("without room in its quota the queue is in memory, which is counted", func(t *testing.T) {
		s := b.openStage(t)
		var saw sight
		s.play(t, "fillQuota", nil, &saw)
		requireWorks(t, s, saw)
		require.Contains(t, saw.Keys, "site")
		require.Equal(t, 3, saw.Unsaved)
	})

	t.Run("a database of the site with the same name costs durability, and no event", func(t *testing.T) {
		s := b.openStage(t)
		var saw sight
		s.play(t, "findForeignDatabase", nil, &saw)
		requireWorks(t, s, saw)
	})

	t.Run("two applications on one origin send their own events, each with its key", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct{ IDs []string }
		keys := []string{s.key, b.keyOfAnother(t)}
		s.play(t, "shareOrigin", map[string]any{"keys": keys, "queues": []string{"", "another"}}, &saw)
		require.Equal(t, []string{siteApplication, anotherApplication}, s.applicationsOf(t, saw.IDs))
	})

	for _, without := range [][]string{{"indexedDB"}, {"locks"}, {"localStorage"}, {"indexedDB", "locks", "localStorage"}} {
		t.Run("events are sent by a browser without "+strings.Join(without, " and "), func(t *testing.T) {
			s := b.openStage(t)
			var saw sight
			s.play(t, "lack", map[string]any{"without": without, "origin": "site"}, &saw)
			requireWorks(t, s, saw)
		})
	}

	t.Run("events are sent by a page over plain HTTP", func(t *testing.T) {
		s := b.openStage(t)
		var saw sight
		s.play(t, "lack", map[string]any{"without": []string{}, "origin": "plain"}, &saw)
		require.False(t, saw.Secure)
		requireWorks(t, s, saw)
	})
}
