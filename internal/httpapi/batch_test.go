package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// requireCounts checks the counts of a response to a batch and the statuses of its results.
func requireCounts(t testing.TB, answer map[string]any, stored, duplicates, rejected int, statuses ...string) {
	t.Helper()
	got := []any{answer["stored"], answer["duplicates"], answer["rejected"]}
	require.Equal(t, []any{number(stored), number(duplicates), number(rejected)}, got, "%v", answer)
	if len(statuses) > 0 {
		require.Equal(t, statuses, column(t, answer["results"], "status"))
	}
}

func number(n int) json.Number { return json.Number(fmt.Sprint(n)) }

func TestBatch(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	sender := s.WithKey(s.Ingest)
	for _, media := range []string{"application/json", lineType, "application/ndjson"} {
		send := func(t testing.TB, path string, events ...string) *apptest.Answer {
			t.Helper()
			body := batchOf(events...)
			if media != "application/json" {
				body = strings.Join(events, "\n")
			}

			return sender.Do(t, http.MethodPost, path, body, "Content-Type", media)
		}
		t.Run(media, func(t *testing.T) {
			t.Parallel()
			testBatch(t, s, send)
		})
		t.Run(media+"/atomic", func(t *testing.T) {
			t.Parallel()
			testAtomicBatch(t, s, send)
		})
	}

	t.Run("poison", func(t *testing.T) {
		t.Parallel()
		testPoison(t, s)
	})
	t.Run("bodies that are not a batch", func(t *testing.T) {
		t.Parallel()
		testNoBatch(t, s)
	})
}

type sendBatch func(t testing.TB, path string, events ...string) *apptest.Answer

func testBatch(t *testing.T, s *apptest.Service, send sendBatch) {
	t.Helper()
	session := newID()
	first := newID()
	second := newID()
	minute := func(n int) string { return fmt.Sprintf("2021-01-01 09:%02d:00", n) }
	// Events are numbered by timestamp within the request, and answered in the order of sending.
	answer := send(t, "/v1/events",
		newEvent(t, session, "event_id", first, "timestamp", minute(3)),
		newEvent(t, session, "timestamp", minute(1)),
		newEvent(t, session, "event_id", second, "timestamp", minute(2)),
		newEvent(t, session, "timestamp", minute(2), "name", "later in the request"),
		newEvent(t, session, "event_id", first, "timestamp", minute(3)),
	)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	document := answer.JSON(t)
	requireCounts(t, document, 4, 1, 0, "stored", "stored", "stored", "stored", "duplicate")
	require.Equal(t, []string{"4", "1", "2", "3", "4"}, column(t, document["results"], "sequence"))
	require.Equal(t, first, at[string](t, document, "results", 0, "event_id"))
	timeline := mustGet(t, s.Client, "/v1/sessions/"+session+"/events")
	require.Equal(t, []string{"1", "2", "3", "4"}, column(t, timeline["events"], "sequence"))

	// Duplicates alone are a success; a later request continues the numbers.
	answer = send(t, "/v1/events", newEvent(t, session, "event_id", second, "timestamp", minute(2)))
	require.Equal(t, http.StatusCreated, answer.Status)
	requireCounts(t, answer.JSON(t), 0, 1, 0, "duplicate")
	answer = send(t, "/v1/events",
		newEvent(t, session, "event_id", second, "name", "other"),
		newEvent(t, session, "event_id", "no id"),
		newEvent(t, session, "timestamp", minute(0)),
	)
	require.Equal(t, http.StatusMultiStatus, answer.Status)
	document = answer.JSON(t)
	requireCounts(t, document, 1, 0, 2, "conflict", "rejected", "stored")
	require.Equal(t, number(5), at[json.Number](t, document, "results", 2, "sequence"))
	require.Equal(t, []string{"/event_id event_id_conflict"}, reasons(t, at[any](t, document, "results", 0)))
	for _, n := range []int{0, 1} {
		mustGet(t, s.Client, "/v1/errors/"+at[string](t, document, "results", n, "error_id"))
	}

	// If no event is stored or known, the response is a problem with every verdict.
	problem := requireProblem(t, send(t, "/v1/events", `{}`, newEvent(t, session, "event_id", second, "name", "other")), http.StatusBadRequest, "batch_rejected")
	requireCounts(t, problem, 0, 0, 2, "rejected", "conflict")
}

