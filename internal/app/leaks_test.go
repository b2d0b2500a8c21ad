package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// canary is a text that must never appear; each place into which it is put adds a name.
const canary = "canary-"

// TestNothingLeaks puts canaries into every place into which a client or an operator can
// put text, at the most verbose level, with the database up and down, and searches for
// them in all output of the service.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDedicated(t)
	dsn, err := url.Parse(database.DSN())
	require.NoError(t, err)
	dsn.User = url.UserPassword(dsn.User.Username(), canary+"password")
	c, err := config.Load(config.Sources{Flags: map[string]string{
		"database.url": dsn.String(), "http.listen": "127.0.0.1:0", "ops.listen": "127.0.0.1:0", "drain.delay": "0s",
		"log.level": "debug", "http.budget": "1s", "ops.pprof": "on",
	}})
	require.NoError(t, err)
	key := ""
	require.NoError(t, cli.WithAdmin(t.Context(), c, func(a *access.Registry) error {
		if _, err := a.CreateApplication(t.Context(), access.ApplicationSpec{Name: "shop"}); err != nil {
			return err
		}

		made, err := a.CreateKey(t.Context(), "shop", access.KeySpec{Scopes: []access.Scope{"ingest", "read", "admin"}})
		key = made.Text
		return err
	}))
	out := &logged{}
	service, ops := startLogged(t, c, out)
	client := apptest.NewClient("http://"+service.Addr(), key)
	t.Cleanup(client.HTTP.CloseIdleConnections)

	told := hostileRequests(t, client, service.Addr())
	require.NoError(t, database.Server().Kill())
	eventually(t, ops, "/readyz/database", http.StatusServiceUnavailable)
	told += hostileRequests(t, client, service.Addr())
	for _, path := range []string{
		"/", "/metrics", "/livez?verbose", "/startupz?verbose", "/readyz?verbose", "/version", "/debug/config", "/debug/log-level", "/debug/pprof/cmdline", "/debug/" + canary + "path",
	} {
		told += string(ops.Do(t, http.MethodGet, path, "", "Authorization", "Bearer "+canary+"bearer", "User-Agent", canary+"agent").Body)
	}

	told += string(ops.Do(t, http.MethodPut, "/debug/log-level", `{"level":"`+canary+`level","for":"`+canary+`for"}`).Body)
	require.NoError(t, database.Server().Restart(t.Context()))
	eventually(t, ops, "/readyz/keys", http.StatusOK)

	// A sender gets the place of its mistake, in the names of its own members.
	told = regexp.MustCompile(`"pointer":"[^"]*"`).ReplaceAllString(told, `"pointer":""`)
	log := out.String()
	require.Contains(t, log, `"message":"request"`, "there is something to look at")
	require.Contains(t, log, `"level":"warn"`)
	for line := range strings.Lines(log + told) {
		for _, secret := range []string{canary, key, key[strings.LastIndexByte(key, '_')+1:]} {
			require.NotContains(t, line, secret)
		}
	}

	for line := range strings.Lines(log) {
		require.Equal(t, -1, strings.IndexFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl), "%q", line)
	}
}

