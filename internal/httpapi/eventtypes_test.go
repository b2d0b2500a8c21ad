package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func typePath(category, name string) string {
	return "/v1/event-types/" + eventtype.Key{Category: category, Name: name}.Path()
}

// putType registers a type and returns the response.
func putType(t testing.TB, c *apptest.Client, category, name, body string) map[string]any {
	t.Helper()
	answer := c.Do(t, http.MethodPut, typePath(category, name), body)
	require.Contains(t, []int{http.StatusOK, http.StatusCreated}, answer.Status, "%s", answer.Body)
	return answer.JSON(t)
}

func TestEventTypesAreAdministered(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	path := typePath("form", "submit")
	spec := `{"schema": {"type": "object", "required": ["email"]}, "mode": "observe", "description": "A form"}`
	answer := s.Do(t, http.MethodPut, path, spec)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.Equal(t, path, answer.Header.Get("Location"))
	made := answer.JSON(t)
	require.Equal(t, []any{number(1), "observe", "A form", "form", "submit"}, []any{made["version"], made["mode"], made["description"], made["category"], made["name"]})
	// The same content in another order does not make a version.
	answer = s.Do(t, http.MethodPut, path, `{"mode": "observe", "description": "A form", "schema": {"required": ["email"], "type": "object"}}`)
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, number(1), answer.JSON(t)["version"])
	require.Equal(t, number(2), putType(t, s.Client, "form", "submit", `{"schema": {"type": "object"}}`)["version"])
	// A read key may read all types, and change none.
	reader := s.WithKey(s.Read)
	for _, of := range []string{"/v1/event-types", path, path + "/versions", path + "?version=1"} {
		mustGet(t, reader, of)
	}

	requireProblem(t, reader.Do(t, http.MethodPut, path, spec), http.StatusForbidden, "forbidden")
	requireProblem(t, reader.Do(t, http.MethodDelete, path, ""), http.StatusForbidden, "forbidden")
	requireProblem(t, s.WithKey(s.Ingest).Do(t, http.MethodGet, path, ""), http.StatusForbidden, "forbidden")
	require.Equal(t, "enforce", mustGet(t, reader, path)["mode"])
	require.Equal(t, "observe", mustGet(t, reader, path+"?version=1")["mode"])
	// The type is deleted, its versions remain, and a new one continues the numbers.
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "").Status)
	requireProblem(t, s.Do(t, http.MethodGet, path, ""), http.StatusNotFound, "not_found")
	requireProblem(t, s.Do(t, http.MethodDelete, path, ""), http.StatusNotFound, "not_found")
	require.Empty(t, mustGet(t, reader, "/v1/event-types")["event_types"])
	require.Equal(t, []string{"2", "1"}, column(t, mustGet(t, reader, path+"/versions")["versions"], "version"))
	answer = s.Do(t, http.MethodPut, path, spec)
	require.Equal(t, http.StatusCreated, answer.Status)
	require.Equal(t, number(3), answer.JSON(t)["version"])
	// An error has its place.
	problem := requireProblem(t, s.Do(t, http.MethodPut, path, `{"schema": {"properties": {"a": {"type": "strin"}}}}`), http.StatusBadRequest, "invalid_schema")
	require.Contains(t, reasons(t, problem), "/schema/properties/a/type invalid_schema")
	for body, at := range map[string]string{
		`{"mode": "maybe"}`: "/mode", `{"schema": 1}`: "/schema", `{"schem": {}}`: "/schem", `{"schema": {"$ref": "http://127.0.0.1:1/x"}}`: "/schema",
	} {
		answer := s.Do(t, http.MethodPut, path, body)
		require.Equal(t, http.StatusBadRequest, answer.Status, body)
		require.Contains(t, string(answer.Body), `"pointer":"`+at+`"`, body)
	}

	requireProblem(t, s.Do(t, http.MethodGet, path+"?version=x", ""), http.StatusBadRequest, "invalid_parameter")
	requireProblem(t, s.Do(t, http.MethodGet, path+"?version=99", ""), http.StatusNotFound, "not_found")
}