func testAtomicBatch(t *testing.T, s *apptest.Service, send sendBatch) {
	t.Helper()
	session, known := newID(), newID()
	good := newEvent(t, session)
	answer := send(t, "/v1/events?atomic=true", good, newEvent(t, session, "event_id", known))
	require.Equal(t, http.StatusCreated, answer.Status)
	requireCounts(t, answer.JSON(t), 2, 0, 0, "stored", "stored")
	for name, c := range map[string]struct {
		events   []string
		rejected int
		statuses []string
	}{
		"invalid":          {[]string{good, `{}`, good}, 1, []string{"not_stored", "rejected", "not_stored"}},
		"conflict":         {[]string{good, newEvent(t, session, "event_id", known, "name", "x")}, 1, []string{"not_stored", "conflict"}},
		"conflict within":  {conflictWithin(t, session), 1, []string{"not_stored", "conflict"}},
		"invalid and more": {[]string{`{}`, newEvent(t, session, "event_id", known), good}, 1, []string{"rejected", "not_stored", "not_stored"}},
	} {
		problem := requireProblem(t, send(t, "/v1/events?atomic=true", c.events...), http.StatusBadRequest, "batch_rejected")
		requireCounts(t, problem, 0, 0, c.rejected, c.statuses...)
		for _, result := range at[[]any](t, problem, "results") {
			if at[string](t, result, "status") != "not_stored" {
				mustGet(t, s.Client, "/v1/errors/"+at[string](t, result, "error_id"))
			}
		}

		require.Equal(t, number(2), mustGet(t, s.Client, "/v1/sessions/"+session)["event_count"], name)
	}

	// A batch of known events succeeds, and events that were not stored used no number.
	answer = send(t, "/v1/events?atomic=1", newEvent(t, session, "event_id", known), good)
	require.Equal(t, http.StatusCreated, answer.Status)
	requireCounts(t, answer.JSON(t), 1, 1, 0, "duplicate", "stored")
	require.Equal(t, number(3), at[json.Number](t, answer.JSON(t), "results", 1, "sequence"))
	// Without atomic the valid events of such a batch are stored.
	for _, path := range []string{"/v1/events", "/v1/events?atomic=false", "/v1/events?atomic=0"} {
		require.Equal(t, http.StatusMultiStatus, send(t, path, good, `{}`).Status, path)
	}

	for _, query := range []string{"atomic=nonsense", "atomic=", "atomic=TRUE", "atomic=true&atomic=true", "atomc=true", "atomic=%ff", "a=%zz"} {
		answer := send(t, "/v1/events?"+query, good)
		code := "invalid_parameter"
		if strings.HasPrefix(query, "atomc") {
			code = "unknown_parameter"
		}

		problem := requireProblem(t, answer, http.StatusBadRequest, code)
		kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
		require.Contains(t, kept["raw"], session, "the complete rejected text is kept")
	}

	require.Equal(t, number(6), mustGet(t, s.Client, "/v1/sessions/"+session)["event_count"])
}

func conflictWithin(t testing.TB, session string) []string {
	t.Helper()
	id := newID()
	return []string{newEvent(t, session, "event_id", id), newEvent(t, session, "event_id", id, "name", "x")}
}

// testPoison sends every kind of event that breaks a rule, in every position of a batch.
func testPoison(t *testing.T, s *apptest.Service) {
	t.Helper()
	poisons := map[string]string{"null": `null`, "number": `1`, "string": `"{}"`, "array": `[]`, "nested batch": `[` + newEvent(t, newID()) + `]`, "true": `true`}
	for name, c := range rejections(t) {
		poisons[name] = c.body
	}

	poisons["nothing between two commas"], poisons["a trailing comma"], poisons["007"] = " ", `{"a":[1,]}`, `{"a":007}`
	poisons["a raw control character"], poisons["an unquoted word"], poisons["an invalid escape"] = "{\"a\":\"],\x01\"}", `{"a":undefined}`, `{"a":"\x41]"}`
	// Text that cannot be delimited ends an array; as a line it is rejected alone. An empty line
	// is not an event.
	unparted := map[string]bool{"cut": true}
	for name, poison := range poisons {
		for position := range 3 {
			session := newID()
			events := []string{newEvent(t, session), newEvent(t, session), newEvent(t, session)}
			events[position] = poison
			statuses := []string{"stored", "stored", "stored"}
			statuses[position] = "rejected"
			for _, media := range []string{"application/json", lineType} {
				body := batchOf(events...)
				if media == lineType {
					body = strings.Join(events, "\r\n") + "\n\n"
				}

				answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body, "Content-Type", media)
				if media == lineType && strings.TrimSpace(poison) == "" {
					continue
				}

				if media == "application/json" && unparted[name] {
					problem := requireProblem(t, answer, http.StatusBadRequest, "invalid_json")
					require.Equal(t, body, mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))["raw"])
					continue
				}

				require.Equal(t, http.StatusMultiStatus, answer.Status, "%s at %d: %s", name, position, answer.Body)
				document := answer.JSON(t)
				requireCounts(t, document, 2, 0, 1, statuses...)
				kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, document, "results", position, "error_id"))
				require.Equal(t, len(poison) > 64<<10, kept["raw_truncated"], name)
				whole := strings.ToValidUTF8(strings.TrimSpace(poison), "\uFFFD")
				require.Equal(t, whole[:min(len(whole), 64<<10)], strings.ReplaceAll(at[string](t, kept, "raw"), "\uFFFD\uFFFD", "\uFFFD"), name)
			}
		}
	}
}