// hostileRequests sends canaries and control characters to the API, and returns all
// problems that it gets for them.
func hostileRequests(t *testing.T, client *apptest.Client, address string) string {
	t.Helper()
	event := func(session, data, timestamp string) string {
		return fmt.Sprintf(`{"session_id": %q, "category": %q, "name": %q, "data": {%q: %s}, "timestamp": %q}`,
			session, canary+"category", canary+"name", canary+"member", data, timestamp)
	}
	session, now := uuid.NewString(), "2026-01-01T00:00:00Z"
	value := `"` + canary + `value"`
	good := event(session, value, now)
	bodies := []string{
		good, "[" + good + "," + good + "]",
		event(session, value, "2999-01-01T00:00:00Z"), event(session, value, canary+"time"), event(canary+"session", value, now),
		event(session, `"\u0000`+canary+`"`, now), event(session, `"`+canary+"\x1b[31m\r\n"+`"`, now), event(session, "1e400", now),
		`{"` + canary + `":`, canary, `"` + canary + `"`, "\x00\x1b\n" + canary, `[{"event_id": "` + canary + `id"}]`,
	}
	var told strings.Builder
	note := func(answer *apptest.Answer, err error) {
		if err == nil && answer.Header.Get("Content-Type") == "application/problem+json" {
			told.Write(answer.Body)
			told.WriteByte('\n')
		}
	}
	headers := [][]string{
		nil,
		{"X-Request-Id", canary + "request id"},
		{"X-Request-Id", strings.Repeat(canary, 50)},
		{"User-Agent", canary + "agent", "Referer", canary + "referer", "X-Forwarded-For", canary + "forwarded", "Cookie", canary + "cookie"},
		{"Authorization", "Bearer " + canary + "bearer"},
		{"Authorization", canary + "basic"},
		{"Authorization", "Bearer " + client.Key + canary},
		{"Content-Type", canary + "/" + canary},
		{"Content-Encoding", canary + "encoding"},
		{"Origin", "https://" + canary + "origin"},
		{"Traceparent", canary + "trace", "Tracestate", canary + "state", "Baggage", canary + "=" + canary},
	}
	for _, body := range bodies {
		for _, header := range headers {
			note(client.Try(t.Context(), http.MethodPost, "/v1/events", []byte(body), header...))
		}

		note(client.Try(t.Context(), http.MethodPost, "/v1/events", []byte(body), "Content-Type", "application/x-ndjson"))
		note(client.Try(t.Context(), http.MethodPost, "/v1/validate", []byte(body)))
	}

	for _, key := range []string{canary + "key", "eyp_" + canary, client.Key, client.Key + "&" + canary + "=1", "&" + canary, "a;" + canary} {
		note(client.Try(t.Context(), http.MethodPost, "/v1/collect?key="+key, []byte(good), "Origin", "https://"+canary+"origin"))
		note(client.Try(t.Context(), http.MethodPost, "/v1/collect?traceparent="+canary+"&key="+key, []byte(good)))
	}

	for _, path := range []string{
		"/v1/" + canary + "path", "/v1/events/" + canary + "id", "/v1/events/" + session, "/" + canary + "%0a%1b%5b31m",
		"/v1/events?name=" + canary + "query", "/v1/events?cursor=" + canary + "cursor", "/v1/events?from=" + canary + "from", "/v1/events?limit=" + canary,
		"/v1/events?session_id=" + canary, "/v1/events?order=" + canary, "/v1/events?a;b=" + canary + "%00", "/v1/errors?code=" + canary + "code",
		"/v1/sessions/" + canary + "session", "/v1/applications/" + canary + "application",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			note(client.Try(t.Context(), method, path, []byte(good), "If-Match", `"`+canary+`tag"`))
		}
	}

	for _, raw := range []string{
		"GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-Request-Id: \x1b[31m" + canary + "\r\n\r\n",
		"GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-Request-Id: caf\xe9 " + canary + "\u2028\r\n\r\n",
		"GET /" + canary + "\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n", canary + " / HTTP/1.1\r\nHost: " + canary + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n" + canary + "header\r\n\r\n", "\x16\x03\x01" + canary + "\r\n\r\n", canary + "\r\n\r\n",
		"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + client.Key + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + canary,
	} {
		var dialer net.Dialer
		connection, err := dialer.DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		_, err = io.WriteString(connection, raw)
		require.NoError(t, err)
		if half, ok := connection.(*net.TCPConn); ok {
			require.NoError(t, half.CloseWrite())
		}

		_, _ = io.Copy(io.Discard, connection) // only the log matters
		require.NoError(t, connection.Close())
	}

	return told.String()
}
