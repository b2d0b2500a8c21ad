package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// Behind a trusted proxy each client has its own limit, and cannot use that of another. Tests
// connect from 127.0.0.1, so they are the proxy.
func TestFailedAuthenticationIsBoundedByClientBehindATrustedProxy(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"access.failures_per_minute": "1", "http.trusted_proxies": "127.0.0.1"})
	wrong := s.WithKey("eye_wrong")
	const first, bounded = http.StatusUnauthorized, http.StatusTooManyRequests
	for _, step := range []struct {
		header, value string
		status        int
		about         string
	}{
		{"X-Forwarded-For", "192.0.2.1", first, "a client"},
		{"X-Forwarded-For", "192.0.2.1", bounded, "the same client"},
		{"X-Forwarded-For", "192.0.2.2, 192.0.2.1", bounded, "the same client, who claims to be another"},
		{"X-Forwarded-For", "127.0.0.1, ::ffff:192.0.2.1", bounded, "the same client, who claims to be the proxy"},
		{"X-Forwarded-For", "192.0.2.1, 192.0.2.2:5555", first, "another client"},
		{"X-Forwarded-For", "192.0.2.2", bounded, "which can be known by its address"},
		{"X-Forwarded-For", "[2001:db8::1]:80", first, "a client over IPv6"},
		{"X-Forwarded-For", "2001:db8::ffff:2", bounded, "another address of its network"},
		{"X-Forwarded-For", "unknown", first, "a client that the proxy does not know counts as the proxy"},
		{"Forwarded", "for=192.0.2.3", bounded, "and no other header names one"},
		{"X-Real-Ip", "192.0.2.3", bounded, "nor this one"},
	} {
		answer := wrong.Do(t, http.MethodGet, "/v1/events", "", step.header, step.value)
		require.Equal(t, step.status, answer.Status, step.about)
	}
}

// A sender that is not in the list is a client, whatever it sends.
func TestFailedAuthenticationBehindAnotherProxyIsBoundedByPeer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"access.failures_per_minute": "1", "http.trusted_proxies": "192.0.2.0/24,::1"})
	wrong := s.WithKey("eye_wrong")
	requireProblem(t, wrong.Do(t, http.MethodGet, "/v1/events", "", "X-Forwarded-For", "198.51.100.1, 192.0.2.1"), http.StatusUnauthorized, "unauthorized")
	requireProblem(t, wrong.Do(t, http.MethodGet, "/v1/events", "", "X-Forwarded-For", "198.51.100.2, 192.0.2.1"), http.StatusTooManyRequests, "too_many_failures")
}

// The visitors of a site share its ingress and its public key, and not their limit.
func TestPublicKeyHasARateLimitForEachClientBehindATrustedProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		proxies string
		// other is the answer to a second client after the first one has used up its limit.
		other int
	}{{"127.0.0.0/8", http.StatusCreated}, {"", http.StatusTooManyRequests}} {
		s := apptest.Start(t, map[string]string{"http.trusted_proxies": test.proxies})
		web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
		p := newPage(t, s, web.Name, `,"rate_limit":1`)
		batch := func() string {
			events := make([]string, 200) // leaves a debt of minutes
			for i := range events {
				events[i] = newEvent(t, newID())
			}

			return batchOf(events...)
		}

		require.Equal(t, http.StatusCreated, p.post(t, batch(), "X-Forwarded-For", "192.0.2.1").Status)
		require.Equal(t, http.StatusTooManyRequests, p.post(t, newEvent(t, newID()), "X-Forwarded-For", "192.0.2.1").Status)
		require.Equal(t, test.other, p.post(t, newEvent(t, newID()), "X-Forwarded-For", "192.0.2.2").Status, "trusted: %q", test.proxies)
	}
}
