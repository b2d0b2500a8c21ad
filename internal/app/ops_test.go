package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/telemetry"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// logged is a log that tests can read during writes.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

// steps is a clock that is in another second for each entry, so that no entry is sampled
// away.
type steps struct{ seconds atomic.Int64 }

func (s *steps) Now() time.Time { return time.Unix(s.seconds.Add(1), 0) }

func (*steps) NewTicker(time.Duration) *time.Ticker { panic("not used") }

// startLogged starts a service like the program, and returns when it is ready.
func startLogged(t *testing.T, c config.Config, out *logged) (service *app.Service, ops *apptest.Client) {
	t.Helper()
	log, err := app.NewLog(c, "v1.2.3", out)
	require.NoError(t, err)
	log.Logger = log.WithOptions(zap.WithClock(&steps{}))
	t.Cleanup(func() { require.Zero(t, log.Dropped(), "a test wants to see all of it") })
	service, err = app.Start(t.Context(), c, telemetry.Build{Version: "v1.2.3", Revision: "abc", GoVersion: "go1.26"}, log.Logger, app.WithLog(log))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- service.Run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
	ops = apptest.NewClient("http://"+service.OpsAddr(), "")
	t.Cleanup(ops.HTTP.CloseIdleConnections)
	return service, ops
}

// eventually waits until a probe has a status, and returns its answer.
func eventually(t *testing.T, ops *apptest.Client, path string, status int) string {
	t.Helper()
	var body string
	require.Eventually(t, func() bool {
		answer, err := ops.Try(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			return false
		}

		body = string(answer.Body)
		return answer.Status == status
	}, time.Minute, 10*time.Millisecond, "%s", path)
	return body
}

// A replica accepts requests from the first connection to the database on, also during a
// later outage of the database, unless an operator decides otherwise.
func TestReadinessThroughAnOutage(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDedicated(t)
	server := database.Server()
	address := map[string]string{"off": unusedAddress(t), "on": unusedAddress(t)}
	settings := map[string]config.Config{}
	for needs, ops := range address {
		settings[needs] = apptest.LoadConfig(t, database, map[string]string{
			"ops.listen": ops, "ops.ready_needs_database": needs, "database.startup_timeout": "2m",
		})
	}

	require.NoError(t, server.Kill())
	clients := map[string]*apptest.Client{}
	var starting sync.WaitGroup
	for needs, c := range settings {
		clients[needs] = apptest.NewClient("http://"+address[needs], "")
		t.Cleanup(clients[needs].HTTP.CloseIdleConnections)
		starting.Go(func() { startLogged(t, c, &logged{}) })
	}

	for _, ops := range clients {
		require.Equal(t, "ok\n", eventually(t, ops, "/livez", http.StatusOK))
		require.Eventually(t, func() bool {
			return eventually(t, ops, "/startupz", http.StatusServiceUnavailable) == "[-]started failed: waiting for the database\nstartupz check failed\n"
		}, time.Minute, time.Millisecond)
		require.Contains(t, eventually(t, ops, "/readyz", http.StatusServiceUnavailable), "[-]state failed: waiting for the database\n")
	}

	require.NoError(t, server.Restart(t.Context()))
	starting.Wait()
	for _, ops := range clients {
		require.Equal(t, "ok\n", eventually(t, ops, "/startupz", http.StatusOK))
		eventually(t, ops, "/readyz/database", http.StatusOK) // the kept result may still be that it is down
		require.Equal(t, "[+]state ok\n[+]listener ok\n[+]lanes ok\n[+]keys ok\n[+]event_types ok\n[+]database ok\n[+]durability ok\nreadyz check passed\n",
			eventually(t, ops, "/readyz?verbose", http.StatusOK))
	}

	require.NoError(t, server.Kill())
	for _, check := range []string{"database", "keys", "event_types"} {
		for _, ops := range clients {
			eventually(t, ops, "/readyz/"+check, http.StatusServiceUnavailable)
		}
	}

	require.Equal(t, "[+]state ok\n[+]listener ok\n[+]lanes ok\n[-]keys failed: keys cannot be checked (reported only)\n[-]event_types failed: events cannot be checked against their types (reported only)\n"+
		"[-]database failed: the database cannot be reached (reported only)\n[+]durability ok\nreadyz check passed\n",
		eventually(t, clients["off"], "/readyz?verbose", http.StatusOK))
	require.Equal(t, "[+]state ok\n[+]listener ok\n[+]lanes ok\n[-]keys failed: keys cannot be checked\n[-]event_types failed: events cannot be checked against their types\n"+
		"[-]database failed: the database cannot be reached\n[+]durability ok\nreadyz check failed\n",
		eventually(t, clients["on"], "/readyz", http.StatusServiceUnavailable))
	require.Equal(t, "ok\n", eventually(t, clients["on"], "/readyz?exclude=keys&exclude=event_types&exclude=database", http.StatusOK))
	for _, ops := range clients {
		require.Equal(t, http.StatusOK, ops.Do(t, http.MethodGet, "/livez", "").Status)
		require.Equal(t, http.StatusOK, ops.Do(t, http.MethodGet, "/startupz", "").Status)
	}

	require.NoError(t, server.Restart(t.Context()))
	for _, ops := range clients {
		eventually(t, ops, "/readyz?verbose", http.StatusOK)
		eventually(t, ops, "/readyz/keys", http.StatusOK)
		eventually(t, ops, "/readyz/event_types", http.StatusOK)
	}
}

// The port sets the level of the service's log.
func TestTheLevelOfARunningService(t *testing.T) {
	t.Parallel()
	out := &logged{}
	service, ops := startLogged(t, apptest.LoadConfig(t, pgtest.New(t), nil), out)
	client := apptest.NewClient("http://"+service.Addr(), "")
	t.Cleanup(client.HTTP.CloseIdleConnections)
	const line = `"route":"/v1/limits"`
	get := func() {
		require.Equal(t, http.StatusOK, client.Do(t, http.MethodGet, "/v1/limits", "").Status)
	}
	quiet := strings.Count(out.String(), `"level":"debug"`)
	get()
	require.Equal(t, quiet, strings.Count(out.String(), `"level":"debug"`))
	require.Equal(t, "debug", ops.Do(t, http.MethodPut, "/debug/log-level", `{"level":"debug","for":"1h"}`).JSON(t)["level"])
	get()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), line) }, 10*time.Second, time.Millisecond)
	require.Equal(t, "info", ops.Do(t, http.MethodDelete, "/debug/log-level", "").JSON(t)["level"])
	require.Equal(t, 2, strings.Count(out.String(), `"level":"warn"`), "the change and the way back")
}

// An operator can read the build and the settings.
func TestWhatRuns(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	c := apptest.LoadConfig(t, database, map[string]string{"http.budget": "4s"})
	_, ops := startLogged(t, c, &logged{})
	require.Equal(t, map[string]any{"version": "v1.2.3", "revision": "abc", "goversion": "go1.26"}, ops.Do(t, http.MethodGet, "/version", "").JSON(t))
	var shown struct {
		Settings []config.Line `json:"settings"`
	}
	require.NoError(t, json.Unmarshal(ops.Do(t, http.MethodGet, "/debug/config", "").Body, &shown))
	require.Equal(t, c.Describe(), shown.Settings)
}
