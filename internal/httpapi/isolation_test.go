package httpapi_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestIsolation(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	own, other := newTenant(t, s), newTenant(t, s)
	shared, private := newID(), newID()
	post := func(from tenant, session, name string) string {
		return at[string](t, mustPost(t, from.Ingest, newEvent(t, session, "name", name)), "event_id")
	}
	refuse := func(from tenant) string {
		return at[string](t, from.Ingest.Do(t, http.MethodPost, "/v1/events", newEvent(t, private, "x", 1)).JSON(t), "error_id")
	}
	mine := post(own, shared, "mine")
	theirs := post(other, shared, "secret")
	hidden := post(other, private, "secret")
	myError, theirError := refuse(own), refuse(other)
	query := "?application=" + other.Name

	t.Run("a key that is bound to its application", func(t *testing.T) {
		t.Parallel()
		for path, ids := range map[string][]string{
			"/v1/events": {mine}, "/v1/events?session_id=" + shared: {mine}, "/v1/events?session_id=" + private: {},
			"/v1/events?application=" + own.Name: {mine}, "/v1/sessions/" + shared + "/events": {mine}, "/v1/events?name=secret": {},
		} {
			require.Equal(t, ids, column(t, mustGet(t, own.Read, path)["events"], "event_id"), path)
			for _, media := range []string{lineType, "text/csv"} {
				streamed := own.Read.Do(t, http.MethodGet, path, "", "Accept", media)
				require.NotContains(t, string(streamed.Body), "secret", path)
				require.NotContains(t, string(streamed.Body), other.Name, path)
			}
		}

		require.Equal(t, []string{myError}, column(t, mustGet(t, own.Read, "/v1/errors")["errors"], "error_id"))
		require.Equal(t, []string{shared}, column(t, mustGet(t, own.Read, "/v1/sessions")["sessions"], "session_id"))
		mustGet(t, own.Read, "/v1/sessions/"+shared)
		mustGet(t, own.Read, "/v1/events/"+mine)
		mustGet(t, own.Read, "/v1/events/"+mine+"/trace")
		mustGet(t, own.Read, "/v1/errors/"+myError)
		// Resources of another application look like missing ones.
		for _, path := range []string{
			"/v1/events/" + theirs, "/v1/events/" + theirs + "/trace", "/v1/events/" + hidden, "/events/" + hidden + "/", "/v1/sessions/" + private,
			"/v1/sessions/" + private + "/events", "/v1/errors/" + theirError,
		} {
			found := requireProblem(t, own.Read.Do(t, http.MethodGet, path, ""), http.StatusNotFound, "not_found")
			absent := requireProblem(t, own.Read.Do(t, http.MethodGet, strings.NewReplacer(
				theirs, newID(), hidden, newID(), private, newID(), theirError, newID()).Replace(path), ""), http.StatusNotFound, "not_found")
			for _, id := range []string{"request_id", "trace_id"} {
				delete(found, id)
				delete(absent, id)
			}

			require.Equal(t, absent, found, path)
		}

		for _, path := range []string{"/v1/events", "/v1/sessions", "/v1/errors", "/v1/sessions/" + shared + "/events"} {
			problem := requireProblem(t, own.Read.Do(t, http.MethodGet, path+query, ""), http.StatusBadRequest, "forbidden")
			require.Equal(t, []string{"?application forbidden"}, reasons(t, problem))
		}
	})
	t.Run("a key of the whole organisation", func(t *testing.T) {
		t.Parallel()
		_, text := newKey(t, s, own.Name, `{"scopes":["read"],"organisation_wide":true}`)
		for _, reader := range []*apptest.Client{s.WithKey(text), s.WithKey(s.ReadAll), s.Client} {
			require.Equal(t, []string{theirs, hidden}, column(t, mustGet(t, reader, "/v1/events"+query)["events"], "event_id"))
			require.Equal(t, []string{mine, theirs}, column(t, mustGet(t, reader, "/v1/sessions/"+shared+"/events")["events"], "event_id"))
			require.Equal(t, []string{theirError}, column(t, mustGet(t, reader, "/v1/errors"+query)["errors"], "error_id"))
			require.ElementsMatch(t, []string{private, shared}, column(t, mustGet(t, reader, "/v1/sessions"+query)["sessions"], "session_id"))
			for _, path := range []string{"/v1/events/" + hidden, "/v1/sessions/" + private, "/v1/errors/" + theirError, "/v1/errors/" + myError} {
				mustGet(t, reader, path)
			}
		}
	})
	t.Run("a cursor grants nothing", func(t *testing.T) {
		t.Parallel()
		page := mustGet(t, s.Client, "/v1/events?limit=1")
		answer := own.Read.Do(t, http.MethodGet, "/v1/events?limit=1&cursor="+at[string](t, page, "next_cursor"), "")
		requireProblem(t, answer, http.StatusBadRequest, "invalid_cursor")
	})
}

