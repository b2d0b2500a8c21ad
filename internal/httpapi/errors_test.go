package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestErrorsAreFiltered(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	one, other := newTenant(t, s), newTenant(t, s)
	session := newID()
	known := at[string](t, mustPost(t, one.Ingest, newEvent(t, session)), "event_id")
	rejected := func(sender *apptest.Client, body string) string {
		answer := sender.Do(t, http.MethodPost, "/v1/events", body)
		return at[string](t, answer.JSON(t), "error_id")
	}
	// The errors are named by their reasons, oldest first.
	ids := map[string]string{}
	ids["time"] = rejected(one.Ingest, newEvent(t, session, "category", "a", "name", "x", "timestamp", "no time"))
	ids["two"] = rejected(one.Ingest, newEvent(t, session, "category", "a", "name", "y", "timestamp", "no time", "x", 1))
	ids["conflict"] = rejected(one.Ingest, newEvent(t, session, "category", "b", "name", "x", "event_id", known))
	ids["other"] = rejected(other.Ingest, newEvent(t, newID(), "category", "a", "name", "x", "timestamp", "no time"))
	ids["body"] = rejected(other.Ingest, `[`)
	middle := at[string](t, mustGet(t, s.Client, "/v1/errors/"+ids["conflict"]), "received_at")

	for query, expected := range map[string][]string{
		"":                                       {"body", "other", "conflict", "two", "time"},
		"code=invalid_timestamp":                 {"other", "two", "time"},
		"code=unknown_field":                     {"two"}, // not the first of its reasons
		"code=event_id_conflict":                 {"conflict"},
		"code=invalid_json":                      {"body"},
		"code=nonsense":                          {},
		"application=" + one.Name:                {"conflict", "two", "time"},
		"application=" + other.Name:              {"body", "other"},
		"application=nobody":                     {},
		"category=a":                             {"other", "two", "time"},
		"name=x":                                 {"other", "conflict", "time"},
		"category=a&name=y":                      {"two"},
		"session_id=" + session:                  {"conflict", "two", "time"},
		"session_id=" + strings.ToUpper(session): {"conflict", "two", "time"},
		"session_id=" + newID():                  {},
		"status=open":                            {"body", "other", "conflict", "two", "time"},
		"status=replayed":                        {},
		"status=discarded":                       {},
		"to=" + middle:                           {"two", "time"},
		"from=" + middle:                         {"body", "other", "conflict"},
		"from=" + middle + "&to=" + middle:       {},
		"code=invalid_timestamp&category=a&name=x&status=open&session_id=" + session + "&application=" + one.Name: {"time"},
	} {
		got := mustGet(t, s.Client, "/v1/errors?"+query)
		want := make([]string, 0, len(expected))
		for _, name := range expected {
			want = append(want, ids[name])
		}

		require.Equal(t, want, column(t, got["errors"], "error_id"), query)
		require.Nil(t, got["next_cursor"])
		require.Equal(t, number(0), got["not_kept"])
		paged := []string{}
		for path := "/v1/errors?limit=1&" + query; path != ""; {
			answer := s.Do(t, http.MethodGet, path, "")
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			paged = append(paged, column(t, answer.JSON(t)["errors"], "error_id")...)
			path = nextLink(t, answer)
		}

		require.Equal(t, want, paged, query)
	}
}

// nextLink is the target of a page's Link header, or empty on the last page.
func nextLink(t testing.TB, answer *apptest.Answer) string {
	t.Helper()
	link, next := answer.Header.Get("Link"), answer.JSON(t)["next_cursor"]
	if next == nil {
		require.Empty(t, link)
		return ""
	}

	target, ok := strings.CutSuffix(link, `>; rel="next"`)
	require.True(t, ok, link)
	target = strings.TrimPrefix(target, "<")
	parsed, err := url.Parse(target)
	require.NoError(t, err)
	require.Equal(t, next, parsed.Query().Get("cursor"))
	return target
}

