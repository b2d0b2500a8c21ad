package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// insideProxies are the proxies of these tests.
func insideProxies() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:aaaa::/48")}
}

func TestClientAddressIsReadFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		about, remote string
		forwarded     []string
		want          string
	}{
		{"no header", "10.0.0.1:80", nil, "10.0.0.1"},
		{"one proxy", "10.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a stranger who claims to be another", "192.0.2.9:80", []string{"192.0.2.1"}, "192.0.2.9"},
		{"a stranger who claims to be a proxy", "192.0.2.9:80", []string{"192.0.2.1, 10.0.0.1"}, "192.0.2.9"},
		{"a client who claims to be another", "10.0.0.1:80", []string{"192.0.2.1, 192.0.2.9"}, "192.0.2.9"},
		{"a client who claims to be a proxy", "10.0.0.1:80", []string{"10.0.0.2, 192.0.2.9"}, "192.0.2.9"},
		{"a chain of proxies", "10.0.0.1:80", []string{"192.0.2.1, 192.0.2.9,10.0.0.3 ,\t10.0.0.2"}, "192.0.2.9"},
		{"a header for each proxy", "10.0.0.1:80", []string{"192.0.2.1", "192.0.2.9", "10.0.0.2"}, "192.0.2.9"},
		{"a request of the proxies themselves", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a proxy over IPv6", "[2001:db8:aaaa::1]:80", []string{"2001:db8:bbbb::7"}, "2001:db8:bbbb::7"},
		{"a proxy whose IPv4 address is mapped", "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a proxy with a zone", "[2001:db8:aaaa::1%eth0]:80", []string{"fe80::1%eth1"}, "fe80::1"},
		{"a port", "10.0.0.1:80", []string{"192.0.2.1:5555"}, "192.0.2.1"},
		{"brackets", "10.0.0.1:80", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"brackets and a port", "10.0.0.1:80", []string{"[2001:db8::1]:5555, [::ffff:10.0.0.2]:80"}, "2001:db8::1"},
		{"an unreadable entry stands for the proxy that wrote it", "10.0.0.1:80", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"an entry that is too long", "10.0.0.1:80", []string{"192.0.2.1," + strings.Repeat("x", maxForwardedEntry+1) + ", 10.0.0.2"}, "10.0.0.2"},
		{"an empty entry", "10.0.0.1:80", []string{"192.0.2.1,,10.0.0.2"}, "10.0.0.2"},
		{"an empty header", "10.0.0.1:80", []string{"192.0.2.1", ""}, "10.0.0.1"},
		{"no address of a connection", "@", []string{"192.0.2.1"}, "invalid IP"},
	} {
		got := findClientAddress(connectionAddress(test.remote), test.forwarded, insideProxies())
		require.Equal(t, test.want, got.String(), test.about)

		without := findClientAddress(connectionAddress(test.remote), test.forwarded, nil)
		require.Equal(t, connectionAddress(test.remote), without, "without proxies: %s", test.about)
	}
}

func TestForwardedEntriesThatAreNoAddress(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", " ", "unknown", "_hidden", "localhost", "192.0.2", "192.0.2.1.", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1 80", "192.0.2.0/24", "0xc0000201",
		"[192.0.2.1]", "[192.0.2.1]:80", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]80", "[2001:db8::1]:", "[]", "[", ":", "2001:db8::1::", "\"192.0.2.1\"",
		"for=192.0.2.1", "192.0.2.1\n", "fe80::1%" + strings.Repeat("z", maxForwardedEntry),
	} {
		_, ok := parseForwardedEntry(entry)
		require.False(t, ok, "%q", entry)
	}
}

// A client inside of the trusted networks can write any number of entries that are believed.
func TestAChainOfProxiesIsReadToABound(t *testing.T) {
	t.Parallel()
	chain := func(proxies int) []string { return []string{"192.0.2.1" + strings.Repeat(", 10.0.0.2", proxies)} }
	connection := netip.MustParseAddr("10.0.0.1")
	require.Equal(t, "192.0.2.1", findClientAddress(connection, chain(maxProxyHops-1), insideProxies()).String())
	require.Equal(t, "10.0.0.2", findClientAddress(connection, chain(maxProxyHops), insideProxies()).String())

	lines := append([]string{"192.0.2.1"}, slices.Repeat([]string{"10.0.0.2"}, maxProxyHops)...)
	require.Equal(t, "10.0.0.2", findClientAddress(connection, lines, insideProxies()).String())
}

