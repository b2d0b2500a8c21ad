package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// requireSession checks all members of a session.
func requireSession(t testing.TB, s *apptest.Service, id string, count int, started, last any, applications ...string) {
	t.Helper()
	session := mustGet(t, s.Client, "/v1/sessions/"+id)
	require.Equal(t, []any{id, number(count), started, last}, []any{session["session_id"], session["event_count"], session["started_at"], session["last_event_at"]})
	names := []string{}
	for _, name := range at[[]any](t, session, "applications") {
		names = append(names, at[string](t, name))
	}

	require.ElementsMatch(t, applications, names)
	require.Len(t, session, 5)
}

const (
	nine  = "2021-01-01T09:00:00.000000Z"
	ten   = "2021-01-01T10:00:00.000000Z"
	march = "2021-03-01T00:00:00.000000Z"
)

func TestMovedEvents(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	t.Run("to another session", func(t *testing.T) {
		t.Parallel()
		one, two := newTenant(t, s), newTenant(t, s)
		from, to := newID(), newID()
		post := func(by tenant, session, timestamp string) string {
			return "/v1/events/" + at[string](t, mustPost(t, by.Ingest, newEvent(t, session, "timestamp", timestamp)), "event_id")
		}
		first, second := post(one, from, nine), post(two, from, ten)
		post(one, to, ten)
		requireSession(t, s, from, 2, nine, ten, one.Name, two.Name)
		moved, _ := editEvent(t, s, http.MethodPatch, second, `{"session_id":"`+to+`"}`)
		require.Equal(t, number(2), moved["sequence"], "the next number of its new session")
		requireSession(t, s, from, 1, nine, nine, one.Name)
		requireSession(t, s, to, 2, ten, ten, one.Name, two.Name)

		// To a new session, out of one that becomes empty.
		fresh := newID()
		moved, _ = editEvent(t, s, http.MethodPut, first, newEvent(t, fresh, "timestamp", march))
		require.Equal(t, number(1), moved["sequence"])
		requireSession(t, s, fresh, 1, march, march, one.Name)
		requireSession(t, s, from, 0, nil, nil)
		require.NotContains(t, column(t, mustGet(t, s.Client, "/v1/sessions")["sessions"], "session_id"), from)
		require.Empty(t, mustGet(t, s.Client, "/v1/sessions/"+from+"/events")["events"])

		// The numbers that it left stay unused.
		back, _ := editEvent(t, s, http.MethodPatch, first, `{"session_id":"`+from+`","timestamp":"`+nine+`"}`)
		require.Equal(t, number(3), back["sequence"])
		requireSession(t, s, from, 1, nine, nine, one.Name)
		requireSession(t, s, fresh, 0, nil, nil)
		mustPost(t, two.Ingest, newEvent(t, from, "timestamp", ten))
		require.Equal(t, []string{"3", "4"}, column(t, mustGet(t, s.Client, "/v1/sessions/"+from+"/events")["events"], "sequence"))

		// An event cannot be moved into an erased session.
		require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+to, "").Status)
		problem := requireProblem(t, s.Do(t, http.MethodPatch, first, `{"session_id":"`+to+`"}`), http.StatusBadRequest, "session_erased")
		require.Equal(t, []string{"/session_id session_erased"}, reasons(t, problem))
		requireSession(t, s, from, 2, nine, ten, one.Name, two.Name)
	})
	t.Run("to another month", func(t *testing.T) {
		t.Parallel()
		session := newID()
		path, _ := postStored(t, s, newEvent(t, session, "timestamp", nine))
		for _, timestamp := range []string{march, "2019-07-31T23:59:59.999999Z", ten} {
			changed, _ := editEvent(t, s, http.MethodPatch, path, `{"timestamp":"`+timestamp+`"}`)
			require.Equal(t, timestamp, changed["timestamp"])
			require.Equal(t, number(1), changed["sequence"], "it keeps its number")
			requireSession(t, s, session, 1, timestamp, timestamp, "shop")
			require.Len(t, mustGet(t, s.Client, "/v1/events?session_id="+session)["events"], 1)
		}

		var rows int
		require.NoError(t, s.Database.Pool(t).QueryRow(t.Context(), `select count(*) from event where session_id = $1`, session).Scan(&rows))
		require.Equal(t, 1, rows)
	})
	t.Run("the span of a session", func(t *testing.T) {
		t.Parallel()
		session := newID()
		early, _ := postStored(t, s, newEvent(t, session, "timestamp", nine))
		late, _ := postStored(t, s, newEvent(t, session, "timestamp", march))
		requireSession(t, s, session, 2, nine, march, "shop")
		editEvent(t, s, http.MethodPatch, late, `{"timestamp":"`+ten+`"}`)
		requireSession(t, s, session, 2, nine, ten, "shop")
		editEvent(t, s, http.MethodPatch, early, `{"timestamp":"`+march+`"}`)
		requireSession(t, s, session, 2, ten, march, "shop")
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, early, "").Status)
		requireSession(t, s, session, 1, ten, ten, "shop")
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, late, "").Status)
		requireSession(t, s, session, 0, nil, nil)
	})
}

