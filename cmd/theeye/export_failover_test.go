package main_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// A standby that is 60 events behind is promoted while the service keeps running. Its
// transaction ids start below those that the export has passed. The export still misses no
// event that is stored from then on, and it says that it writes some again.
func TestExportAfterAFailoverToAnAsynchronousStandby(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, pgtest.WithAsynchronousStandby())
	environ := []string{"THEEYE_DATABASE_URL=" + pair.DSN()}
	code, _, errOut := finish(t, environ, "app", "create", "shop")
	require.Zero(t, code, errOut)
	code, key, errOut := finish(t, environ, "key", "create", "shop", "--scope", "ingest,read")
	require.Zero(t, code, errOut)
	key = strings.TrimSpace(key)
	r := start(t, environ, "serve", "--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--drain-delay", "0s")
	r.await(t, "the service is ready")
	client := apptest.NewClient("http://"+addressOf(t, r), key)
	t.Cleanup(client.HTTP.CloseIdleConnections)
	cursorFile := filepath.Join(t.TempDir(), "cursor")
	export := func() (out, said string) {
		t.Helper()
		require.Eventually(t, func() bool {
			code, out, said = finish(t, []string{"THEEYE_URL=http://" + addressOf(t, r), "THEEYE_KEY=" + key}, "export", "--cursor-file", cursorFile)
			return code != 69 // a connection to the old primary
		}, time.Minute, 10*time.Millisecond)
		require.Zero(t, code, said)
		return out, said
	}

	kept := post(t, client, 200)
	out, said := export()
	require.Empty(t, said)
	requireEach(t, out, kept)
	awaitStandby(t, pair)
	pair.FreezeStandby(t)
	onPrimary(t, pair, "select pg_terminate_backend(pid) from pg_stat_replication") // nothing is in flight to it
	lost := post(t, client, 60)
	out, said = export()
	require.Empty(t, said)
	requireEach(t, out, lost)

	pair.KillPrimary(t)
	pair.Promote(t)
	first := postUntilStored(t, client, 20)
	again, said := export()
	require.Contains(t, said, "events are returned again")
	require.Contains(t, said, "timeline 1 became 2")
	requireEach(t, again, first)
	require.NotContains(t, again, lost[0], "the database lost it")
	second := postUntilStored(t, client, 60)
	out, said = export()
	require.Empty(t, said)
	requireEach(t, out, second)
	require.Equal(t, 60, strings.Count(out, "\n"))
}

// post stores n events, each in its own transaction, and returns their ids.
func post(t *testing.T, client *apptest.Client, n int) (ids []string) {
	t.Helper()
	for range n {
		id := uuid.NewString()
		require.Equal(t, http.StatusCreated, postOne(t, client, id))
		ids = append(ids, id)
	}

	return ids
}

// postUntilStored stores n events as post does, and sends each again as long as the service has
// connections to the old primary.
func postUntilStored(t *testing.T, client *apptest.Client, n int) (ids []string) {
	t.Helper()
	for range n {
		id := uuid.NewString()
		session := uuid.NewString()
		require.Eventually(t, func() bool {
			status := postInSession(t, client, id, session)
			return status == http.StatusCreated || status == http.StatusOK
		}, time.Minute, 50*time.Millisecond)
		ids = append(ids, id)
	}

	return ids
}

func postOne(t *testing.T, client *apptest.Client, id string) int {
	t.Helper()
	return postInSession(t, client, id, uuid.NewString())
}

func postInSession(t *testing.T, client *apptest.Client, id, session string) int {
	t.Helper()
	return client.Do(t, http.MethodPost, "/v1/events", fmt.Sprintf(
		`{"event_id":%q,"session_id":%q,"category":"page","name":"view","data":{},"timestamp":"2026-01-01T09:15:27Z"}`, id, session)).Status
}

func requireEach(t *testing.T, out string, ids []string) {
	t.Helper()
	for _, id := range ids {
		require.Equal(t, 1, strings.Count(out, id), id)
	}
}

// awaitStandby waits until the standby has received everything that the primary wrote.
func awaitStandby(t *testing.T, pair *pgtest.Pair) {
	t.Helper()
	conn := connect(t, pair.PrimaryDSN())
	require.Eventually(t, func() bool {
		var behind bool
		err := conn.QueryRow(t.Context(), "select coalesce(bool_or(replay_lsn < pg_current_wal_lsn()), true) from pg_stat_replication").Scan(&behind)
		return err == nil && !behind
	}, time.Minute, 10*time.Millisecond)
}

func onPrimary(t *testing.T, pair *pgtest.Pair, statement string) {
	t.Helper()
	_, err := connect(t, pair.PrimaryDSN()).Exec(t.Context(), statement)
	require.NoError(t, err)
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()

		_ = conn.Close(ctx) // its server may be gone
	})
	return conn
}