// requestFrom returns the context of a request over a connection.
func requestFrom(remote string, forwarded ...string) *gin.Context {
	gin.SetMode(gin.ReleaseMode)
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = &http.Request{RemoteAddr: remote, Header: http.Header{}}
	if len(forwarded) > 0 {
		c.Request.Header[forwardedForHeader] = forwarded
	}

	return c
}

// Two parts of one request never take it for two clients.
func TestPeerAddressIsComputedOnceARequest(t *testing.T) {
	t.Parallel()
	a := &api{Config: Config{TrustedProxies: insideProxies()}}
	c := requestFrom("10.0.0.1:80", "192.0.2.1")
	require.Equal(t, "192.0.2.1", a.peerAddress(c).String())
	c.Request.Header.Set(forwardedForHeader, "192.0.2.2")
	require.Equal(t, "192.0.2.1", a.peerAddress(c).String())
}

func TestPeerAddressAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would count
	for about, a := range map[string]*api{"without proxies": {}, "behind proxies": {Config: Config{TrustedProxies: insideProxies()}}} {
		c := requestFrom("10.0.0.1:80", "192.0.2.1, 10.0.0.2")
		x := requestStateOf(c)
		allocated := testing.AllocsPerRun(100, func() {
			x.peer = netip.Addr{}
			a.peerAddress(c)
		})
		require.Zero(t, allocated, about)
	}
}

// FuzzForwardedFor compares the address with that of a plain reading of the rule: of all entries
// and the connection, the last one that is not a trusted proxy.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range [][3]string{
		{"10.0.0.1:80", "192.0.2.1, 10.0.0.2", "10.0.0.3"},
		{"192.0.2.9:80", "192.0.2.1", ""},
		{"[::ffff:10.0.0.1]:80", "[2001:db8::1%eth0]:443,unknown", "::ffff:10.0.0.9"},
		{"10.0.0.1:80", strings.Repeat("10.0.0.2,", 50), ",,"},
		{"@", "[", "]"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}

	f.Fuzz(func(t *testing.T, remote, first, second string) {
		connection := connectionAddress(remote)
		got := findClientAddress(connection, []string{first, second}, insideProxies())
		require.Equal(t, got, got.Unmap().WithZone(""))

		want := connection
		entries := strings.Split(first+","+second, ",")
		slices.Reverse(entries)
		for _, entry := range entries[:min(len(entries), maxProxyHops)] {
			next, ok := parseForwardedEntry(entry)
			trusted := slices.ContainsFunc(insideProxies(), func(p netip.Prefix) bool { return p.Contains(want) })
			if !ok || !trusted {
				break
			}

			require.True(t, next.IsValid())
			want = next
		}

		require.Equal(t, want, got)
	})
}

func BenchmarkPeerAddress(b *testing.B) {
	proxies := insideProxies()
	for _, bench := range []struct {
		name      string
		proxies   []netip.Prefix
		forwarded []string
	}{
		{"proxies=none", nil, nil},
		{"proxies=none,spoofed", nil, []string{"192.0.2.1"}},
		{"proxies=1", proxies, []string{"192.0.2.1"}},
		{"proxies=4", proxies, []string{"192.0.2.1, 10.0.0.4, 10.0.0.3, 10.0.0.2"}},
		{"proxies=endless", proxies, []string{strings.Repeat("10.0.0.2,", 3000) + "10.0.0.2"}},
		{"proxies=1,unreadable", proxies, []string{strings.Repeat("x", 30_000)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := &api{Config: Config{TrustedProxies: bench.proxies}}
			c := requestFrom("10.0.0.1:80", bench.forwarded...)
			x := requestStateOf(c)
			b.ReportAllocs()
			for b.Loop() {
				x.peer = netip.Addr{}
				a.peerAddress(c)
			}
		})
	}
}
