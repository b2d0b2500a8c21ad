package background_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/the-eye-events/the-eye/internal/background"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pass lets time pass in a bubble, and everything that happens in it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// newCounter returns a worker with an interval of a minute, and how many rounds it began.
func newCounter(config background.Config, round func(context.Context)) (*background.Worker, *atomic.Int64) {
	rounds := &atomic.Int64{}
	config.Interval = time.Minute
	config.Round = func(ctx context.Context) {
		rounds.Add(1)
		round(ctx)
	}

	return background.NewWorker(config), rounds
}

func doNothing(context.Context) {}

func waitForEnd(ctx context.Context) { <-ctx.Done() }

func TestARoundAtTheStartAndOneAnInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		worker, rounds := newCounter(background.Config{}, doNothing)
		ctx, cancel := context.WithCancel(t.Context())
		worker.Start(ctx)
		worker.Start(ctx)
		synctest.Wait()
		require.Equal(t, int64(1), rounds.Load())

		cancel()
		pass(2*time.Minute + time.Second)
		require.Equal(t, int64(3), rounds.Load(), "it outlives the context of its start")

		worker.Stop()
		worker.Stop()
		worker.Start(t.Context())
		pass(time.Hour)
		require.Equal(t, int64(3), rounds.Load(), "it does not start again")
	})
}

func TestStopCancelsARunningRoundAndWaitsForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes = 3 * time.Second
		ended := false
		worker, _ := newCounter(background.Config{}, func(ctx context.Context) {
			<-ctx.Done()
			<-time.After(takes)
			ended = true
		})
		worker.Start(t.Context())
		synctest.Wait()
		before := time.Now()
		worker.Stop()
		require.True(t, ended)
		require.Equal(t, takes, time.Since(before))
	})
}

func TestRoundsDoNotPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		worker, rounds := newCounter(background.Config{}, func(context.Context) { <-time.After(10 * time.Minute) })
		worker.Start(t.Context())
		pass(30*time.Minute + time.Second)
		require.Equal(t, int64(4), rounds.Load(), "the next begins at once, and only one")
		worker.Stop()
	})
}

func TestTheFirstRoundWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		after := make(chan struct{})
		worker, rounds := newCounter(background.Config{After: after}, doNothing)
		never, none := newCounter(background.Config{After: after}, doNothing)
		worker.Start(t.Context())
		never.Start(t.Context())
		pass(30 * time.Second)
		require.Zero(t, rounds.Load())
		never.Stop()

		close(after)
		synctest.Wait()
		require.Equal(t, int64(1), rounds.Load())
		worker.Stop()
		require.Zero(t, none.Load(), "it is stopped before")
	})
}

func TestWakeBeginsARoundInOneOfTheGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 2)
		worker, rounds := newCounter(background.Config{Wake: wake, Goroutines: 2}, doNothing)
		worker.Start(t.Context())
		synctest.Wait()
		require.Equal(t, int64(2), rounds.Load())
		wake <- struct{}{}
		synctest.Wait()
		require.Equal(t, int64(3), rounds.Load())
		pass(time.Minute)
		require.Equal(t, int64(5), rounds.Load())
		worker.Stop()
	})
}

func TestStartAndStopRace(t *testing.T) {
	t.Parallel()
	for range 50 {
		worker, _ := newCounter(background.Config{}, waitForEnd)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { worker.Start(t.Context()) })
			group.Go(worker.Stop)
		}

		group.Wait()
		worker.Stop()
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		before := time.Now()
		require.True(t, background.Wait(ctx, 300*time.Millisecond))
		require.False(t, background.Wait(ctx, time.Hour))
		require.Equal(t, time.Second, time.Since(before))
	})
}