func TestErrorsHoldWhatWasSent(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"limits.event_bytes": "1000"})
	for name, c := range map[string]struct {
		body   string
		cut    bool
		base64 bool
	}{
		"whole":           {body: newEvent(t, newID(), "x", "<é&\u2028>")},
		"broken":          {body: `{"session_id": "`},
		"empty":           {body: ` `},
		"in an array":     {body: `[{},{}, {]`},
		"long and broken": {body: `{"a":"` + strings.Repeat("x", 2000)},
		"cut":             {body: newEvent(t, newID(), "x", strings.Repeat("x", 2000)), cut: true},
		"no UTF-8":        {body: `{"a":"` + "\xff\x00" + `"}`, base64: true},
		"cut in an é":     {body: `{"` + strings.Repeat("é", 600) + `":1}`, cut: true},
		"cut in a letter": {body: `{"a` + strings.Repeat("é", 600) + `":1}`, cut: true, base64: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", c.body, "X-Request-Id", "the-request")
			problem := answer.JSON(t)
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			require.Equal(t, "the-request", kept["request_id"])
			require.Equal(t, problem["errors"], kept["errors"])
			require.Equal(t, at[any](t, problem, "errors", 0, "code"), kept["code"])
			require.Equal(t, number(len(c.body)), kept["raw_size"])
			require.Equal(t, c.cut, kept["raw_truncated"])
			require.Nil(t, kept["event_type_version"])
			want := c.body
			if c.cut {
				want = c.body[:1000]
			}

			require.Equal(t, strings.ToValidUTF8(want, "\uFFFD"), strings.ReplaceAll(at[string](t, kept, "raw"), "\uFFFD\uFFFD", "\uFFFD"))
			if c.base64 {
				require.Equal(t, base64.StdEncoding.EncodeToString([]byte(want)), kept["raw_base64"])
			} else {
				require.NotContains(t, kept, "raw_base64")
			}
		})
	}

	t.Run("what could be read", func(t *testing.T) {
		t.Parallel()
		session, id := newID(), newID()
		problem := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "event_id", id, "name", 1)).JSON(t)
		require.Equal(t, id, problem["event_id"])
		kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
		require.Equal(t, []any{id, session, "page", nil, happenedAt},
			[]any{kept["event_id"], kept["session_id"], kept["category"], kept["name"], kept["timestamp"]})
		_, err := time.Parse("2006-01-02T15:04:05.000000Z", at[string](t, kept, "received_at"))
		require.NoError(t, err)
	})
}

func TestFloodOfErrors(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"errors.kept_per_hour": "5"})
	flooding, quiet := newTenant(t, s), newTenant(t, s)
	answer := flooding.Ingest.Do(t, http.MethodPost, "/v1/events", batchOf(strings.Repeat("{},", 24)+"{}"))
	results := at[[]any](t, requireProblem(t, answer, http.StatusBadRequest, "batch_rejected"), "results")
	kept := 0
	for _, result := range results {
		verdict := at[map[string]any](t, result)
		if id, ok := verdict["error_id"]; ok {
			kept++
			require.NotContains(t, verdict, "kept")
			require.NotEmpty(t, id)
			continue
		}

		require.Equal(t, false, verdict["kept"])
		require.NotEmpty(t, verdict["errors"], "the sender still gets the reasons")
	}

	require.Equal(t, 11, kept, "five, and of the others 6 to 10 and 20 as samples")
	list := mustGet(t, s.Client, "/v1/errors?application="+flooding.Name)
	require.Len(t, list["errors"], 11)
	require.Equal(t, number(14), list["not_kept"])
	problem := requireProblem(t, flooding.Ingest.Do(t, http.MethodPost, "/v1/events", `{}`), http.StatusBadRequest, "invalid_event")
	require.Equal(t, false, problem["kept"])
	require.NotContains(t, problem, "error_id")

	// The bound is the application's own, and valid events are stored as before.
	problem = requireProblem(t, quiet.Ingest.Do(t, http.MethodPost, "/v1/events", `{}`), http.StatusBadRequest, "invalid_event")
	mustGet(t, quiet.Read, "/v1/errors/"+at[string](t, problem, "error_id"))
	require.Equal(t, number(0), mustGet(t, quiet.Read, "/v1/errors")["not_kept"])
	require.Equal(t, number(15), mustGet(t, flooding.Read, "/v1/errors")["not_kept"])
	require.Equal(t, number(15), mustGet(t, s.Client, "/v1/errors")["not_kept"])
	require.Equal(t, number(0), mustGet(t, s.Client, "/v1/errors?to=2021-01-01")["not_kept"])
	mustPost(t, flooding.Ingest, newEvent(t, newID()))
}

