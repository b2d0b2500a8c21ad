package ingest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// A commit that took a second or more is logged, once in ten seconds at most, and the next line
// reports how many were left out.
func TestSlowCommitsAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zap.WarnLevel)
		store := &slowFake{fake: newFake()}
		c := ingest.New(config(), ingest.Deps{Store: store, Logger: zap.New(core), NewID: uuid.New, Now: time.Now})
		c.Start(t.Context())
		defer c.Stop(t.Context())

		commit := func(takes time.Duration) {
			t.Helper()
			store.takes.Store(int64(takes))
			_, err := c.Submit(t.Context(), request(good(uuid.New())))
			require.NoError(t, err)
		}
		commit(990 * time.Millisecond)
		require.Zero(t, log.Len())
		for range 4 {
			commit(2 * time.Second)
		}

		commit(10 * time.Millisecond)
		lines := log.FilterMessage("a commit was slow").All()
		require.Len(t, lines, 1)
		require.Equal(t, 2*time.Second, lines[0].ContextMap()["took"])
		require.EqualValues(t, 1, lines[0].ContextMap()["events"])

		commit(3 * time.Second) // the first was logged 9 s ago
		commit(1 * time.Second)
		lines = log.FilterMessage("a commit was slow").All()
		require.Len(t, lines, 2)
		require.EqualValues(t, 4, lines[1].ContextMap()["unlogged"])
	})
}
