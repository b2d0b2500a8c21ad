package app_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// storeFunc is a store whose commit is a function of a test.
type storeFunc func(context.Context) error

func (f storeFunc) Commit(ctx context.Context, _ *ingest.Group) error { return f(ctx) }

func (storeFunc) DryRun(context.Context, *ingest.Group) error { return nil }

const pulseBudget = time.Second

// A lane is stuck while its commit has run for several budgets.
func TestAHangingCommitIsALaneThatIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := app.NewWatchdog(pulseBudget, time.Now, func() int64 { return 1 })
		release := make(chan struct{})
		hung := p.Watch(storeFunc(func(context.Context) error {
			<-release // ignores its context
			return nil
		}))
		done := make(chan error)
		go func() { done <- hung.Commit(t.Context(), nil) }()
		other := p.Watch(storeFunc(func(context.Context) error { return nil }))
		for range 3 {
			synctest.Wait()
			require.NoError(t, p.Check(t.Context()))
			<-time.After(pulseBudget)
			require.NoError(t, other.Commit(t.Context(), nil), "the other lanes move")
		}

		<-time.After(time.Millisecond)
		require.Error(t, p.Check(t.Context()))
		close(release)
		require.NoError(t, <-done)
		require.NoError(t, p.Check(t.Context()))
	})
}

// During a database outage commits fail, each within the budget: the lanes make progress.
func TestAnOutageIsNoLaneThatIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := app.NewWatchdog(pulseBudget, time.Now, func() int64 { return 1000 })
		away := p.Watch(storeFunc(func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, pulseBudget)
			defer cancel()

			<-ctx.Done()
			return errors.New("away")
		}))
		for range 10 {
			require.Error(t, away.Commit(t.Context(), nil))
			require.NoError(t, p.Check(t.Context()))
		}
	})
}

// Events wait and no commit ends, in all checks during several budgets.
func TestLanesThatDoNotTakeWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queued := int64(0)
		p := app.NewWatchdog(pulseBudget, time.Now, func() int64 { return queued })
		store := p.Watch(storeFunc(func(context.Context) error { return nil }))
		require.NoError(t, p.Check(t.Context()))
		<-time.After(time.Hour)
		queued = 1
		require.NoError(t, p.Check(t.Context()), "it came after an hour without any")
		<-time.After(3 * pulseBudget)
		require.NoError(t, p.Check(t.Context()))
		require.NoError(t, store.Commit(t.Context(), nil))
		<-time.After(3 * pulseBudget)
		require.NoError(t, p.Check(t.Context()), "a commit ended between the checks")
		<-time.After(3*pulseBudget + time.Millisecond)
		require.Error(t, p.Check(t.Context()))
		queued = 0
		require.NoError(t, p.Check(t.Context()))
	})
}
