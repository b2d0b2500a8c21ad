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

// slowFake is a store that needs time for each group.
type slowFake struct {
	*fake
	takes atomic.Int64
}

func (s *slowFake) Commit(ctx context.Context, group *ingest.Group) error {
	select {
	case <-time.After(time.Duration(s.takes.Load())):
		return s.fake.Commit(ctx, group)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flood sends single events at a rate for a time, and counts the answers.
func flood(c *ingest.Collector, every, length time.Duration) (stored, overloaded, other int64) {
	return floodOf(c, every, length, func() *ingest.Request { return request(good(uuid.New())) })
}

func floodOf(c *ingest.Collector, every, length time.Duration, next func() *ingest.Request) (stored, overloaded, other int64) {
	var all sync.WaitGroup
	var counts [3]atomic.Int64
	for range length / every {
		all.Go(func() {
			verdicts, err := c.Submit(context.Background(), next())
			switch {
			case err == nil && verdicts[0].Status == ingest.Stored:
				counts[0].Add(1)
			case fault.Is(err, fault.CodeOverloaded):
				counts[1].Add(1)
			default:
				counts[2].Add(1)
			}
		})
		time.Sleep(every) //nolint:forbidigo // the clock is the bubble's
	}

	all.Wait()
	return counts[0].Load(), counts[1].Load(), counts[2].Load()
}

// A store that takes 700 ms for a group of 100 stores 143 events a second. At four times that
// rate, every admitted request has an answer within the budget, and the store works at full
// capacity: no work is done for requests without a waiting client.
func TestOverloadCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, length = 700 * time.Millisecond, time.Minute
		config := config()
		config.QueueEvents = 100_000
		store := &slowFake{fake: newFake()}
		store.takes.Store(int64(takes))
		c := started(t, config, store)
		stored, overloaded, other := flood(c, takes/100/4, length)
		capacity := int64(length/takes) * 100
		require.Greater(t, stored, capacity*9/10)
		require.Greater(t, overloaded, capacity*2, "the rest is shed at once")
		require.Zero(t, other, "every admitted request was answered in time")
	})
}

// Each atomic request is a transaction of its own, however small.
func TestOverloadOfAtomicRequestsCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowFake{fake: newFake()}
		store.takes.Store(int64(200 * time.Millisecond))
		c := started(t, config(), store)
		stored, overloaded, other := floodOf(c, 50*time.Millisecond, time.Minute, func() *ingest.Request {
			r := request(good(uuid.New()), good(uuid.New()))
			r.Atomic = true
			return r
		})
		require.Greater(t, stored, int64(270), "five a second can be stored")
		require.Greater(t, overloaded, int64(600))
		require.Zero(t, other, "every admitted request was answered in time")
	})
}

// A store that was down for longer than the budget is tried again by the next request, and one
// group later all requests are admitted as before.
func TestOverloadEndsWithTheOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowFake{fake: newFake()}
		store.takes.Store(int64(time.Hour))
		c := started(t, config(), store)
		stored, _, _ := flood(c, 10*time.Millisecond, 20*time.Second)
		require.Zero(t, stored)
		store.takes.Store(int64(2 * time.Millisecond))
		_, _, _ = flood(c, 10*time.Millisecond, 100*time.Millisecond)
		stored, overloaded, other := flood(c, 10*time.Millisecond, time.Second)
		require.EqualValues(t, 100, stored)
		require.Zero(t, overloaded+other)
	})
}

// A burst that finds an idle store is admitted completely, however small the groups before it.
func TestABurstIsNoOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowFake{fake: newFake()}
		store.takes.Store(int64(20 * time.Millisecond))
		c := started(t, config(), store)
		_, _, _ = flood(c, time.Second, 10*time.Second)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				_, err := c.Submit(context.Background(), request(good(uuid.New())))
				if err != nil {
					t.Error(err)
				}
			})
		}

		all.Wait()
	})
}
