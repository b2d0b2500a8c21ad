package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// lockRejections keeps queries of errors waiting until unlock is called.
func lockRejections(t *testing.T, pool *pgxpool.Pool) (unlock func()) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table rejection in access exclusive mode")
	require.NoError(t, err)
	unlock = func() { _ = tx.Rollback(context.Background()) } // a second rollback does no harm
	t.Cleanup(unlock)
	return unlock
}

// However many costly queries one key sends, they use only its share of the connections: others
// are answered, and dry runs, edits and erasures do not wait at all.
func TestOneKeyDoesNotTakeTheReadsOfOthers(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"database.read_connections": "4"})
	greedy, modest := newTenant(t, s), newTenant(t, s)
	session := uuid.NewString()
	stored := mustPost(t, modest.Ingest, newEvent(t, session))
	pool := s.Database.Pool(t)
	unlock := lockRejections(t, pool)

	ctx, cancel := context.WithCancel(t.Context())
	const questions = 64
	answered := make(chan struct{}, questions)
	for range questions {
		go func() {
			defer func() { answered <- struct{}{} }()

			_, _ = greedy.Read.Try(ctx, http.MethodGet, "/v1/errors", nil)
		}()
	}

	waiting := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and application_name = 'theeye read'").Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return waiting() == 2 }, time.Minute, 5*time.Millisecond, "half of the connections are one key's")

	for range 20 {
		mustGet(t, modest.Read, "/v1/sessions/"+session)
		mustGet(t, modest.Read, "/v1/sessions/"+session+"/events")
		mustGet(t, modest.Read, "/v1/stats?group_by=category&interval=day&from=2021-01-01T00:00:00Z&to=2021-01-03T00:00:00Z")
		require.Equal(t, http.StatusOK, modest.Ingest.Do(t, http.MethodPost, "/v1/validate", newEvent(t, session)).Status)
	}

	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, "/v1/events/"+at[string](t, stored, "event_id"), "").Status)
	require.LessOrEqual(t, waiting(), 2)

	cancel()
	for range questions {
		<-answered
	}

	unlock()
	mustGet(t, greedy.Read, "/v1/errors")
}

// A query too many is rejected at once, with the reason.
func TestQuestionsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"database.read_connections": "2"})
	greedy := newTenant(t, s)
	unlock := lockRejections(t, s.Database.Pool(t))

	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan *apptest.Answer, 400)
	for range cap(answers) {
		go func() {
			answer, _ := greedy.Read.Try(ctx, http.MethodGet, "/v1/errors", nil)
			answers <- answer
		}()
	}

	sentAway := <-answers
	requireProblem(t, sentAway, http.StatusServiceUnavailable, "overloaded")
	require.NotEmpty(t, sentAway.Header.Get("Retry-After"))

	cancel()
	for range cap(answers) - 1 {
		<-answers
	}

	unlock()
}

// An application that sends as much garbage as it can has at most half of the processors; the
// events of others are stored meanwhile, each in its turn.
func TestFloodOfGarbageLeavesOthersTheirShare(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	flood, modest := newTenant(t, s), newTenant(t, s)
	garbage := batchOf(strings.Split(strings.TrimSuffix(strings.Repeat(newEvent(t, uuid.NewString(), "category", "")+"|", 500), "|"), "|")...)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 16)
	for range cap(done) {
		go func() {
			defer func() { done <- struct{}{} }()

			for ctx.Err() == nil {
				answer, err := flood.Ingest.Try(ctx, http.MethodPost, "/v1/events", []byte(garbage))
				if err == nil && answer.Status != http.StatusBadRequest && answer.Status != http.StatusServiceUnavailable {
					panic(string(answer.Body))
				}
			}
		}()
	}

	for range 100 {
		mustPost(t, modest.Ingest, newEvent(t, uuid.NewString()))
	}

	cancel()
	for range cap(done) {
		<-done
	}
}
