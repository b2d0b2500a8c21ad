package httpapi_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestSingleEvent(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	sender := s.WithKey(s.Ingest)
	t.Run("stored", func(t *testing.T) {
		t.Parallel()
		session := newID()
		answer := sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "data", map[string]any{"path": "/home"}))
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
		verdict := answer.JSON(t)
		id := at[string](t, verdict, "event_id")
		require.JSONEq(t, `{"event_id":"`+id+`","status":"stored","sequence":1}`, string(answer.Body))
		require.Equal(t, "/v1/events/"+id, answer.Header.Get("Location"))
		require.Equal(t, uuid.Version(7), uuid.MustParse(id).Version())

		found := s.Do(t, http.MethodGet, answer.Header.Get("Location"), "")
		require.Equal(t, http.StatusOK, found.Status)
		stored := found.JSON(t)
		receivedAt := at[string](t, stored, "received_at")
		require.JSONEq(t, `{"event_id":"`+id+`","session_id":"`+session+`","sequence":1,"category":"page","name":"view",
			"data":{"path":"/home"},"timestamp":"`+happenedAt+`","received_at":"`+receivedAt+`","application":"shop"}`, string(found.Body))
		_, err := time.Parse("2006-01-02T15:04:05.000000Z", receivedAt)
		require.NoError(t, err)
		tag := found.Header.Get("ETag")
		require.Regexp(t, `^"[0-9a-f]{32}"$`, tag)
		again := s.Do(t, http.MethodGet, "/v1/events/"+id, "", "If-None-Match", tag)
		require.Equal(t, http.StatusNotModified, again.Status)
		require.Empty(t, again.Body)
	})
	t.Run("duplicate", func(t *testing.T) {
		t.Parallel()
		session, id := newID(), newID()
		sent := newEvent(t, session, "event_id", id, "data", map[string]any{"a": 100, "b": "x"})
		mustPost(t, sender, sent)
		mustPost(t, sender, newEvent(t, session))
		for _, same := range []string{
			sent,
			strings.Replace(sent, `"a":100`, `"a":1e2`, 1),
			strings.Replace(sent, `{"a":100,"b":"x"}`, `{ "b" : "\u0078", "a" : 100.0 }`, 1),
			strings.Replace(sent, happened, "2021-01-01T10:15:27.24386+01:00", 1),
			strings.Replace(sent, id, strings.ToUpper(id), 1),
		} {
			answer := sender.Do(t, http.MethodPost, "/v1/events", same)
			require.Equal(t, http.StatusOK, answer.Status, "%s: %s", same, answer.Body)
			require.JSONEq(t, `{"event_id":"`+id+`","status":"duplicate","sequence":1}`, string(answer.Body))
			require.Equal(t, "/v1/events/"+id, answer.Header.Get("Location"))
		}

		require.Len(t, mustGet(t, s.Client, "/v1/events?session_id="+session)["events"], 2)
	})
	t.Run("conflict", func(t *testing.T) {
		t.Parallel()
		session, id := newID(), newID()
		mustPost(t, sender, newEvent(t, session, "event_id", id))
		for member, value := range map[string]any{
			"session_id": newID(), "category": "x", "name": "x", "data": map[string]any{"x": 1}, "timestamp": "2021-01-01 09:15:27.243861",
		} {
			sent := newEvent(t, session, "event_id", id, member, value)
			problem := requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", sent), http.StatusConflict, "event_id_conflict")
			require.Equal(t, id, problem["event_id"])
			require.Equal(t, []string{"/event_id event_id_conflict"}, reasons(t, problem))
			require.NotContains(t, problem, "kept")
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			require.Equal(t, "event_id_conflict", kept["code"])
			require.Equal(t, sent, kept["raw"])
			require.Equal(t, id, kept["event_id"])
			require.Equal(t, problem["request_id"], kept["request_id"])
		}
	})
	for name, c := range rejections(t) {
		t.Run("rejected/"+name, func(t *testing.T) {
			t.Parallel()
			problem := requireProblem(t, sender.Do(t, http.MethodPost, "/v1/events", c.body), http.StatusBadRequest, "invalid_event")
			require.ElementsMatch(t, c.reasons, reasons(t, problem))
			require.Equal(t, "The event is not valid", problem["title"])
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			require.Equal(t, problem["errors"], kept["errors"])
			require.Equal(t, "open", kept["status"])
			require.Equal(t, "shop", kept["application"])
			if len(c.body) < 64<<10 && utf8.ValidString(c.body) {
				require.Equal(t, c.body, kept["raw"])
			}
		})
	}
}

