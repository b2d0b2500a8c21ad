package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// eraseAndWait begins an erasure, waits for its end, and returns its id.
func eraseAndWait(t testing.TB, s *apptest.Service, body string) string {
	t.Helper()
	answer := s.Do(t, http.MethodPost, "/v1/erasures", body)
	require.Equal(t, http.StatusAccepted, answer.Status, "%s", answer.Body)
	id := at[string](t, answer.JSON(t), "erasure_id")
	require.Equal(t, "/v1/erasures/"+id, answer.Header.Get("Location"))
	awaitErasure(t, s, id)
	return id
}

// awaitErasure waits until an erasure is finished, and returns it.
func awaitErasure(t testing.TB, s *apptest.Service, id string) (found map[string]any) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for found = mustGet(t, s.Client, "/v1/erasures/"+id); found["state"] != "finished"; found = mustGet(t, s.Client, "/v1/erasures/"+id) {
		require.True(t, time.Now().Before(deadline), "%v", found)
	}

	return found
}

// longSession stores a session of so many events, and locks one of them: its erasure stops there
// until letGo releases the lock.
func longSession(t testing.TB, s *apptest.Service, events int) (session string, letGo func()) {
	t.Helper()
	session = newID()
	for range events / 1000 {
		batch := make([]string, 1000)
		for i := range batch {
			batch[i] = newEvent(t, session)
		}

		mustPost(t, s.WithKey(s.Ingest), batchOf(batch...))
	}

	holder, err := s.Database.Pool(t).Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = holder.Rollback(context.Background()) })
	_, err = holder.Exec(t.Context(), "select from event where session_id = $1 and sequence = 5000 for update", session)
	require.NoError(t, err)
	return session, func() { require.NoError(t, holder.Rollback(context.Background())) }
}

// halfErased waits until an erasure has reached the lock, and returns its id.
func halfErased(t testing.TB, database *pgtest.Database, events int) (id string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		var left int
		var waits bool
		err := database.Pool(t).QueryRow(t.Context(), `
select e.erasure_id, (select count(*) from event), exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())
from erasure e where e.finished_at is null`).Scan(&id, &left, &waits)
		if err == nil && waits && left < events {
			require.Positive(t, left)
			return id
		}

		require.True(t, time.Now().Before(deadline), "%v", err)
	}
}

const manyEvents = 25_000

// A client that stops waiting, such as a proxy, does not leave half a session behind.
func TestAnErasureGoesOnWithoutItsClient(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"database.read_timeout": "20s"})
	session, letGo := longSession(t, s, manyEvents)
	ctx, goAway := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := s.Try(ctx, http.MethodDelete, "/v1/sessions/"+session, nil)
		gone <- err
	}()
	id := halfErased(t, s.Database, manyEvents)
	goAway()
	require.ErrorIs(t, <-gone, context.Canceled)
	half := mustGet(t, s.Client, "/v1/erasures/"+id)
	require.Equal(t, "running", half["state"])
	require.Nil(t, half["receipt"])
	letGo()

	// A second erasure of the session joins the first, and reports all of it.
	if answer := s.Do(t, http.MethodDelete, "/v1/sessions/"+session, ""); answer.Status != http.StatusNotFound { // it was not finished before
		require.JSONEq(t, `{"session_id":"`+session+`","sessions":1,"events":25000,"errors":0}`, string(answer.Body))
	}

	finished := awaitErasure(t, s, id)
	require.Equal(t, json.Number("25000"), finished["events"])
	require.NotNil(t, finished["receipt"])
	requireProblem(t, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, session)), http.StatusBadRequest, "invalid_event")
	require.Zero(t, tableCount(t, s, "event"))
}

// An erasure that takes longer than its caller may wait is never reported as finished: the
// response says where to read its state.
func TestALongErasureIsAccepted(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"database.read_timeout": "1s"})
	session, letGo := longSession(t, s, 6000)
	answer := s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "")
	require.Equal(t, http.StatusAccepted, answer.Status, "%s", answer.Body)
	id := at[string](t, answer.JSON(t), "erasure_id")
	require.Equal(t, "/v1/erasures/"+id, answer.Header.Get("Location"))
	again := s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "")
	require.Equal(t, http.StatusAccepted, again.Status)
	require.Equal(t, id, at[string](t, again.JSON(t), "erasure_id"), "it joins the running one")
	letGo()
	require.Equal(t, json.Number("6000"), awaitErasure(t, s, id)["events"])
	requireProblem(t, s.Do(t, http.MethodDelete, "/v1/sessions/"+session, ""), http.StatusNotFound, "not_found")
}

// A service that stops releases its erasures, and answers clients that wait for one; another
// service finishes them.
func TestAnErasureIsFinishedByAnotherService(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	var id, session string
	var letGo func()
	answered := make(chan int, 1)
	t.Run("stops", func(t *testing.T) {
		s := apptest.StartOn(t, database, nil)
		session, _ = longSession(t, s, manyEvents)
		holder, err := pgx.Connect(context.Background(), database.DSN())
		require.NoError(t, err)
		tx, err := holder.Begin(context.Background())
		require.NoError(t, err)
		_, err = tx.Exec(context.Background(), "select from event where session_id = $1 and sequence = 5000 for update skip locked", session)
		require.NoError(t, err)
		letGo = func() { require.NoError(t, holder.Close(context.Background())) }
		go func() {
			answer, err := s.Try(context.Background(), http.MethodDelete, "/v1/sessions/"+session, nil)
			if err != nil {
				t.Error(err)
				answered <- 0
				return
			}

			answered <- answer.Status
		}()
		id = halfErased(t, database, manyEvents)
	})
	require.Equal(t, http.StatusAccepted, <-answered)
	letGo()
	second := apptest.StartOn(t, database, nil)
	require.Equal(t, json.Number("25000"), awaitErasure(t, second, id)["events"])
	require.Zero(t, tableCount(t, second, "event"))
	require.EqualValues(t, 1, tableCount(t, second, "audit_entry where action = 'session.erased' and target = $1 and detail ->> 'events' = '25000'", session))
}

