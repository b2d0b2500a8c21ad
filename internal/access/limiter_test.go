package access_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
)

// clock is a clock that a test moves. It is safe for concurrent use.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.nanoseconds.Load()))
}

func (c *clock) pass(d time.Duration) { c.nanoseconds.Add(int64(d)) }

func limited(id event.ApplicationID, rate int) *access.Application {
	return &access.Application{ID: id, RateLimit: &rate}
}

func TestLimiterLetsTheUnlimitedPass(t *testing.T) {
	t.Parallel()
	limiter := access.NewLimiter(new(clock).now)
	for range 1000 {
		wait, ok := limiter.Allow(&access.Application{ID: 1}, 1_000_000)
		require.True(t, ok)
		require.Zero(t, wait)
	}
}

func TestLimiterAllowsABurstOfOneSecond(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewLimiter(c.now)
	shop := limited(1, 10)
	for range 10 {
		_, ok := limiter.Allow(shop, 1)
		require.True(t, ok)
	}

	wait, ok := limiter.Allow(shop, 1)
	require.False(t, ok)
	require.Equal(t, 100*time.Millisecond, wait)
	wait, ok = limiter.Allow(shop, 4)
	require.False(t, ok)
	require.Equal(t, 400*time.Millisecond, wait)

	_, ok = limiter.Allow(limited(2, 10), 10)
	require.True(t, ok, "another application has its own bucket")
	_, ok = limiter.Allow(shop, 0)
	require.True(t, ok, "nothing is always allowed")

	c.pass(400*time.Millisecond - 1)
	_, ok = limiter.Allow(shop, 4)
	require.False(t, ok)
	c.pass(1)
	_, ok = limiter.Allow(shop, 4)
	require.True(t, ok, "the returned wait is long enough")

	c.pass(time.Hour)
	_, ok = limiter.Allow(shop, 10)
	require.True(t, ok)
	_, ok = limiter.Allow(shop, 1)
	require.False(t, ok, "a long rest saves no more than one burst")
}

func TestLimiterPutsALargeBatchIntoDebt(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewLimiter(c.now)
	shop := limited(1, 100)
	_, ok := limiter.Allow(shop, 1)
	require.True(t, ok)
	wait, ok := limiter.Allow(shop, 1000)
	require.False(t, ok, "the bucket is not full")
	require.Equal(t, 10*time.Millisecond, wait)
	c.pass(wait)
	_, ok = limiter.Allow(shop, 1000)
	require.True(t, ok)
	wait, ok = limiter.Allow(shop, 1)
	require.False(t, ok)
	require.Equal(t, 9010*time.Millisecond, wait, "900 are owed, and one more")
	c.pass(wait)
	_, ok = limiter.Allow(shop, 1)
	require.True(t, ok)
}

func TestLimiterHoldsTheRateOverTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rate, batch int }{{1, 1}, {3, 1}, {7, 2}, {1000, 13}, {10, 100}, {access.MaxRateLimit, 1 << 20}} {
		var c clock
		limiter := access.NewLimiter(c.now)
		application := limited(1, test.rate)
		passed := 0
		const span = 100 * time.Second
		for c.now().Before(new(clock).now().Add(span)) {
			wait, ok := limiter.Allow(application, test.batch)
			if ok {
				passed += test.batch
				continue
			}

			c.pass(wait)
		}

		ideal := float64(test.rate) * span.Seconds()
		require.InDelta(t, ideal, passed, float64(test.rate+test.batch)+ideal/1e6, "%+v", test)
	}
}

func TestLimiterFollowsAChangedRate(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewLimiter(c.now)
	_, ok := limiter.Allow(limited(1, 10), 110)
	require.True(t, ok)
	wait, ok := limiter.Allow(limited(1, 10), 1)
	require.False(t, ok)
	require.Equal(t, 10100*time.Millisecond, wait)

	wait, ok = limiter.Allow(limited(1, 1000), 1)
	require.True(t, ok, "the 110 are little at the new rate")
	require.Zero(t, wait)

	c.pass(time.Minute)
	_, ok = limiter.Allow(limited(1, 1000), 1000)
	require.True(t, ok)
	wait, ok = limiter.Allow(limited(1, 1), 1)
	require.False(t, ok)
	require.Equal(t, time.Second, wait, "a lower limit makes no debt")

	_, ok = limiter.Allow(&access.Application{ID: 1}, 1000)
	require.True(t, ok, "without a limit nothing is asked")
}

func TestLimiterIsExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewLimiter(c.now)
	shop := limited(1, 1000)
	var passed atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 500 {
				if _, ok := limiter.Allow(shop, 1); ok {
					passed.Add(1)
				}
			}
		})
	}

	group.Wait()
	require.Equal(t, int64(1000), passed.Load())
}

func BenchmarkLimiter(b *testing.B) {
	limiter := access.NewLimiter(time.Now)
	shop := limited(1, access.MaxRateLimit)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			limiter.Allow(shop, 1)
		}
	})
}

// The remaining events pass, one by one or at once, and nothing more does.
func TestWhatIsLeftPasses(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 3, 7, 1000, access.MaxRateLimit} {
		for _, atOnce := range []bool{false, true} {
			var c clock
			limiter := access.NewLimiter(c.now)
			application := limited(1, rate)
			require.Equal(t, rate, limiter.RemainingEvents(application), "a bucket is full at first")
			_, ok := limiter.Allow(application, rate/2+1)
			require.True(t, ok)
			c.pass(time.Millisecond)
			left := limiter.RemainingEvents(application)
			require.Less(t, left, rate)
			if atOnce || left > 1000 {
				_, ok = limiter.Allow(application, left)
				require.True(t, ok)
			} else {
				for range left {
					_, ok = limiter.Allow(application, 1)
					require.True(t, ok)
				}
			}

			require.Zero(t, limiter.RemainingEvents(application))
			_, ok = limiter.Allow(application, 2)
			require.False(t, ok)
		}
	}

	require.Zero(t, access.NewLimiter(new(clock).now).RemainingEvents(&access.Application{ID: 1}), "without a limit nothing is counted")
}
