package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A page can read every response to it: the status, the advice, and the time.
func TestEveryAnswerIsReadableAcrossOrigins(t *testing.T) {
	t.Parallel()
	const origin = "https://shop.example"
	s := apptest.Start(t, map[string]string{"access.failures_per_minute": "3"})
	web := newTenant(t, s, `"allowed_origins":["`+origin+`"]`, `"rate_limit":1`)
	unlimited := newTenant(t, s, `"allowed_origins":["`+origin+`"]`)
	_, admin := newKey(t, s, unlimited.Name, `{"scopes":["admin"]}`)
	all := s.WithKey(admin)
	readable := func(answer *apptest.Answer, status int) {
		t.Helper()
		require.Equal(t, status, answer.Status, "%s", answer.Body)
		require.Equal(t, origin, answer.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "Origin", answer.Header.Get("Vary"))
		require.Empty(t, answer.Header.Get("Access-Control-Allow-Credentials"))
		for _, name := range []string{"Retry-After", "Date", "X-Request-Id", "Location", "ETag", "Link", "RateLimit"} {
			require.Contains(t, strings.Split(answer.Header.Get("Access-Control-Expose-Headers"), ", "), name)
		}

		_, err := http.ParseTime(answer.Header.Get("Date"))
		require.NoError(t, err)
	}
	post := func(c *apptest.Client, body string, header ...string) *apptest.Answer {
		return c.Do(t, http.MethodPost, "/v1/events", body, append([]string{"Origin", origin}, header...)...)
	}
	readable(post(web.Ingest, batchOf(newEvent(t, newID()), newEvent(t, newID()), newEvent(t, newID()))), http.StatusCreated)
	readable(post(web.Ingest, newEvent(t, newID())), http.StatusTooManyRequests)
	readable(post(s.WithKey(""), newEvent(t, newID())), http.StatusUnauthorized)
	readable(post(s.WithKey("eye_unknown"), newEvent(t, newID())), http.StatusUnauthorized)
	readable(post(web.Read, newEvent(t, newID())), http.StatusForbidden)
	readable(post(all, strings.Repeat(" ", 2<<20)), http.StatusRequestEntityTooLarge)
	readable(post(all, "x", "Content-Type", "text/plain"), http.StatusUnsupportedMediaType)
	readable(post(all, `{}`, "Accept", "text/html"), http.StatusNotAcceptable)
	readable(all.Do(t, http.MethodGet, "/nothing", "", "Origin", origin), http.StatusNotFound)
	readable(all.Do(t, http.MethodDelete, "/v1/events", "", "Origin", origin), http.StatusMethodNotAllowed)
	readable(all.Do(t, http.MethodGet, "/v1/events", "", "Origin", origin, "If-Match", "x"), http.StatusBadRequest)
	for post(s.WithKey("eye_unknown"), "").Status != http.StatusTooManyRequests {
		continue
	}

	readable(post(s.WithKey("eye_unknown"), ""), http.StatusTooManyRequests)

	// While the database is down: first an event cannot be stored, then no key can be checked.
	disconnectDatabase(t, s)
	readable(post(all, newEvent(t, newID())), http.StatusServiceUnavailable)
	require.Eventually(t, func() bool {
		answer := all.Do(t, http.MethodGet, "/v1/event-types", "", "Origin", origin)
		readable(answer, http.StatusServiceUnavailable)
		return strings.Contains(string(answer.Body), "keys")
	}, patience, 50*time.Millisecond, "until keys are too old to be believed")
	readable(post(s.WithKey("eye_unknown"), ""), http.StatusTooManyRequests)
}

// Libraries of pages add headers to every request; none of them is a reason to reject it.
func TestPreflightsAllowTheHeadersOfLibraries(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	newTenant(t, s, `"allowed_origins":["https://shop.example"]`)
	ask := func(asked string) []string {
		answer := s.WithKey("").Do(t, http.MethodOptions, "/v1/events", "", "Origin", "https://shop.example",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", asked)
		require.Equal(t, http.StatusNoContent, answer.Status)
		return strings.Split(strings.ToLower(answer.Header.Get("Access-Control-Allow-Headers")), ", ")
	}
	require.Subset(t, ask(""), []string{
		"accept", "authorization", "content-type", "content-encoding", "if-match", "if-none-match", "idempotency-key",
		"traceparent", "tracestate", "baggage", "sentry-trace", "b3", "x-request-id",
	})
	require.Subset(t, ask("x-datadog-trace-id, newrelic,x-amzn-trace-id , traceparent"), []string{"x-datadog-trace-id", "newrelic", "x-amzn-trace-id"})
	require.Len(t, ask("traceparent"), len(ask("")), "no header is listed twice")
	for _, odd := range []string{"a b", "a:b", "*\r\n", "é", strings.Repeat("x", 65), "", ",,"} {
		require.Len(t, ask(strings.Trim(odd, "\r\n")), len(ask(""))+strings.Count(odd, "*"), "%q", odd)
	}

	require.LessOrEqual(t, len(ask(strings.Repeat("x-a,x-b,x-", 200))), 64)
}