type rejected struct {
	body    string
	reasons []string
}

// rejections are single events that break a rule, with the violations.
func rejections(t testing.TB) map[string]rejected {
	t.Helper()
	session := newID()
	change := func(member string, value any) string { return newEvent(t, session, member, value) }
	data := func(text string) string {
		return strings.Replace(newEvent(t, session), `"data":{}`, `"data":`+text, 1)
	}
	return map[string]rejected{
		"nothing in it": {`{}`, []string{
			"/session_id missing_field", "/category missing_field", "/name missing_field", "/data missing_field", "/timestamp missing_field",
		}},
		"no data":           {change("data", absent{}), []string{"/data missing_field"}},
		"null data":         {change("data", nil), []string{"/data invalid_type"}},
		"array for data":    {change("data", []int{}), []string{"/data invalid_type"}},
		"session no UUID":   {change("session_id", "x"), []string{"/session_id invalid_uuid"}},
		"braced UUID":       {change("session_id", "{"+session+"}"), []string{"/session_id invalid_uuid"}},
		"id a number":       {change("event_id", 1), []string{"/event_id invalid_type"}},
		"empty category":    {change("category", ""), []string{"/category invalid_length"}},
		"long name":         {change("name", strings.Repeat("é", 129)), []string{"/name invalid_length"}},
		"no such day":       {change("timestamp", "2021-02-29 00:00:00"), []string{"/timestamp invalid_timestamp"}},
		"a number for time": {change("timestamp", 1609492527), []string{"/timestamp invalid_type"}},
		"future":            {change("timestamp", time.Now().Add(time.Hour).Format(time.RFC3339)), []string{"/timestamp timestamp_in_future"}},
		"past":              {change("timestamp", "1999-12-31T23:59:59Z"), []string{"/timestamp timestamp_too_old"}},
		"year 10000":        {change("timestamp", "10000-01-01T00:00:00Z"), []string{"/timestamp invalid_timestamp"}},
		"unknown member":    {change("received", happened), []string{"/received unknown_field"}},
		"other case":        {change("Category", "x"), []string{"/Category unknown_field"}},
		"__proto__":         {change("__proto__", map[string]any{}), []string{"/__proto__ unknown_field"}},
		"pointer escapes":   {change("a/b~c", 1), []string{"/a~1b~0c unknown_field"}},
		"twice":             {data(`{},"data":{}`), []string{"/data duplicate_member"}},
		"twice inside":      {data(`{"a":{"b":1,"\u0062":1}}`), []string{"/data/a/b duplicate_member"}},
		"NUL":               {data(`{"a":["x","\u0000"]}`), []string{"/data/a/1 nul_character"}},
		"surrogate":         {data(`{"a":"\ud800"}`), []string{"/data/a lone_surrogate"}},
		"no UTF-8":          {data("{\"a\":\"\xff\"}"), []string{"/data/a invalid_utf8"}},
		"overlong":          {data("{\"a\":\"\xc0\xaf\"}"), []string{"/data/a invalid_utf8"}},
		"infinite":          {data(`{"a":1e400}`), []string{"/data/a number_out_of_range"}},
		"number bomb":       {data(`{"a":1e131071}`), []string{"/data/a number_out_of_range"}},
		"41 digits":         {data(`{"a":` + strings.Repeat("9", 41) + `}`), []string{"/data/a number_out_of_range"}},
		"deep":              {data(strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat(`}`, 32)), []string{"/data" + strings.Repeat("/a", 31) + " too_deep"}},
		"very deep":         {data(`{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`), []string{"/data/a" + strings.Repeat("/0", 30) + " too_deep"}},
		"large":             {data(`{"a":"` + strings.Repeat("x", 64<<10) + `"}`), []string{"event_too_large"}},
		"NaN":               {data(`{"a":NaN}`), []string{"invalid_json"}},
		"cut":               {`{"session_id":`, []string{"invalid_json"}},
		"two events":        {newEvent(t, session) + newEvent(t, session), []string{"trailing_text"}},
		"trailing garbage":  {newEvent(t, session) + "x", []string{"trailing_text"}},
		"several": {newEvent(t, "x", "name", 1, "data", absent{}, "x", 1), []string{
			"/session_id invalid_uuid", "/name invalid_type", "/data missing_field", "/x unknown_field",
		}},
	}
}

