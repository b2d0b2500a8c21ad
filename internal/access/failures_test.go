package access_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	f := access.NewFailureLimiter(60, func() time.Time { return now })
	fails := func(peer string) bool {
		_, ok := f.RecordFailure(netip.MustParseAddr(peer))
		return ok
	}
	for range 60 {
		require.True(t, fails("192.0.2.1"))
	}

	wait, ok := f.RecordFailure(netip.MustParseAddr("192.0.2.1"))
	require.False(t, ok)
	require.Equal(t, time.Second, wait)
	require.False(t, fails("::ffff:192.0.2.1"), "the same address in another form")
	require.True(t, fails("192.0.2.2"), "others do not pay for it")
	now = now.Add(wait)
	require.True(t, fails("192.0.2.1"), "after the wait that was answered it passes")
	require.False(t, fails("192.0.2.1"))
	now = now.Add(time.Hour)
	for range 60 {
		require.True(t, fails("192.0.2.1"), "no more than a minute's worth flows back")
	}

	require.False(t, fails("192.0.2.1"))

	for range 60 {
		require.True(t, fails("2001:db8::1"))
	}

	require.False(t, fails("2001:db8::ffff:2%eth0"), "one network of IPv6 is one peer")
	require.True(t, fails("2001:db8:0:1::1"))
	_, ok = f.RecordFailure(netip.Addr{})
	require.True(t, ok)

	off := access.NewFailureLimiter(0, func() time.Time { return now })
	for range 1000 {
		_, ok := off.RecordFailure(netip.MustParseAddr("192.0.2.1"))
		require.True(t, ok)
	}
}

// A client with many addresses cannot exhaust the memory.
func TestFailuresRememberABoundedNumberOfPeers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	f := access.NewFailureLimiter(1, func() time.Time { return now })
	for n := range 50_000 {
		f.RecordFailure(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
	}

	require.LessOrEqual(t, f.Peers(), 10_000)
	_, ok := f.RecordFailure(netip.MustParseAddr("192.0.2.1"))
	require.True(t, ok)
	_, ok = f.RecordFailure(netip.MustParseAddr("192.0.2.1"))
	require.False(t, ok, "a new peer is still remembered")
	now = now.Add(time.Hour)
	for n := range 20_000 {
		f.RecordFailure(netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)}))
	}

	require.LessOrEqual(t, f.Peers(), 10_000)
}
