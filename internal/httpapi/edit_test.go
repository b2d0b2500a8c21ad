package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// postStored posts an event and returns its path and its tag.
func postStored(t testing.TB, s *apptest.Service, event string) (path, tag string) {
	t.Helper()
	path = "/v1/events/" + at[string](t, mustPost(t, s.WithKey(s.Ingest), event), "event_id")
	answer := s.Do(t, http.MethodGet, path, "")
	require.Equal(t, http.StatusOK, answer.Status)
	return path, answer.Header.Get("ETag")
}

// editEvent changes an event, and checks that the response is the same as the event that is read
// back.
func editEvent(t testing.TB, s *apptest.Service, method, path, body string, header ...string) (document map[string]any, tag string) {
	t.Helper()
	answer := s.Do(t, method, path, body, header...)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	again := s.Do(t, http.MethodGet, path, "")
	require.Equal(t, string(answer.Body), string(again.Body))
	require.Equal(t, answer.Header.Get("ETag"), again.Header.Get("ETag"))
	return answer.JSON(t), answer.Header.Get("ETag")
}

func TestEdits(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		session := newID()
		path, before := postStored(t, s, newEvent(t, session, "data", map[string]any{"a": 1, "b": 2}))
		put, after := editEvent(t, s, http.MethodPut, path, newEvent(t, session, "category", "c", "name", "n", "data", map[string]any{"b": 3}))
		require.Equal(t, []any{"c", "n", number(1), "shop"}, []any{put["category"], put["name"], put["sequence"], put["application"]})
		requireSameJSON(t, `{"b":3}`, render(t, put["data"]))
		require.NotEqual(t, before, after)
		// The same content again changes nothing, in whatever notation.
		_, same := editEvent(t, s, http.MethodPut, path, newEvent(t, session, "category", "c", "name", "n", "data", json.RawMessage(`{"b":3.0}`)))
		require.Equal(t, after, same)
		_, same = editEvent(t, s, http.MethodPatch, path, `{}`)
		require.Equal(t, after, same)
		_, same = editEvent(t, s, http.MethodPatch, path, `{"event_id":null,"data":{"x":null,"b":30e-1}}`, "Content-Type", mergePatch)
		require.Equal(t, after, same)
		// The same with its own id in the body.
		id := strings.TrimPrefix(path, "/v1/events/")
		editEvent(t, s, http.MethodPut, path, newEvent(t, session, "event_id", id))
		editEvent(t, s, http.MethodPatch, path, `{"event_id":"`+strings.ToUpper(id)+`"}`)
	})
	t.Run("If-Match", func(t *testing.T) {
		t.Parallel()
		session := newID()
		path, first := postStored(t, s, newEvent(t, session))
		_, second := editEvent(t, s, http.MethodPatch, path, `{"name":"2"}`, "If-Match", first)
		for _, stale := range []string{first, `"x"`, `W/"x"`, "W/" + first, `"*"`, `"x", ` + first} {
			for method, body := range map[string]string{http.MethodPut: newEvent(t, session), http.MethodPatch: `{"name":"3"}`, http.MethodDelete: ""} {
				requireProblem(t, s.Do(t, method, path, body, "If-Match", stale), http.StatusPreconditionFailed, "precondition_failed")
			}
		}

		for _, malformed := range []string{"", " ", ",", "x", strings.Trim(second, `"`), second + " " + second, "*," + second} {
			for method, body := range map[string]string{http.MethodGet: "", http.MethodPut: newEvent(t, session), http.MethodPatch: `{"name":"3"}`, http.MethodDelete: ""} {
				for _, header := range []string{"If-Match", "If-None-Match"} {
					requireProblem(t, s.Do(t, method, path, body, header, malformed), http.StatusBadRequest, "invalid_header")
				}
			}
		}

		for _, theirs := range []string{"*", second, "W/" + second} {
			requireProblem(t, s.Do(t, http.MethodPatch, path, `{"name":"3"}`, "If-None-Match", theirs), http.StatusPreconditionFailed, "precondition_failed")
		}

		require.Equal(t, "2", mustGet(t, s.Client, path)["name"])
		// A tag that a compressing proxy modified is the same tag.
		_, second = editEvent(t, s, http.MethodPatch, path, `{"name":"2 by nginx"}`, "If-Match", "W/"+second)
		editEvent(t, s, http.MethodPatch, path, `{"name":"2 by Apache"}`, "If-Match", strings.TrimSuffix(second, `"`)+`-gzip"`)
		requireProblem(t, s.Do(t, http.MethodGet, path, "", "If-Match", first), http.StatusPreconditionFailed, "precondition_failed")
		_, third := editEvent(t, s, http.MethodPatch, path, `{"name":"3"}`, "If-Match", "*")
		_, fourth := editEvent(t, s, http.MethodPut, path, newEvent(t, session, "name", "4"), "If-Match", first+" , "+third)
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "", "If-Match", fourth).Status)
		requireProblem(t, s.Do(t, http.MethodDelete, path, "", "If-Match", fourth), http.StatusNotFound, "not_found")
		requireProblem(t, s.Do(t, http.MethodPatch, path, `{}`, "If-Match", "*"), http.StatusNotFound, "not_found")
	})
	t.Run("by the rules of ingest", func(t *testing.T) {
		t.Parallel()
		session := newID()
		path, tag := postStored(t, s, newEvent(t, session, "data", map[string]any{"kept": true}))
		future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		for body, c := range map[string]struct{ code, reason string }{
			`{"timestamp":"` + future + `"}`:                       {"invalid_event", "/timestamp timestamp_in_future"},
			`{"timestamp":"1999-01-01T00:00:00Z"}`:                 {"invalid_event", "/timestamp timestamp_too_old"},
			`{"timestamp":null}`:                                   {"invalid_event", "/timestamp missing_field"},
			`{"data":null}`:                                        {"invalid_event", "/data missing_field"},
			`{"data":[]}`:                                          {"invalid_event", "/data invalid_type"},
			`{"received_at":"` + happened + `"}`:                   {"invalid_event", "/received_at read_only_field"},
			`{"sequence":7}`:                                       {"invalid_event", "/sequence read_only_field"},
			`{"application":"x"}`:                                  {"invalid_event", "/application read_only_field"},
			`{"event_id":"` + newID() + `"}`:                       {"invalid_event", "/event_id event_id_immutable"},
			`{"category":""}`:                                      {"invalid_event", "/category invalid_length"},
			`{"session_id":"x"}`:                                   {"invalid_event", "/session_id invalid_uuid"},
			`{"data":{"a":"\u0000"}}`:                              {"invalid_event", "/data/a nul_character"},
			`{"data":{"a":1,"a":2}}`:                               {"invalid_event", "/data/a duplicate_member"},
			`{"data":{"a":1e400}}`:                                 {"invalid_event", "/data/a number_out_of_range"},
			`{"data":{"a":"` + strings.Repeat("x", 66_000) + `"}}`: {"event_too_large", "event_too_large"},
			`[]`:     {"invalid_type", "invalid_type"},
			`null`:   {"invalid_type", "invalid_type"},
			``:       {"", ""},
			`{`:      {"invalid_json", "invalid_json"},
			`{} {}`:  {"trailing_text", "trailing_text"},
			`{"a":}`: {"invalid_json", "invalid_json"},
		} {
			answer := s.Do(t, http.MethodPatch, path, body, "Content-Type", mergePatch)
			if c.code == "" {
				require.Equal(t, http.StatusBadRequest, answer.Status)
				continue
			}

			problem := requireProblem(t, answer, http.StatusBadRequest, c.code)
			require.Equal(t, []string{c.reason}, reasons(t, problem), body)
			require.NotContains(t, problem, "error_id", "a mistake of an administrator is not recorded as a rejection")
		}

		for name, c := range rejections(t) {
			answer := s.Do(t, http.MethodPut, path, c.body)
			require.Equal(t, http.StatusBadRequest, answer.Status, name)
			require.ElementsMatch(t, c.reasons, reasons(t, answer.JSON(t)), name)
		}

		requireProblem(t, s.Do(t, http.MethodPut, path, batchOf(newEvent(t, session))), http.StatusBadRequest, "invalid_type")
		requireProblem(t, s.Do(t, http.MethodPut, path, newEvent(t, session, "event_id", newID())), http.StatusBadRequest, "invalid_event")
		requireProblem(t, s.Do(t, http.MethodPut, path, strings.Repeat(" ", 1<<20+1)), http.StatusRequestEntityTooLarge, "body_too_large")
		require.Equal(t, tag, s.Do(t, http.MethodGet, path, "").Header.Get("ETag"), "none of these requests changed it")
		// Numbers that Postgres writes out, and characters that HTML would escape, do not grow
		// past the limits.
		path, _ = postStored(t, s, strings.Replace(newEvent(t, session), `"data":{}`,
			`"data":{"n":[1e300,-2.5e-200,0e-300,123456789012345678901234567890123456789,12345678901234567890123456789012345678e20],"s":"`+strings.Repeat("<", 40_000)+`"}`, 1))
		changed, _ := editEvent(t, s, http.MethodPatch, path, `{"data":{"x":1}}`)
		requireSameJSON(t, `[1e300,-2.5e-200,0,123456789012345678901234567890123456789,12345678901234567890123456789012345678e20]`, render(t, at[any](t, changed, "data", "n")))
	})
	t.Run("lost updates", func(t *testing.T) {
		t.Parallel()
		testConcurrentEdits(t, s)
	})
}

