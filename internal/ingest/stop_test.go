package ingest_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

func TestStopCommitsAndAnswersWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		queued := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New())))
		stopped := make(chan int64, 1)
		go func() { stopped <- c.Stop(context.Background()) }()
		synctest.Wait()
		_, err := c.Submit(t.Context(), request(good(uuid.New())))
		requireUnavailable(t, err, fault.CodeOverloaded)
		require.Equal(t, int64(3), c.QueuedEvents())

		store.proceed <- nil
		require.Equal(t, 2, <-store.entered)
		store.proceed <- nil
		require.NoError(t, (<-running).err)
		require.NoError(t, (<-queued).err)
		require.Zero(t, <-stopped)
		require.Zero(t, c.Stop(t.Context()), "a second time")
	})
}

// The context of the start may end, as it does at a signal: what was accepted is still committed.
func TestTheEndOfTheStartsContextStopsNoLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := newCollector(config(), store)
		ctx, cancel := context.WithCancel(t.Context())
		c.Start(ctx)
		cancel()
		answer := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		store.proceed <- nil
		require.NoError(t, (<-answer).err)
		require.Zero(t, c.Stop(t.Context()))
	})
}

func TestStopAtItsDeadlineTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New())))
		<-store.entered
		queued := submitted(t, c, t.Context(), request(good(uuid.New())))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, int64(3), c.Stop(ended))
		requireUnavailable(t, (<-running).err, fault.CodeUnavailable)
		requireUnavailable(t, (<-queued).err, fault.CodeUnavailable)
		require.Zero(t, c.QueuedEvents())
		require.Empty(t, store.sizes())
	})
}

func TestStopWithoutStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(config(), newFake())
		waiting := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New())))
		require.Equal(t, int64(2), c.Stop(t.Context()), "nothing would ever store them")
		requireUnavailable(t, (<-waiting).err, fault.CodeUnavailable)
		_, err := c.Submit(t.Context(), request(good(uuid.New())))
		requireUnavailable(t, err, fault.CodeOverloaded)
		c.Start(t.Context())
		require.Zero(t, c.Stop(t.Context()), "a stopped collector is not started again")
	})
}

// Everything at once, under the race detector: every request has an answer, every event reported
// as stored is stored, and no goroutine is left running.
func TestStartStopAndSubmitInAnyOrder(t *testing.T) {
	t.Parallel()
	const rounds, senders = 150, 8
	for round := range rounds {
		lanes := config()
		lanes.Lanes = 1 + round%3
		store := newFake()
		c := newCollector(lanes, store)
		var group sync.WaitGroup
		var reported, stored atomic.Int64
		for sender := range senders {
			group.Go(func() {
				for range 5 {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					if sender == 0 { // leaves before any answer
						cancel()
					}

					r := request(good(uuid.New()), good(uuid.New()))
					r.Atomic = sender == 1
					verdicts, err := c.Submit(ctx, r)
					cancel()
					if err == nil {
						reported.Add(int64(len(verdicts)))
						for _, v := range verdicts {
							if v.Status == ingest.Stored {
								stored.Add(1)
							}
						}
					}
				}
			})
		}

		group.Go(func() { c.Start(t.Context()) })
		for range 2 {
			group.Go(func() { c.Stop(context.Background()) })
		}

		group.Wait()
		require.Equal(t, reported.Load(), stored.Load())
		var kept int64
		for _, size := range store.sizes() {
			kept += int64(size)
		}

		require.GreaterOrEqual(t, kept, stored.Load())
		require.Zero(t, c.QueuedEvents())
	}
}
