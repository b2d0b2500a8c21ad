package access_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

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