func testConcurrentEdits(t *testing.T, s *apptest.Service) {
	t.Helper()
	const editors = 50
	path, tag := postStored(t, s, newEvent(t, newID()))
	each := func(do func(i int)) {
		var all sync.WaitGroup
		for i := range editors {
			all.Go(func() { do(i) })
		}

		all.Wait()
	}
	statuses := make([]int, editors)
	try := func(i int, patch string, header ...string) {
		if answer, err := s.Try(t.Context(), http.MethodPatch, path, []byte(patch), header...); err == nil {
			statuses[i] = answer.Status
		}
	}
	each(func(i int) { try(i, fmt.Sprintf(`{"data":{"member%d":%d}}`, i, i)) })
	for _, status := range statuses {
		require.Equal(t, http.StatusOK, status)
	}

	data := at[map[string]any](t, mustGet(t, s.Client, path), "data")
	require.Len(t, data, editors)
	tag = s.Do(t, http.MethodGet, path, "").Header.Get("ETag")
	each(func(i int) { try(i, fmt.Sprintf(`{"name":"winner %d"}`, i), "If-Match", tag) })
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}

	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: editors - 1}, counts)
}

// TestMergePatch applies appendix A of RFC 7396, and cases of section 2, to a member of data,
// which may be any value.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		// Only objects are merged: a null within an array is a value.
		{`{}`, `{"a":[{"b":null},null]}`, `{"a":[{"b":null},null]}`},
		{`[{"b":1}]`, `[{"b":null}]`, `[{"b":null}]`},
		{`1`, `{"x":{"y":null,"z":[{"b":null}]}}`, `{"x":{"z":[{"b":null}]}}`},
		{`{"a":9007199254740993}`, `{"b":12345678901234567890}`, `{"a":9007199254740993,"b":12345678901234567890}`},
		{`{"a":"<é>"}`, `{"":{"~/":"</é>"}}`, `{"a":"<é>","":{"~/":"</é>"}}`},
	} {
		path, _ := postStored(t, s, strings.Replace(newEvent(t, newID()), `"data":{}`, `"data":{"v":`+c[0]+`,"w":[null]}`, 1))
		for _, media := range []string{mergePatch, "application/json"} { // applying it again changes nothing
			got, _ := editEvent(t, s, http.MethodPatch, path, `{"data":{"v":`+c[1]+`}}`, "Content-Type", media)
			requireSameJSON(t, `{"v":`+c[2]+`,"w":[null]}`, render(t, got["data"]))
		}

		got, _ := editEvent(t, s, http.MethodPatch, path, `{"data":{"v":null}}`)
		requireSameJSON(t, `{"w":[null]}`, render(t, got["data"]))
	}
}