func TestDataIsReadBackEqual(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for name, data := range map[string]string{
		"empty":     `{}`,
		"numbers":   `{"a":9007199254740993,"b":-0,"c":1e2,"d":1.50,"e":1e308,"f":-1e-300,"g":1234567890123456789012345678901234567890,"h":0.1}`,
		"scripts":   `{"nfc":"é","nfd":"é","rtl":"שלום\u202e","zero":"a\u200bb","emoji":"👩‍👩‍👧","escaped":"\ud83d\ude00"}`,
		"controls":  `{"a":"\u0001\t\n\r\u001f\u007f\u2028","not NUL":"\\u0000"}`,
		"keys":      `{"":1,"a.b":2,"a/b":3,"__proto__":4,"A":5,"a":6,"<&>":7}`,
		"depth":     strings.Repeat(`{"a":`, 30) + `[]` + strings.Repeat(`}`, 30),
		"nothing":   `{"a":null,"b":[null,[],{}],"c":true,"d":false}`,
		"SQL":       `{"a":"'; drop table event; --","b":"$1 %s \\"}`,
		"many keys": "{" + strings.TrimSuffix(manyMembers(2000), ",") + "}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := strings.Replace(newEvent(t, newID(), "category", name+" \u202e=é", "name", "a\r\n\tb"), `"data":{}`, `"data":`+data, 1)
			stored := mustPost(t, s.WithKey(s.Ingest), sent)
			got := mustGet(t, s.Client, "/v1/events/"+at[string](t, stored, "event_id"))
			requireSameJSON(t, data, render(t, got["data"]))
			require.Equal(t, name+" \u202e=é", got["category"])
			require.Equal(t, "a\r\n\tb", got["name"])
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(`"` + uuid.NewString()[:18] + `":1,`)
	}

	return b.String()
}

func TestAliases(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := newID()
	var ids []string
	for _, path := range []string{"/events", "/events/", "/v1/events"} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, path, newEvent(t, session))
		require.Equal(t, http.StatusCreated, answer.Status, "%s: %s", path, answer.Body)
		id := at[string](t, answer.JSON(t), "event_id")
		require.Equal(t, "/v1/events/"+id, answer.Header.Get("Location"))
		ids = append(ids, id)
	}

	for _, path := range []string{"/events", "/events/", "/v1/events"} {
		require.Equal(t, ids, column(t, mustGet(t, s.Client, path+"?session_id="+session)["events"], "event_id"))
	}

	for n, path := range []string{"/events/" + ids[0], "/events/" + ids[1] + "/", "/v1/events/" + ids[2]} {
		got := mustGet(t, s.Client, path)
		require.Equal(t, ids[n], got["event_id"])
		require.ElementsMatch(t, []string{
			"event_id", "session_id", "sequence", "category", "name", "data", "timestamp", "received_at", "application",
		}, slices.Collect(maps.Keys(got)))
		put := s.Do(t, http.MethodPut, path, newEvent(t, session, "name", "put"))
		require.Equal(t, http.StatusOK, put.Status, "%s", put.Body)
		require.Equal(t, "put", put.JSON(t)["name"])
		patched := s.Do(t, http.MethodPatch, path, `{"name":"patched"}`, "Content-Type", mergePatch)
		require.Equal(t, http.StatusOK, patched.Status, "%s", patched.Body)
		require.Equal(t, "patched", mustGet(t, s.Client, path)["name"])
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "").Status)
		requireProblem(t, s.Do(t, http.MethodGet, path, ""), http.StatusNotFound, "not_found")
	}
}
