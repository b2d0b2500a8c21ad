package access_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

func publicCaller(id string, rate int) *access.Caller {
	return &access.Caller{KeyID: id, PublicUse: access.PublicUse{Public: true, RateLimit: &rate}}
}

// peer is one of many addresses.
func peer(n int) netip.Addr {
	var address [4]byte
	binary.BigEndian.PutUint32(address[:], uint32(n))
	return netip.AddrFrom4(address)
}

func TestPublicLimiterAllowsABurstOfTenSecondsForEachAddress(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewPublicLimiter(c.now)
	web := publicCaller("web", 5)
	for range 50 {
		_, ok := limiter.Allow(web, peer(1), 1)
		require.True(t, ok)
	}

	wait, ok := limiter.Allow(web, peer(1), 1)
	require.False(t, ok)
	require.Equal(t, 200*time.Millisecond, wait)
	quota, window, remaining := limiter.DescribeLimit(web, peer(1))
	require.Equal(t, []any{50, 10 * time.Second, 0}, []any{quota, window, remaining})

	_, _, remaining = limiter.DescribeLimit(web, peer(2))
	require.Equal(t, 50, remaining, "another address has a bucket of its own")
	_, ok = limiter.Allow(publicCaller("app", 5), peer(1), 50)
	require.True(t, ok, "and so has another key")

	c.pass(200 * time.Millisecond)
	_, ok = limiter.Allow(web, peer(1), 1)
	require.True(t, ok)
}

// However many addresses there are, the memory is bounded, and who is over the limit stays so.
func TestPublicLimiterForgetsWhoIsWithinTheLimitFirst(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewPublicLimiter(c.now)
	web := publicCaller("web", 1)
	for n := range 200_000 {
		c.pass(20 * time.Second) // the buckets of all before are full again
		_, ok := limiter.Allow(web, peer(n), 10)
		require.True(t, ok)
	}

	require.LessOrEqual(t, limiter.Len(), 50_000)
	_, ok := limiter.Allow(web, peer(199_999), 1)
	require.False(t, ok)
}

func TestPublicLimiterIsSharedByRequests(t *testing.T) {
	t.Parallel()
	limiter := access.NewPublicLimiter(new(clock).now)
	web := publicCaller("web", 100)
	var allowed atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				if _, ok := limiter.Allow(web, peer(1), 1); ok {
					allowed.Add(1)
				}
			}
		})
	}

	group.Wait()
	require.EqualValues(t, 1000, allowed.Load())
}

// A host with a network of IPv6 addresses is held to one limit.
func TestPublicLimiterCountsAnIPv6NetworkAsOnePeer(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewPublicLimiter(c.now)
	rate := 1
	page := &access.Caller{KeyID: "a", PublicUse: access.PublicUse{RateLimit: &rate}}
	send := func(peer string) bool {
		_, ok := limiter.Allow(page, netip.MustParseAddr(peer), 5)
		return ok
	}
	require.True(t, send("2001:db8::1"))
	require.True(t, send("2001:db8::ffff:2"))
	require.False(t, send("2001:db8::3%eth0"))
	require.True(t, send("2001:db8:0:1::1"), "the next network")

	_, window, remaining := limiter.DescribeLimit(page, netip.MustParseAddr("2001:db8::4"))
	require.Equal(t, 10*time.Second, window)
	require.Zero(t, remaining)

	require.True(t, send("192.0.2.1"))
	require.True(t, send("::ffff:192.0.2.1"))
	require.False(t, send("192.0.2.1"), "the same address in another form")
	require.True(t, send("192.0.2.2"))
}

// An address over its limit is not forgotten as long as there is another one that is not: new
// addresses would otherwise be a way out of the limit.
func TestPublicLimiterRemembersWhoIsOverTheLimit(t *testing.T) {
	t.Parallel()
	var c clock
	limiter := access.NewPublicLimiter(c.now)
	const remembered, over = 50_000, 5_000
	web := publicCaller("web", 1)
	for n := range over {
		_, ok := limiter.Allow(web, peer(n), 1000)
		require.True(t, ok)
	}

	for n := over; n < remembered; n++ {
		_, ok := limiter.Allow(web, peer(n), 1)
		require.True(t, ok)
	}

	c.pass(20 * time.Second) // those who sent one event have a full bucket again
	for n := remembered; n < remembered+2000; n++ {
		_, ok := limiter.Allow(web, peer(n), 1)
		require.True(t, ok)
	}

	for n := range over {
		_, ok := limiter.Allow(web, peer(n), 1)
		require.False(t, ok, "address %d", n)
	}
}
