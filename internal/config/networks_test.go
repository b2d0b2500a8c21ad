package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "",
		" , ":                                "",
		"10.0.0.7":                           "10.0.0.7",
		"10.0.0.7/32":                        "10.0.0.7",
		"::ffff:10.0.0.7":                    "10.0.0.7",
		"10.1.0.0/16":                        "10.1.0.0/16",
		"::1, 2001:db8::/32 ,192.0.2.0/24,":  "::1,2001:db8::/32,192.0.2.0/24",
		strings.Repeat("10.0.0.0/8,", 256):   strings.TrimSuffix(strings.Repeat("10.0.0.0/8,", 256), ","),
		"2001:DB8:0:0:0:0:0:1/128,127.0.0.1": "2001:db8::1,127.0.0.1",
	} {
		c, err := load("http.trusted_proxies", text)
		require.NoError(t, err, text)
		require.Equal(t, want, shown(t, c, "http.trusted_proxies"))

		again, err := load("http.trusted_proxies", want)
		require.NoError(t, err, want)
		require.Equal(t, c.HTTP.TrustedProxies, again.HTTP.TrustedProxies)
	}

	c, err := config.Load(config.Sources{})
	require.NoError(t, err)
	require.Empty(t, c.HTTP.TrustedProxies)

	c, err = load("http.trusted_proxies", "::ffff:10.0.0.7")
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}, c.HTTP.TrustedProxies, "addresses of connections are compared without ::ffff:")
}

// A list that lets in more than was meant is worse than none.
func TestTrustedProxiesThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ingress.example.com":              "give IP addresses or prefixes",
		"10.0.0.7:80":                      "give IP addresses or prefixes",
		"10.0.0.0/33":                      "give IP addresses or prefixes",
		"10.0.0.7 10.0.0.8":                "give IP addresses or prefixes",
		"fe80::1%eth0":                     "give IP addresses or prefixes",
		"*":                                "give IP addresses or prefixes",
		"0.0.0.0/0":                        "covers every client",
		"10.0.0.7,::/0":                    "covers every client",
		"10.0.0.7/8":                       "bits after its length",
		"2001:db8::1/64":                   "bits after its length",
		"::ffff:10.0.0.0/104":              "without ::ffff:",
		strings.Repeat("10.0.0.0/8,", 257): "at most 256",
	} {
		_, err := load("http.trusted_proxies", text)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "http.trusted_proxies")
	}
}