func TestValidate(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	own := newTenant(t, s)
	session := newID()
	known := newID()
	erased := newID()
	mustPost(t, own.Ingest, newEvent(t, session, "event_id", known))
	mustPost(t, own.Ingest, newEvent(t, erased))
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+erased, "").Status)
	ask := func(path, body string, header ...string) map[string]any {
		t.Helper()
		answer := own.Ingest.Do(t, http.MethodPost, path, body, header...)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		return answer.JSON(t)
	}
	for body, status := range map[string]string{
		newEvent(t, session):                                 "valid",
		newEvent(t, newID(), "event_id", newID()):            "valid",
		newEvent(t, session, "event_id", known):              "duplicate",
		newEvent(t, session, "event_id", known, "name", "x"): "conflict",
		newEvent(t, erased):                                  "rejected",
		newEvent(t, session, "x", 1):                         "rejected",
		`{"a":`:                                              "rejected",
		newEvent(t, session) + "x":                           "rejected",
	} {
		verdict := ask("/v1/validate", body)
		require.Equal(t, status, verdict["status"], body)
		require.NotContains(t, verdict, "error_id")
		require.NotContains(t, verdict, "kept")
		require.Equal(t, status == "conflict" || status == "rejected", verdict["errors"] != nil)
		require.Equal(t, status == "duplicate", verdict["sequence"] != nil, "valid events have no number yet")
	}

	mixed := []string{newEvent(t, session), newEvent(t, session, "event_id", known), `{}`}
	for _, c := range [][2]string{{batchOf(mixed...), "application/json"}, {strings.Join(mixed, "\n"), lineType}} {
		answer := ask("/v1/validate", c[0], "Content-Type", c[1])
		require.Equal(t, []any{number(1), number(1), number(1)}, []any{answer["valid"], answer["duplicates"], answer["rejected"]})
		require.NotContains(t, answer, "stored")
		require.Equal(t, []string{"valid", "duplicate", "rejected"}, column(t, answer["results"], "status"))
		answer = ask("/v1/validate?atomic=true", c[0], "Content-Type", c[1])
		require.Equal(t, []string{"not_stored", "not_stored", "rejected"}, column(t, answer["results"], "status"))
	}

	for body, code := range map[string]string{"[": "invalid_json", "[]": "empty_batch", "1": "invalid_type"} {
		problem := requireProblem(t, own.Ingest.Do(t, http.MethodPost, "/v1/validate", body), http.StatusBadRequest, code)
		require.NotContains(t, problem, "error_id")
		require.NotContains(t, problem, "kept")
	}

	requireProblem(t, own.Ingest.Do(t, http.MethodPost, "/v1/validate?atomic=x", "{}"), http.StatusBadRequest, "invalid_parameter")
	require.Empty(t, mustGet(t, own.Read, "/v1/errors")["errors"], "nothing is recorded")
	require.Equal(t, number(0), mustGet(t, own.Read, "/v1/errors")["not_kept"])
	require.Equal(t, number(1), mustGet(t, own.Read, "/v1/sessions/"+session)["event_count"], "nothing is stored")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	t.Run("by default", func(t *testing.T) {
		t.Parallel()
		s := apptest.Start(t, nil)
		require.JSONEq(t, `{"body_bytes":1048576,"inflated_bytes":10485760,"batch_events":1000,"event_bytes":65536,"json_depth":32,
			"number_digits":40,"name_length":128,"timestamp_max_ahead_seconds":5,"timestamp_max_age_seconds":315360000,
			"request_budget_seconds":5,"page_limit":1000}`, render(t, mustGet(t, s.WithKey(""), "/v1/limits")))
	})
	t.Run("as set", func(t *testing.T) {
		t.Parallel()
		s := apptest.Start(t, map[string]string{
			"limits.body_bytes": "5000", "limits.inflated_bytes": "20000", "limits.batch_events": "3", "limits.event_bytes": "400",
			"limits.json_depth": "4", "limits.number_digits": "6", "limits.max_ahead": "1h", "limits.max_age": "876000h", "http.budget": "2500ms",
		})
		require.JSONEq(t, `{"body_bytes":5000,"inflated_bytes":20000,"batch_events":3,"event_bytes":400,"json_depth":4,
			"number_digits":6,"name_length":128,"timestamp_max_ahead_seconds":3600,"timestamp_max_age_seconds":3153600000,
			"request_budget_seconds":2.5,"page_limit":1000}`, render(t, mustGet(t, s.WithKey(""), "/v1/limits")))
		good := newEvent(t, newID())
		data := func(text string) string { return newEvent(t, newID(), "data", json.RawMessage(text)) }
		for name, c := range map[string]struct {
			body   string
			status int
			code   string
		}{
			"body":           {strings.Repeat(" ", 5001), 413, "body_too_large"},
			"batch":          {batchOf(good, good, good, good), 413, "batch_too_large"},
			"a full batch":   {batchOf(good, good, good), 201, ""},
			"event":          {data(`{"a":"` + strings.Repeat("x", 400) + `"}`), 400, "event_too_large"},
			"depth":          {data(`{"a":[[[]]]}`), 400, "too_deep"},
			"depth kept":     {data(`{"a":[[]]}`), 201, ""},
			"digits":         {data(`{"a":1234567}`), 400, "number_out_of_range"},
			"digits kept":    {data(`{"a":123456}`), 201, ""},
			"an hour ahead":  {newEvent(t, newID(), "timestamp", time.Now().Add(59*time.Minute).UTC().Format(time.RFC3339)), 201, ""},
			"two hours":      {newEvent(t, newID(), "timestamp", time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339)), 400, "timestamp_in_future"},
			"an old event":   {newEvent(t, newID(), "timestamp", "1971-01-01T00:00:00Z"), 201, ""},
			"a too old one":  {newEvent(t, newID(), "timestamp", "1901-01-01T00:00:00Z"), 400, "timestamp_too_old"},
			"inflated, kept": {batchOf(good), 201, ""},
		} {
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", c.body)
			require.Equal(t, c.status, answer.Status, "%s: %s", name, answer.Body)
			if c.code != "" {
				require.Contains(t, string(answer.Body), `"code":"`+c.code+`"`)
			}
		}

		for size, status := range map[int]int{20000: 201, 20001: 413} {
			body := gzipped(t, strings.NewReader(good+strings.Repeat(" ", size-len(good))))
			require.Equal(t, status, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body, "Content-Encoding", "gzip").Status)
		}
	})
}