func TestCORS(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	preflight := func(origin string) *apptest.Answer {
		return s.WithKey("").Do(t, http.MethodOptions, "/v1/events", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	}
	require.Empty(t, preflight("https://shop.example").Header.Get("Access-Control-Allow-Origin"))
	web := newTenant(t, s, `"allowed_origins":["https://shop.example","http://localhost:3000"]`)
	none := newTenant(t, s)
	for _, origin := range []string{"https://shop.example", "http://localhost:3000"} {
		answer := preflight(origin)
		require.Equal(t, http.StatusNoContent, answer.Status)
		require.Equal(t, origin, answer.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, answer.Header.Get("Access-Control-Allow-Methods"), "POST")
		require.Contains(t, answer.Header.Get("Access-Control-Allow-Headers"), "Authorization, Content-Type, Content-Encoding")
		require.Equal(t, "Origin", answer.Header.Get("Vary"))
		require.Empty(t, answer.Header.Get("Access-Control-Allow-Credentials"))
	}

	for _, origin := range []string{"https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example", "https://shop.example:444"} {
		answer := preflight(origin)
		require.Equal(t, http.StatusNoContent, answer.Status)
		require.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"), origin)
	}

	send := func(c *apptest.Client, origin, body string) *apptest.Answer {
		return c.Do(t, http.MethodPost, "/v1/events", body, "Origin", origin)
	}
	for body, status := range map[string]int{newEvent(t, newID()): http.StatusCreated, `{}`: http.StatusBadRequest} {
		answer := send(web.Ingest, "https://shop.example", body)
		require.Equal(t, status, answer.Status)
		require.Equal(t, "https://shop.example", answer.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, answer.Header.Get("Access-Control-Expose-Headers"), "Location")
		require.Equal(t, "Origin", answer.Header.Get("Vary"))
		// The origins of one application do not apply to another.
		require.Empty(t, send(web.Ingest, "https://evil.example", body).Header.Get("Access-Control-Allow-Origin"))
		require.Empty(t, send(none.Ingest, "https://shop.example", body).Header.Get("Access-Control-Allow-Origin"))
	}

	newTenant(t, s, `"allowed_origins":["*"]`)
	require.Equal(t, "https://anyone.example", preflight("https://anyone.example").Header.Get("Access-Control-Allow-Origin"))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	limited, free := newTenant(t, s, `"rate_limit":1`), newTenant(t, s)
	session := newID()
	// A batch passes if nothing was sent before, and leaves a debt of 500 seconds.
	events := batchOf(strings.Repeat(newEvent(t, session)+",", 499) + newEvent(t, session))
	mustPost(t, limited.Ingest, events)
	for _, body := range []string{newEvent(t, session), events, `{}`} {
		answer := limited.Ingest.Do(t, http.MethodPost, "/v1/events", body)
		problem := requireProblem(t, answer, http.StatusTooManyRequests, "rate_limited")
		require.NotContains(t, problem, "error_id", "the event is not recorded as rejected")
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, seconds)
		require.LessOrEqual(t, seconds, 500)
		require.Equal(t, `"events";q=1;w=1`, answer.Header.Get("RateLimit-Policy"))
		require.Equal(t, fmt.Sprintf(`"events";r=0;t=%d`, seconds), answer.Header.Get("RateLimit"))
	}

	require.Equal(t, number(500), mustGet(t, s.Client, "/v1/sessions/"+session)["event_count"])
	require.Equal(t, http.StatusOK, limited.Ingest.Do(t, http.MethodPost, "/v1/validate", newEvent(t, session)).Status)
	mustPost(t, free.Ingest, newEvent(t, session))
	mustGet(t, limited.Read, "/v1/events")
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/applications/"+limited.Name, `{"rate_limit":null}`).Status)
	mustPost(t, limited.Ingest, newEvent(t, session))
}