// An erased event comes back neither by a retry nor by a replay, in any session.
func TestWhatWasErasedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	sender := s.WithKey(s.Ingest)
	name := registerStrictType(t, s)
	id := newID()
	session, other := newID(), newID()
	mustPost(t, sender, newEvent(t, session, "event_id", id))
	// The same id under another session was rejected by its type, and is kept.
	rejected := at[string](t, sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, other, "event_id", id, "name", name)).JSON(t), "error_id")
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "").Status)
	problem := requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, other, "event_id", id)), http.StatusBadRequest, "invalid_event")
	require.Equal(t, []string{"/event_id event_erased"}, reasons(t, problem))
	setType(t, s, name, `{}`)
	require.Equal(t, newTotals(1, 0, 0, 1, 0), replayErrors(t, s.Client, `{"ids":["`+rejected+`"]}`))
	require.Zero(t, tableCount(t, s, "event"))
}

// A person's events and errors are exported, erased by the same filter, and gone.
func TestAPersonIsExportedAndErased(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	sender := s.WithKey(s.Ingest)
	person := func(id any) map[string]any { return map[string]any{"user": map[string]any{"id": id}} }
	mustPost(t, sender, batchOf(newEvent(t, newID(), "data", person("8612")), newEvent(t, newID(), "data", person(8612)), newEvent(t, newID(), "data", person("1"))))
	sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID(), "data", person("8612"), "timestamp", "soon"))
	sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID(), "data", person("1"), "timestamp", "soon"))

	lines := strings.Split(strings.TrimSpace(string(s.Do(t, http.MethodGet, "/v1/subjects?data.user.id=8612", "").Body)), "\n")
	require.Len(t, lines, 4)
	require.JSONEq(t, `{"complete":true,"events":2,"errors":1}`, lines[3])
	for i, member := range []string{"event_id", "event_id", "error_id"} {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &line), lines[i])
		require.NoError(t, uuid.Validate(fmt.Sprint(line[member])))
	}

	answer := s.Do(t, http.MethodGet, "/v1/subjects?data.user.id=8612", "", "Accept", "application/json")
	require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
	whole := answer.JSON(t)
	require.Len(t, whole["events"], 2)
	require.Len(t, whole["errors"], 1)
	require.Equal(t, true, whole["complete"])

	begun := s.Do(t, http.MethodPost, "/v1/erasures", `{"data":{"user.id":"8612"}}`)
	require.Equal(t, http.StatusAccepted, begun.Status, "%s", begun.Body)
	require.Equal(t, map[string]any{"user.id": "8612"}, at[any](t, begun.JSON(t), "asked", "data"))
	finished := awaitErasure(t, s, at[string](t, begun.JSON(t), "erasure_id"))
	require.Equal(t, []any{json.Number("2"), json.Number("2"), json.Number("1")}, []any{finished["sessions"], finished["events"], finished["errors"]})
	require.NotContains(t, render(t, finished), `"8612"`, "the receipt does not hold what was erased")
	require.Equal(t, []any{"user.id"}, at[any](t, finished, "asked", "data_paths"))
	nothing := s.Do(t, http.MethodGet, "/v1/subjects?data.user.id=8612", "", "Accept", "application/json")
	require.JSONEq(t, `{"events":[],"errors":[],"complete":true}`, string(nothing.Body))
	require.EqualValues(t, 1, tableCount(t, s, "event"))
	require.EqualValues(t, 2, tableCount(t, s, "rejection"))
}

func TestErasuresThatCannotBe(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	six := `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}`
	for body, pointer := range map[string]string{
		`{}`: "", `{"data":{}}`: "", `{"session_ids":[]}`: "", `{"data":` + six + `}`: "/data",
		`{"data":{"user.id":null}}`: "/data/user.id", `{"data":{"user.id":""}}`: "/data", `{"data":{"user.id":["8612"]}}`: "/data/user.id", `{"data":{"user.id":86e2}}`: "/data/user.id",
		`{"data":{"user..id":"8612"}}`: "/data/user..id", `{"data":{"a/b~.":1}}`: "/data/a~1b~0.", `{"session_ids":["` + newID() + `","shop"]}`: "/session_ids/1",
		`{"session_ids":["` + newID() + `"],"all":true}`: "/all", `{"data":"8612"}`: "/data",
	} {
		problem := requireProblem(t, s.Do(t, http.MethodPost, "/v1/erasures", body), http.StatusBadRequest, "invalid_request")
		require.Equal(t, pointer, at[any](t, problem, "errors", 0, "pointer"), body)
	}

	require.Zero(t, tableCount(t, s, "erasure"))
	for query, reason := range map[string]string{"": "", "?data.user.id=": "?data.user.id invalid_parameter", "?data.=1": "?data. invalid_parameter", "?user=1": "?user unknown_parameter"} {
		problem := requireProblem(t, s.Do(t, http.MethodGet, "/v1/subjects"+query, ""), http.StatusBadRequest, strings.Split("x "+reason+" invalid_parameter", " ")[2])
		if reason != "" {
			require.Equal(t, []string{reason}, reasons(t, problem))
		}
	}

	requireProblem(t, s.Do(t, http.MethodGet, "/v1/subjects?data.a=1", "", "Accept", "text/csv"), http.StatusNotAcceptable, "not_acceptable")
	requireProblem(t, s.Do(t, http.MethodGet, "/v1/erasures/"+newID(), ""), http.StatusNotFound, "not_found")
}