func TestRetriesAfterChanges(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	sender := s.WithKey(s.Ingest)
	t.Run("of an edited event", func(t *testing.T) {
		t.Parallel()
		session, id := newID(), newID()
		original := newEvent(t, session, "event_id", id)
		path, _ := postStored(t, s, original)
		editEvent(t, s, http.MethodPatch, path, `{"name":"edited"}`)
		editEvent(t, s, http.MethodPatch, path, `{"name":"edited twice","timestamp":"`+march+`","session_id":"`+newID()+`"}`)
		edited := mustGet(t, s.Client, path)
		for _, event := range []string{original, newEvent(t, at[string](t, edited, "session_id"), "event_id", id, "name", "edited twice", "timestamp", march)} {
			answer := sender.Do(t, http.MethodPost, "/v1/events", event)
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			require.Equal(t, edited["sequence"], answer.JSON(t)["sequence"])
		}

		requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "event_id", id, "name", "other")), http.StatusConflict, "event_id_conflict")
		require.Equal(t, edited, mustGet(t, s.Client, path), "a retry does not undo an edit")
	})
	t.Run("of an erased event", func(t *testing.T) {
		t.Parallel()
		session, id := newID(), newID()
		original := newEvent(t, session, "event_id", id, "data", map[string]any{"secret": "x"})
		path, _ := postStored(t, s, original)
		mustPost(t, sender, newEvent(t, session))
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "").Status)
		requireProblem(t, s.Do(t, http.MethodGet, path, ""), http.StatusNotFound, "not_found")
		requireProblem(t, s.Do(t, http.MethodDelete, path, ""), http.StatusNotFound, "not_found")
		requireProblem(t, s.Do(t, http.MethodPut, path, original), http.StatusNotFound, "not_found")
		requireSession(t, s, session, 1, happenedAt, happenedAt, "shop")
		for _, event := range []string{original, newEvent(t, newID(), "event_id", id)} {
			problem := requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", event), http.StatusBadRequest, "invalid_event")
			require.Equal(t, []string{"/event_id event_erased"}, reasons(t, problem))
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			require.Nil(t, kept["raw"], "an erased event does not come back in this way")
		}

		mustPost(t, sender, newEvent(t, session))
		require.Equal(t, []string{"2", "3"}, column(t, mustGet(t, s.Client, "/v1/sessions/"+session+"/events")["events"], "sequence"))
	})
	t.Run("of an event of an erased session", func(t *testing.T) {
		t.Parallel()
		session, id := newID(), newID()
		original := newEvent(t, session, "event_id", id, "data", map[string]any{"secret": "x"})
		path, _ := postStored(t, s, original)
		mustPost(t, sender, batchOf(newEvent(t, session), newEvent(t, session)))
		refused := at[string](t, sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "x", 1)).JSON(t), "error_id")
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, "/v1/events/"+newestOf(t, s, session), "").Status)
		answer := s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "")
		require.Equal(t, http.StatusOK, answer.Status)
		require.JSONEq(t, `{"session_id":"`+session+`","sessions":1,"events":2,"errors":1}`, string(answer.Body))
		for _, gone := range []string{path, "/v1/sessions/" + session, "/v1/sessions/" + session + "/events", "/v1/errors/" + refused} {
			requireProblem(t, s.Do(t, http.MethodGet, gone, ""), http.StatusNotFound, "not_found")
		}

		for _, list := range []string{"/v1/events?session_id=" + session, "/v1/errors?session_id=" + session} {
			require.NotContains(t, string(s.Do(t, http.MethodGet, list, "").Body), "category")
		}

		requireProblem(t, s.Do(t, http.MethodDelete, "/v1/sessions/"+session, ""), http.StatusNotFound, "not_found")
		requireProblem(t, s.Do(t, http.MethodDelete, "/v1/sessions/"+newID(), ""), http.StatusNotFound, "not_found")
		// A retry, a new event, and one among others, which are not affected.
		for _, event := range []string{original, newEvent(t, session), newEvent(t, strings.ToUpper(session))} {
			problem := requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", event), http.StatusBadRequest, "invalid_event")
			require.Equal(t, []string{"/session_id session_erased"}, reasons(t, problem))
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			require.Nil(t, kept["raw"])
			require.Equal(t, session, kept["session_id"])
		}

		mixed := sender.Do(t, http.MethodPost, "/v1/events", batchOf(newEvent(t, newID()), newEvent(t, session), newEvent(t, newID())))
		require.Equal(t, http.StatusMultiStatus, mixed.Status)
		requireCounts(t, mixed.JSON(t), 2, 0, 1, "stored", "rejected", "stored")
		// Erasing it again removes later rejections, and the mark stays.
		answer = s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "")
		require.JSONEq(t, `{"session_id":"`+session+`","sessions":0,"events":0,"errors":4}`, string(answer.Body))
		requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", original), http.StatusBadRequest, "invalid_event")
	})
}

// newestOf is the id of the event with the highest number in a session.
func newestOf(t testing.TB, s *apptest.Service, session string) string {
	t.Helper()
	return at[string](t, mustGet(t, s.Client, "/v1/events?order=desc&limit=1&session_id="+session), "events", 0, "event_id")
}
