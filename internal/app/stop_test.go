package app_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/telemetry"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// running is a service that the test stops.
type running struct {
	*apptest.Client
	ops      *apptest.Client
	database *pgtest.Database
	stop     context.CancelFunc
	hurry    chan struct{}
	stopped  chan error
}

func run(t *testing.T, settings map[string]string) *running {
	t.Helper()
	r := &running{database: pgtest.New(t), hurry: make(chan struct{}), stopped: make(chan error, 1)}
	c, key := apptest.LoadConfig(t, r.database, settings), ""
	require.NoError(t, cli.WithAdmin(t.Context(), c, func(a *access.Registry) error {
		if _, err := a.CreateApplication(t.Context(), access.ApplicationSpec{Name: "shop"}); err != nil {
			return err
		}

		made, err := a.CreateKey(t.Context(), "shop", access.KeySpec{Scopes: []access.Scope{"ingest", "read"}})
		key = made.Text
		return err
	}))
	service, err := app.Start(t.Context(), c, telemetry.Build{}, zap.NewNop())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	t.Cleanup(stop)
	r.Client, r.ops = apptest.NewClient("http://"+service.Addr(), key), apptest.NewClient("http://"+service.OpsAddr(), "")
	t.Cleanup(r.HTTP.CloseIdleConnections)
	t.Cleanup(r.ops.HTTP.CloseIdleConnections)
	go func() { r.stopped <- service.Run(ctx, r.hurry) }()
	return r
}

// inFlight sends an event to a locked session, and returns when the database works on it:
// the answer, and a function that releases the session.
func (r *running) inFlight(t *testing.T) (answers <-chan *apptest.Answer, release func()) {
	t.Helper()
	session := uuid.New()
	post := func() (*apptest.Answer, error) {
		return r.Try(context.Background(), http.MethodPost, "/v1/events", apptest.RenderEvent(event.Event{
			ID: uuid.New(), SessionID: session, Category: "page", Name: "view", Data: []byte(`{}`), Timestamp: time.Now(),
		}))
	}
	first, err := post()
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, first.Status, "%s", first.Body)
	pool := r.database.Pool(t)
	tx, err := pool.BeginTx(t.Context(), pgx.TxOptions{})
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from session where session_id = $1 for update", session)
	require.NoError(t, err)
	waiting := make(chan *apptest.Answer, 1)
	go func() {
		answer, _ := post() // nil when the connection broke
		waiting <- answer
	}()
	require.Eventually(t, func() bool {
		var n int
		err := pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").Scan(&n)
		return err == nil && n > 0
	}, 10*time.Second, 5*time.Millisecond)
	return waiting, func() { require.NoError(t, tx.Rollback(context.Background())) }
}

func (r *running) ready(t *testing.T) int {
	t.Helper()
	return r.ops.Do(t, http.MethodGet, "/readyz", "").Status
}

func TestStopAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	r := run(t, nil)
	require.Equal(t, http.StatusOK, r.ready(t))
	answers, release := r.inFlight(t)
	r.stop()
	require.Eventually(t, func() bool { return r.ready(t) == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	require.Equal(t, http.StatusOK, r.ops.Do(t, http.MethodGet, "/livez", "").Status)
	require.Eventually(t, func() bool {
		_, err := apptest.NewClient(r.URL, "").Try(t.Context(), http.MethodGet, "/v1/limits", nil)
		return err != nil
	}, 10*time.Second, time.Millisecond, "no new client is accepted")
	select {
	case err := <-r.stopped:
		require.Fail(t, "stopped before everything was answered", "%v", err)
	default:
	}

	release()
	require.Equal(t, http.StatusCreated, (<-answers).Status)
	require.NoError(t, <-r.stopped)
}

func TestServiceServesOnDuringTheDrainDelay(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"drain.delay": "20s", "drain.timeout": "40s"})
	r.stop()
	require.Eventually(t, func() bool { return r.ready(t) == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	answer := r.Do(t, http.MethodGet, "/v1/sessions", "")
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.True(t, answer.Close, "clients are asked to close")
	drained := r.ops.Do(t, http.MethodGet, "/readyz?exclude=database", "")
	require.Contains(t, string(drained.Body), "[-]state failed: stopping\n[+]listener ok\n[+]lanes ok\n")
	require.Equal(t, http.StatusOK, r.ops.Do(t, http.MethodGet, "/startupz", "").Status, "a start is not taken back")
	require.Equal(t, http.StatusOK, r.ops.Do(t, http.MethodGet, "/livez", "").Status)
	select {
	case err := <-r.stopped:
		require.Fail(t, "stopped before the delay was over", "%v", err)
	default:
	}

	close(r.hurry)
	<-r.stopped //nolint:errcheck // hurrying is what another test is about
}

func TestHurryAbandonsAndTellsHowMuch(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"drain.delay": "10s", "drain.timeout": "20s"})
	answers, release := r.inFlight(t)
	r.stop()
	close(r.hurry)
	err := <-r.stopped
	require.ErrorIs(t, err, app.ErrAbandoned)
	require.ErrorContains(t, err, "1 requests, 1 events")
	if answer := <-answers; answer != nil {
		require.Equal(t, http.StatusServiceUnavailable, answer.Status)
	}

	release()
}
