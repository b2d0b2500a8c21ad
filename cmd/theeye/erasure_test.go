package main_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

const longEvents = 25_000

// fillSession stores a session of many events and returns it.
func fillSession(t *testing.T, client *apptest.Client) string {
	t.Helper()
	session := uuid.NewString()
	for range longEvents / 1000 {
		batch := make([]string, 1000)
		for i := range batch {
			batch[i] = `{"session_id":"` + session + `","category":"page","name":"view","data":{"user":{"id":"8612"}},"timestamp":"2021-01-01T09:15:27Z"}`
		}

		answer := client.Do(t, http.MethodPost, "/v1/events", "["+strings.Join(batch, ",")+"]")
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	}

	return session
}

// holdEvent locks an event of a session, so that an erasure stops there until the lock is
// released.
func holdEvent(t *testing.T, dsn, session string) (letGo func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "begin")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "select from event where session_id = $1 and sequence = 5000 for update", session)
	require.NoError(t, err)
	letGo = func() { _ = conn.Close(context.Background()) }
	t.Cleanup(letGo)
	return letGo
}

// halfErased waits until an erasure waits for such a lock, and returns its id.
func halfErased(t *testing.T, dsn string) (id string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	deadline := time.Now().Add(time.Minute)
	for {
		var left int
		var waits bool
		err := conn.QueryRow(t.Context(), `
select e.erasure_id, (select count(*) from event), exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())
from erasure e where e.finished_at is null`).Scan(&id, &left, &waits)
		if err == nil && waits && left < longEvents {
			require.Positive(t, left)
			return id
		}

		require.True(t, time.Now().Before(deadline), "%v", err)
	}
}

// When a service is killed in the middle of an erasure, the next one finishes the erasure
// after the lease has ended.
func TestAnErasureSurvivesAKill(t *testing.T) { //nolint:paralleltest // it needs the machine for itself
	s := newSite(t)
	r := s.serve(t)
	session := fillSession(t, s.client)
	letGo := holdEvent(t, s.database.DSN(), session)
	gone := make(chan error, 1)
	go func() {
		_, err := s.client.Try(context.Background(), http.MethodDelete, "/v1/sessions/"+session, nil)
		gone <- err
	}()
	id := halfErased(t, s.database.DSN())
	r.stop(t, syscall.SIGKILL)
	require.Error(t, <-gone)
	letGo()
	r = s.serve(t)
	_, err := s.database.Pool(t).Exec(t.Context(), "update erasure set leased_until = now()") // rather than in 15 s
	require.NoError(t, err)
	r.await(t, "an erasure is finished")
	var found map[string]any
	require.NoError(t, json.Unmarshal(s.client.Do(t, http.MethodGet, "/v1/erasures/"+id, "").Body, &found))
	require.Equal(t, "finished", found["state"])
	require.InDelta(t, longEvents, found["events"], 0)
	left := 0
	require.NoError(t, s.database.Pool(t).QueryRow(t.Context(), "select count(*) from event").Scan(&left))
	require.Zero(t, left)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}

// Ctrl-C ends the command but not the erasure.
func TestAnErasureOutlivesItsCommand(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := fillSession(t, s.WithKey(s.Ingest))
	letGo := holdEvent(t, s.Database.DSN(), session)
	command := start(t, []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}, "erase", "subject", "--data", "user.id=8612", "--yes")
	id := halfErased(t, s.Database.DSN())
	require.Equal(t, 130, command.stop(t, syscall.SIGINT))
	require.True(t, strings.HasSuffix(command.log.String(), "theeye: interrupted: any service that runs on this database continues erasure "+id+"; see its progress with: theeye erasure "+id+"\n"), "%s", command.log)
	letGo()
	deadline := time.Now().Add(time.Minute)
	for {
		code, out, errOut := finish(t, []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}, "erasure", id, "--json")
		require.Zero(t, code, errOut)
		var found map[string]any
		require.NoError(t, json.Unmarshal([]byte(out), &found))
		if found["state"] == "finished" {
			require.InDelta(t, longEvents, found["events"], 0)
			break
		}

		require.True(t, time.Now().Before(deadline), out)
	}
}

func TestEraseAndExportASubject(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	environ := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}
	event := func(user string) string {
		return `{"session_id":"` + uuid.NewString() + `","category":"page","name":"view","data":{"user":{"id":"` + user + `"}},"timestamp":"2021-01-01T09:15:27Z"}`
	}
	for _, body := range []string{event(canary), event("1"), strings.Replace(event(canary), `"page"`, `""`, 1)} {
		s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body)
	}

	code, out, errOut := finish(t, environ, "subject", "export", "--data", "user.id="+canary)
	require.Zero(t, code, errOut)
	require.Equal(t, "1 events and 1 errors\n", errOut)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)))
		require.Contains(t, line, canary)
	}

	code, out, errOut = finish(t, environ, "erase", "subject", "--data", "user.id="+canary)
	require.Equal(t, 64, code, out)
	require.Contains(t, errOut, "--yes")
	code, out, errOut = finish(t, environ, "erase", "subject", "--data", "user.id="+canary, "--yes")
	require.Zero(t, code, errOut)
	require.Regexp(t, `(?s)^erasure +\S+\nstate +finished\n.*\nby the values of +user\.id\n.*sessions +1\nevents +1\nerrors +1\nids sha256 sum +[0-9a-f]{64}\n$`, out)
	require.NotContains(t, out, canary)
	id := strings.Fields(out)[1]
	code, again, errOut := finish(t, environ, "erasure", id)
	require.Zero(t, code, errOut)
	require.Equal(t, out, again)
	code, out, errOut = finish(t, environ, "subject", "export", "--data", "user.id="+canary)
	require.Zero(t, code, errOut)
	require.Empty(t, out)
	require.Equal(t, "0 events and 0 errors\n", errOut)

	for _, arguments := range []string{
		"subject export", "subject export --data user.id", "subject export --data user.id=", "subject export --data a..b=1",
		"erase subject --yes", "erase subject --yes --data a=1 --data a=2", "erasure shop",
	} {
		code, _, errOut := finish(t, environ, strings.Fields(arguments)...)
		require.Equal(t, 64, code, "%s: %s", arguments, errOut)
	}

	code, _, errOut = finish(t, environ, "erasure", uuid.NewString())
	require.Equal(t, 1, code, errOut)
}