// Category and name may hold any character, also in the URL.
func TestAnyCharactersNameAType(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	names := []string{"a/b", "c%2Fd", "%", "%41", "a+b c", "..", ".", "?x=1&y#z", "日本語", "😀", `"\`, "a//b", "/", " ", "versions", "preview", ";:@$,'()*!", strings.Repeat("ü/", 64)}
	for i, category := range names {
		name := names[(i+7)%len(names)]
		made := putType(t, s.Client, category, name, `{"schema": {"required": ["x"]}}`)
		require.Equal(t, []any{category, name, number(1)}, []any{made["category"], made["name"], made["version"]})
		path := typePath(category, name)
		require.Equal(t, name, mustGet(t, s.Client, path)["name"])
		require.Len(t, mustGet(t, s.Client, path+"/versions")["versions"], 1)
		require.Equal(t, http.StatusOK, s.Do(t, http.MethodPost, path+"/preview", `{"schema": {}}`).Status)
		rejected := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, newID(), "category", category, "name", name))
		require.Contains(t, string(rejected.Body), `"schema_violation"`, "%q %q", category, name)
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "").Status, "%q %q", category, name)
	}

	// Every escaped form names the same type.
	putType(t, s.Client, "a b", "c", `{}`)
	for _, path := range []string{"a%20b/c", "%61%20b/%63"} {
		require.Equal(t, "a b", mustGet(t, s.Client, "/v1/event-types/"+path)["category"])
	}

	requireProblem(t, s.Do(t, http.MethodGet, "/v1/event-types/a+b/c", ""), http.StatusNotFound, "not_found")
	for _, path := range []string{"%00/c", url.PathEscape(strings.Repeat("x", 129)) + "/c", "%ff/c"} {
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, s.Do(t, http.MethodPut, "/v1/event-types/"+path, `{}`).Status, path)
	}
}

func TestAnEditIsJudgedByTheType(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	putType(t, s.Client, "form", "submit", `{"schema": {"required": ["email"], "properties": {"email": {"type": "string"}}}}`)
	session := newID()
	path, _ := postStored(t, s, newEvent(t, session, "category", "form", "name", "submit", "data", map[string]any{"email": "x"}))
	require.Equal(t, number(1), mustGet(t, s.Client, path)["event_type_version"])
	free, _ := postStored(t, s, newEvent(t, session))
	for _, c := range []struct{ method, path, body, at string }{
		{http.MethodPut, path, newEvent(t, session, "category", "form", "name", "submit"), "/data/email schema_violation"},
		{http.MethodPatch, path, `{"data": {"email": 5}}`, "/data/email schema_violation"},
		{http.MethodPatch, path, `{"data": {"email": null}}`, "/data/email schema_violation"},
		{http.MethodPatch, free, `{"category": "form", "name": "submit"}`, "/data/email schema_violation"},
	} {
		header := []string{}
		if c.method == http.MethodPatch {
			header = []string{"Content-Type", mergePatch}
		}

		answer := s.Do(t, c.method, c.path, c.body, header...)
		require.Equal(t, http.StatusBadRequest, answer.Status, "%s", answer.Body)
		require.Equal(t, []string{c.at}, reasons(t, answer.JSON(t)))
	}

	document, _ := editEvent(t, s, http.MethodPatch, path, `{"data": {"email": "y"}}`, "Content-Type", mergePatch)
	requireSameJSON(t, `{"email": "y"}`, render(t, document["data"]))
}

func TestWhatIsObservedIsStoredWithItsViolations(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	putType(t, s.Client, "form", "submit", `{"mode": "observe", "schema": {"properties": {"form": {"properties": {"email": {"type": "string"}}}}}}`)
	bad := newEvent(t, newID(), "category", "form", "name", "submit", "data", map[string]any{"form": map[string]any{"email": 5}})
	good := newEvent(t, newID(), "category", "form", "name", "submit")
	answer := mustPost(t, s.WithKey(s.Ingest), batchOf(bad, good))
	require.Equal(t, number(2), answer["stored"])
	events := at[[]any](t, mustGet(t, s.WithKey(s.Read), "/v1/events?category=form"), "events")
	require.Len(t, events, 2)
	violated := 0
	for _, one := range events {
		document := at[map[string]any](t, one)
		require.Equal(t, number(1), document["event_type_version"])
		if found, ok := document["violations"]; ok {
			violated++
			require.Equal(t, "/data/form/email", at[string](t, found, 0, "pointer"))
			require.Contains(t, at[string](t, found, 0, "detail"), "is a number; expected a string")
		}
	}

	require.Equal(t, 1, violated)
	require.Empty(t, mustGet(t, s.WithKey(s.Read), "/v1/errors")["errors"])
}

// A preview shows which events a change will reject.
func TestAPreviewTellsWhatWillHappen(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	batch := func() string {
		var events []string
		for i := range 120 {
			data := map[string]any{"n": i, "text": strings.Repeat("x", i%7)}
			if i%3 == 0 {
				data["email"] = []any{"jane@example.com", "none", 5}[i%9/3]
			}

			events = append(events, newEvent(t, newID(), "category", "form", "name", "submit", "data", data))
		}

		return batchOf(events...)
	}
	mustPost(t, s.WithKey(s.Ingest), batch())
	candidate := `{"required": ["email"], "properties": {"email": {"type": "string", "format": "email"}, "text": {"maxLength": 4}}}`
	preview := s.Do(t, http.MethodPost, typePath("form", "submit")+"/preview", `{"schema": `+candidate+`}`).JSON(t)
	require.Equal(t, true, preview["complete"])
	failing := at[json.Number](t, preview, "events", "newly_failing")
	unaffected := at[json.Number](t, preview, "events", "unaffected")
	require.Equal(t, number(120), at[json.Number](t, preview, "events", "examined"))
	require.NotEqual(t, number(0), unaffected)
	most := at[[]any](t, preview, "violations")
	require.LessOrEqual(t, len(most), 5)
	require.Equal(t, "/data/email", at[string](t, most, 0, "pointer"))
	require.Equal(t, number(80), at[json.Number](t, most, 0, "count"))
	mustGet(t, s.Client, "/v1/events/"+at[string](t, most, 0, "event_id"))

	putType(t, s.Client, "form", "submit", `{"schema": `+candidate+`}`)
	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batch()).JSON(t)
	require.Equal(t, []any{failing, unaffected}, []any{answer["rejected"], answer["stored"]})

	// The same for a wider schema, which some of the rejected events would fit.
	wider := `{"required": ["email"]}`
	preview = s.Do(t, http.MethodPost, typePath("form", "submit")+"/preview", `{"schema": `+wider+`}`).JSON(t)
	passing := at[json.Number](t, preview, "errors", "newly_passing")
	require.Equal(t, failing, at[json.Number](t, preview, "errors", "examined"))
	putType(t, s.Client, "form", "submit", `{"schema": `+wider+`}`)
	again := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batch()).JSON(t)
	before, err := unaffected.Int64()
	require.NoError(t, err)
	newly, err := passing.Int64()
	require.NoError(t, err)
	require.Equal(t, number(int(before+newly)), again["stored"])
}

func TestToEnforceWhatWasObservedIsPreviewed(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	schema := `{"required": ["email"]}`
	putType(t, s.Client, "form", "submit", `{"mode": "observe", "schema": `+schema+`}`)
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, newID(), "category", "form", "name", "submit"))
	preview := s.Do(t, http.MethodPost, typePath("form", "submit")+"/preview", `{"schema": `+schema+`}`).JSON(t)
	require.Equal(t, number(1), at[json.Number](t, preview, "events", "newly_failing"))
}

// A change is in force on every replica within 5 s.
func TestAChangeHoldsOnEveryReplica(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	other := apptest.StartOn(t, s.Database, nil)
	event := func() string { return newEvent(t, newID(), "category", "form", "name", "submit") }
	mustPost(t, other.WithKey(other.Ingest), event())
	putType(t, s.Client, "form", "submit", `{"schema": {"required": ["email"]}}`)
	require.Equal(t, http.StatusBadRequest, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", event()).Status, "where it was made, at once")
	holds := func(status int) func() bool {
		return func() bool {
			return other.WithKey(other.Ingest).Do(t, http.MethodPost, "/v1/events", event()).Status == status
		}
	}
	require.Eventually(t, holds(http.StatusBadRequest), time.Minute, 50*time.Millisecond)
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, typePath("form", "submit"), "").Status)
	require.Eventually(t, holds(http.StatusCreated), time.Minute, 50*time.Millisecond)
}

// While a schema changes, every verdict names the version that validated the event.
func TestVerdictsNameTheVersionThatJudged(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	other := apptest.StartOn(t, s.Database, nil)
	const writers, changes = 32, 25
	put := func(n int) {
		putType(t, []*apptest.Client{s.Client, other.Client}[n%2], "form", "submit", fmt.Sprintf(`{"schema": {"required": ["p%d"], "properties": {"p%d": {"const": %d}}}}`, n%2, n%2, n%4))
	}
	put(0)
	type verdict struct {
		data    string
		stored  bool
		version json.Number
	}
	var done atomic.Bool
	var mu sync.Mutex
	var verdicts []verdict
	var group sync.WaitGroup
	for w := range writers {
		client := []*apptest.Client{s.WithKey(s.Ingest), other.WithKey(other.Ingest)}[w%2]
		group.Go(func() {
			for i := 0; !done.Load(); i++ {
				var events, payloads []string
				for k := range 8 {
					data := fmt.Sprintf(`{"p%d":%d}`, k%2, k%4)
					payloads = append(payloads, data)
					events = append(events, newEvent(t, newID(), "category", "form", "name", "submit", "data", json.RawMessage(data)))
				}

				answer, err := client.Try(context.Background(), http.MethodPost, "/v1/events", []byte(batchOf(events...)))
				if err != nil {
					t.Error(err)
					return
				}

				var results struct {
					Results []struct {
						Status  string      `json:"status"`
						Version json.Number `json:"event_type_version"`
					} `json:"results"`
				}
				if err := json.Unmarshal(answer.Body, &results); err != nil || len(results.Results) != len(payloads) {
					t.Errorf("%d %s", answer.Status, answer.Body)
					return
				}

				mu.Lock()
				for k, r := range results.Results {
					verdicts = append(verdicts, verdict{payloads[k], r.Status == "stored", r.Version})
				}

				mu.Unlock()
			}
		})
	}

	count := func() int {
		mu.Lock()
		defer mu.Unlock()

		return len(verdicts)
	}
	for n := 1; n < changes; n++ {
		before := count()
		require.Eventually(t, func() bool { return count() > before+8*writers/4 }, 30*time.Second, time.Millisecond)
		put(n)
	}

	done.Store(true)
	group.Wait()
	schemas := map[json.Number]*eventtype.Schema{"": nil} // before the other replica knew the type
	for _, one := range at[[]any](t, mustGet(t, s.Client, typePath("form", "submit")+"/versions"), "versions") {
		schema, err := eventtype.CompileSchema([]byte(render(t, at[any](t, one, "schema"))))
		require.NoError(t, err)
		schemas[at[json.Number](t, one, "version")] = schema
	}

	require.Len(t, schemas, changes+1)
	fits := func(version json.Number, data string) bool {
		require.Contains(t, schemas, version)
		violations, err := schemas[version].CheckPayload([]byte(data), false)
		require.NoError(t, err)
		return len(violations) == 0
	}
	judges := map[json.Number]bool{}
	for _, v := range verdicts {
		judges[v.version] = true
		require.Equal(t, fits(v.version, v.data), v.stored, "%+v", v)
	}

	require.Greater(t, len(judges), changes/2, "nothing was posted while the schema changed")
	rows, err := s.Database.Pool(t).Query(t.Context(), "select coalesce(event_type_version::text, ''), data::text from event")
	require.NoError(t, err)
	t.Cleanup(rows.Close)
	for rows.Next() {
		var version, data string
		require.NoError(t, rows.Scan(&version, &data))
		require.True(t, fits(json.Number(version), data), "version %s stored %s", version, data)
	}

	require.NoError(t, rows.Err())
}

// Marked values are in no table, whether the event is stored, rejected, or sent again.
func TestMarkedValuesAreNowhere(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	putType(t, s.Client, "form", "submit", `{"schema": {"required": ["email", "n"], "properties": {"n": {"type": "integer"},
		"email": {"type": "string", "format": "email", "x-theeye": "hash"}, "card": {"x-theeye": "drop"}, "name": {"x-theeye": "mask"}}}}`)
	data := map[string]any{"n": 1, "email": "canary@example.com", "card": "canary", "name": map[string]any{"first": "canary"}}
	id := newID()
	good := newEvent(t, newID(), "event_id", id, "category", "form", "name", "submit", "data", data)
	ingest := s.WithKey(s.Ingest)
	mustPost(t, ingest, good)
	again := ingest.Do(t, http.MethodPost, "/v1/events", good)
	require.Equal(t, http.StatusOK, again.Status, "%s", again.Body)
	require.Equal(t, "duplicate", again.JSON(t)["status"])
	conflict := ingest.Do(t, http.MethodPost, "/v1/events", strings.Replace(good, `"n":1`, `"n":2`, 1))
	require.Equal(t, http.StatusConflict, conflict.Status, "%s", conflict.Body)
	for _, bad := range []string{
		strings.NewReplacer(id, newID(), `"n":1`, `"n":"x"`).Replace(good),
		strings.NewReplacer(id, newID(), "canary@example.com", "canary").Replace(good),
		strings.NewReplacer(id, "no id").Replace(good),
		strings.NewReplacer(id, newID(), `"n":1`, `"n":1,"n":2`).Replace(good),
		strings.NewReplacer(id, newID(), `"n":1`, `"n":`).Replace(good),
		strings.NewReplacer(id, newID(), `"submit"`, `5`).Replace(good),
	} {
		answer := ingest.Do(t, http.MethodPost, "/v1/events", bad)
		require.Equal(t, http.StatusBadRequest, answer.Status, bad)
		require.NotContains(t, string(answer.Body), "canary", bad)
	}

	require.NotEmpty(t, mustGet(t, s.Client, "/v1/errors")["errors"])
	pool := s.Database.Pool(t)
	rows, err := pool.Query(t.Context(), `select quote_ident(relname) from pg_class where relkind in ('r', 'p') and relnamespace = current_schema()::regnamespace`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var table string
		require.NoError(t, rows.Scan(&table))
		tables = append(tables, table)
	}

	require.NoError(t, rows.Err())
	require.Contains(t, tables, "rejection")
	for _, table := range tables {
		var found int
		sql := `select count(*) from ` + table + ` t where t::text ilike '%canary%' or t::text like '%' || encode('canary', 'hex') || '%'`
		require.NoError(t, pool.QueryRow(t.Context(), sql).Scan(&found))
		require.Zero(t, found, table)
	}

	var kept int
	require.NoError(t, pool.QueryRow(t.Context(), `select count(*) from event where data::text like '%hmac-sha256:%' and data::text like '%******%'`).Scan(&kept))
	require.Equal(t, 1, kept)
}