func testNoBatch(t *testing.T, s *apptest.Service) {
	t.Helper()
	session := newID()
	many := make([]string, 1001)
	for i := range many {
		many[i] = newEvent(t, session)
	}

	for name, c := range map[string]struct {
		body, media string
		status      int
		code        string
	}{
		"empty body":         {"", "application/json", 400, "invalid_json"},
		"white space":        {" \n\t", "application/json", 400, "invalid_json"},
		"scalar":             {`"x"`, "application/json", 400, "invalid_type"},
		"null":               {`null`, "application/json", 400, "invalid_type"},
		"no JSON":            {`<event/>`, "application/json", 400, "invalid_json"},
		"byte order mark":    {"\xef\xbb\xbf", "application/json", 400, "invalid_json"},
		"two of them":        {"\xef\xbb\xbf\xef\xbb\xbf{}", "application/json", 400, "invalid_json"},
		"UTF-16":             {"\xff\xfe{\x00}\x00", "application/json", 400, "invalid_json"},
		"empty array":        {` [ ] `, "application/json", 400, "empty_batch"},
		"empty NDJSON":       {"", lineType, 400, "empty_batch"},
		"blank NDJSON":       {"\n \r\n\t\n", lineType, 400, "empty_batch"},
		"text behind":        {`[{}] x`, "application/json", 400, "trailing_text"},
		"two arrays":         {`[{}][{}]`, "application/json", 400, "trailing_text"},
		"open array":         {`[{}`, "application/json", 400, "invalid_json"},
		"comma at the end":   {`[{},]`, "application/json", 400, "batch_rejected"},
		"a comma alone":      {`[,]`, "application/json", 400, "batch_rejected"},
		"batch too large":    {batchOf(many...), "application/json", 413, "batch_too_large"},
		"lines too many":     {strings.Join(many, "\n"), lineType, 413, "batch_too_large"},
		"arrays of nothing":  {`[[],[]]`, "application/json", 400, "batch_rejected"},
		"deeply nested":      {strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "application/json", 400, "batch_rejected"},
		"array for NDJSON":   {batchOf(many[:2]...), lineType, 400, "batch_rejected"},
		"a line of a number": {"1", lineType, 400, "batch_rejected"},
	} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", c.body, "Content-Type", c.media)
		problem := requireProblem(t, answer, c.status, c.code)
		if c.code != "batch_rejected" {
			require.NotEmpty(t, problem["error_id"], name)
		}
	}

	for _, media := range []string{"application/json", lineType} {
		body := batchOf(many[:1000]...)
		if media == lineType {
			body = strings.Join(many[:1000], "\n")
		}

		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body, "Content-Type", media)
		require.Equal(t, http.StatusCreated, answer.Status)
		requireCounts(t, answer.JSON(t), 1000, 0, 0)
	}

	require.Equal(t, number(2000), mustGet(t, s.Client, "/v1/sessions/"+session)["event_count"])
}

// TestUnpartedBodiesAreKeptWhole requires that a body that cannot be divided into events is kept
// up to the limit of bodies, and not cut at the limit of events.
func TestUnpartedBodiesAreKeptWhole(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	good := newEvent(t, newID(), "data", map[string]any{"x": strings.Repeat("x", 1000)})
	many := strings.Repeat(good+",", 300)
	for name, body := range map[string]string{
		"an unclosed string": "[" + many + `{"a":"b}]`, "an unclosed bracket": "[" + many + `{"a":1]`, "text behind the array": "[" + many + "1] x",
		"a lone event": `{"a":[` + many + `}`, "lines sent as JSON": strings.ReplaceAll(many, "},", "}\n"),
	} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body)
		require.Equal(t, http.StatusBadRequest, answer.Status, name)
		kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, answer.JSON(t), "error_id"))
		require.Equal(t, body, kept["raw"], name)
		require.Equal(t, false, kept["raw_truncated"], name)
	}

	large := `[{"a":"` + strings.Repeat("x", 2<<20)
	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", gzipped(t, strings.NewReader(large)), "Content-Encoding", "gzip")
	kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, answer.JSON(t), "error_id"))
	require.Equal(t, true, kept["raw_truncated"], "a body that is larger when decompressed is cut")
	require.Equal(t, large[:1<<20], kept["raw"])
}
