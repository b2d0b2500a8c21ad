package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// TLS ends in a proxy, so https says that there is one.
func TestPublicKeysBehindAProxyThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	inUse := publicKeys(3, true, true)
	for _, test := range []struct {
		about   string
		keys    doctor.PublicKeys
		proxies int
		url     string
		result  doctor.Result
		found   string
	}{
		{"no key", doctor.PublicKeys{}, 0, "https://eye.example.com", doctor.OK, "no public key"},
		{"no proxy is trusted", inUse, 0, "https://eye.example.com", doctor.Warning, "share the rate limit"},
		{"the proxy is trusted", inUse, 2, "https://eye.example.com", doctor.OK, "2 addresses or networks"},
		{"no proxy is needed", inUse, 0, "http://eye:8080", doctor.OK, "not https"},
		{"no URL", inUse, 0, "", doctor.Skipped, "--url"},
	} {
		facts := healthy()
		facts.database.PublicKeys = is(test.keys)
		facts.outside.Public.URL = test.url
		if test.url == "" {
			facts.outside.Public = nil
		}

		c := settings()
		c.TrustedProxies = test.proxies
		got := finding(t, examine(c, facts), "access.public_addresses")
		require.Equal(t, test.result, got.Result, test.about)
		require.Contains(t, got.Found, test.found, test.about)
	}
}
