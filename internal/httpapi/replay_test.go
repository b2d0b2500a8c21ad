package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// totals returns the numbers of a response.
func totals(t testing.TB, answer *apptest.Answer) map[string]int64 {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	return numbers(t, answer.JSON(t))
}

func numbers(t testing.TB, document map[string]any) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for name, value := range document {
		if number, ok := value.(json.Number); ok {
			n, err := number.Int64()
			require.NoError(t, err)
			found[name] = n
		}
	}

	return found
}

func newTotals(matched, stored, duplicates, rejected, skipped int64) map[string]int64 {
	return map[string]int64{"matched": matched, "stored": stored, "duplicates": duplicates, "rejected": rejected, "skipped": skipped}
}

func replayErrors(t testing.TB, c *apptest.Client, body string) map[string]int64 {
	t.Helper()
	return totals(t, c.Do(t, http.MethodPost, "/v1/errors/replay", body))
}

// registerStrictType registers a type whose data needs an x; setType can relax it again.
func registerStrictType(t testing.TB, s *apptest.Service) (name string) {
	t.Helper()
	name = newID()
	setType(t, s, name, `{"type":"object","required":["x"]}`)
	return name
}

func setType(t testing.TB, s *apptest.Service, name, schema string) {
	t.Helper()
	answer := s.Do(t, http.MethodPut, "/v1/event-types/page/"+name, `{"schema":`+schema+`,"mode":"enforce"}`)
	require.Less(t, answer.Status, 300, "%s", answer.Body)
}

// postRejected posts an event that is rejected, and returns the id of the error.
func postRejected(t testing.TB, c *apptest.Client, event string) string {
	t.Helper()
	answer := c.Do(t, http.MethodPost, "/v1/events", event)
	require.Equal(t, http.StatusBadRequest, answer.Status, "%s", answer.Body)
	return at[string](t, answer.JSON(t), "error_id")
}

func waitQuiet(t testing.TB, s *apptest.Service) {
	t.Helper()
	wrong, err := apptest.FindContradictions(context.Background(), s.Database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, wrong)
}

func tableCount(t testing.TB, s *apptest.Service, what string, arguments ...any) (n int64) {
	t.Helper()
	require.NoError(t, s.Database.Pool(t).QueryRow(context.Background(), "select count(*) from "+what, arguments...).Scan(&n))
	return n
}

func TestMendedSchemaAndReplay(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	name := registerStrictType(t, s)
	session := newID()
	own := newID()
	sender := s.WithKey(s.Ingest)
	nameless := postRejected(t, sender, newEvent(t, session, "name", name))
	named := postRejected(t, sender, newEvent(t, session, "name", name, "event_id", own, "data", map[string]any{"y": "1.50"}))
	before := mustGet(t, s.Client, "/v1/errors/"+named)
	require.NotContains(t, before, "outcome")

	// Before the cause is fixed, the event is rejected again, and stays open.
	filter := `{"code":"schema_violation","category":"page","name":"` + name + `"}`
	require.Equal(t, newTotals(2, 0, 0, 2, 0), replayErrors(t, s.Client, filter))
	again := mustGet(t, s.Client, "/v1/errors/"+named)
	require.Equal(t, "open", again["status"])
	require.Equal(t, "rejected", again["outcome"])
	require.Equal(t, []string{"schema_violation"}, column(t, again["outcome_errors"], "code"))
	require.NotContains(t, again, "outcome_event_id")
	require.EqualValues(t, 2, tableCount(t, s, "rejection"), "an event that is rejected again is not recorded again")

	setType(t, s, name, `{"type":"object"}`)
	dry := strings.Replace(filter, "{", `{"dry_run":true,`, 1)
	pool := s.Database.Pool(t)
	unchanged := tableDigests(t, pool)
	require.Equal(t, newTotals(2, 2, 0, 0, 0), replayErrors(t, s.Client, dry))
	require.Equal(t, unchanged, tableDigests(t, pool))

	require.Equal(t, newTotals(2, 2, 0, 0, 0), replayErrors(t, s.Client, filter))
	for refused, id := range map[string]string{nameless: nameless, named: own} {
		kept := mustGet(t, s.Client, "/v1/errors/"+refused)
		require.Equal(t, "replayed", kept["status"])
		require.Equal(t, "stored", kept["outcome"])
		require.Equal(t, id, kept["outcome_event_id"])
		require.NotEmpty(t, kept["replayed_at"])
		require.NotContains(t, kept, "outcome_errors")
		event := mustGet(t, s.Client, "/v1/events/"+id)
		require.Equal(t, kept["received_at"], event["received_at"])
		require.Equal(t, "shop", event["application"])
		require.Equal(t, json.Number("2"), event["event_type_version"])
	}

	requireSameJSON(t, `{"y":"1.50"}`, render(t, mustGet(t, s.Client, "/v1/events/"+own)["data"]))

	// A second replay finds nothing, by filter or by id.
	require.Equal(t, newTotals(0, 0, 0, 0, 0), replayErrors(t, s.Client, filter))
	require.Equal(t, newTotals(0, 0, 0, 0, 0), replayErrors(t, s.Client, `{"ids":["`+named+`","`+nameless+`"]}`))
	require.EqualValues(t, 2, tableCount(t, s, "event"))
	// A sender that sends the event again gets a duplicate.
	answer := sender.Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "name", name, "event_id", own, "data", map[string]any{"y": "1.50"}))
	require.Equal(t, "duplicate", answer.JSON(t)["status"])
	waitQuiet(t, s)
}

func TestReplayOfWhatWasSentAgainMeanwhile(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	name := registerStrictType(t, s)
	session := newID()
	own := newID()
	sender := s.WithKey(s.Ingest)
	same := newEvent(t, session, "name", name, "event_id", own)
	postRejected(t, sender, same)
	postRejected(t, sender, same)
	other := postRejected(t, sender, newEvent(t, session, "name", name, "event_id", own, "data", map[string]any{"y": 1}))
	setType(t, s, name, `{}`)
	mustPost(t, sender, same)
	require.Equal(t, newTotals(3, 0, 2, 1, 0), replayErrors(t, s.Client, `{"name":"`+name+`"}`))
	kept := mustGet(t, s.Client, "/v1/errors/"+other)
	require.Equal(t, []string{"event_id_conflict"}, column(t, kept["outcome_errors"], "code"))
	require.EqualValues(t, 1, tableCount(t, s, "event"))
	waitQuiet(t, s)
}

// Two replicas, and several callers of each, replay the same errors at once, while others post:
// each event is stored exactly once, and the totals add up.
func TestReplicasReplayAtOnce(t *testing.T) {
	t.Parallel()
	const errors, callers = 700, 4
	database := pgtest.New(t)
	one := apptest.StartOn(t, database, nil)
	other := apptest.StartOn(t, database, nil)
	name := registerStrictType(t, one)
	var batch []string
	for i := range errors {
		event := newEvent(t, fmt.Sprintf("00000000-0000-4000-8000-%012d", i%9), "name", name, "data", map[string]any{"n": i})
		if i%2 == 0 {
			event = newEvent(t, newID(), "name", name, "event_id", newID())
		}

		batch = append(batch, event)
	}

	require.Equal(t, http.StatusBadRequest, one.WithKey(one.Ingest).Do(t, http.MethodPost, "/v1/events", batchOf(batch...)).Status)
	setType(t, one, name, `{}`)
	// The other replica also has to know the change, because errors that it rejects stay open.
	require.Eventually(t, func() bool {
		return other.WithKey(other.Ingest).Do(t, http.MethodPost, "/v1/validate", batch[0]).JSON(t)["status"] == "valid"
	}, 10*time.Second, 20*time.Millisecond)

	var group sync.WaitGroup
	answers := make(chan map[string]int64, callers)
	for n := range callers {
		s := []*apptest.Service{one, other}[n%2]
		group.Go(func() { answers <- replayErrors(t, s.Client, `{"name":"`+name+`","code":"schema_violation"}`) })
		group.Go(func() { mustPost(t, s.WithKey(s.Ingest), newEvent(t, fmt.Sprintf("00000000-0000-4000-8000-%012d", n))) })
	}

	group.Wait()
	close(answers)
	sum := map[string]int64{}
	for answer := range answers {
		require.Equal(t, answer["matched"], answer["stored"]+answer["duplicates"]+answer["rejected"]+answer["skipped"])
		for what, n := range answer {
			sum[what] += n
		}
	}

	require.EqualValues(t, errors, sum["stored"])
	require.Zero(t, sum["duplicates"])
	require.Zero(t, sum["rejected"])
	require.EqualValues(t, errors, tableCount(t, one, "event where name = $1", name))
	require.EqualValues(t, errors, tableCount(t, one, "rejection where status = 'replayed' and outcome = 'stored' and leased_until is null"))
	require.EqualValues(t, errors, tableCount(t, one, "event e join rejection r on e.event_id = r.outcome_event_id and e.received_at = r.received_at"))
	var recorded int64
	require.NoError(t, database.Pool(t).QueryRow(context.Background(), "select sum((detail ->> 'stored')::int) from audit_entry where action = 'errors.replayed'").Scan(&recorded))
	require.EqualValues(t, errors, recorded)
	waitQuiet(t, one)
	gaps, err := apptest.FindGaps(context.Background(), database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, gaps)
}

func TestErasureThenRetryAndReplay(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	name, session := registerStrictType(t, s), newID()
	sender := s.WithKey(s.Ingest)
	event := newEvent(t, session, "name", name, "event_id", newID())
	refused := postRejected(t, sender, event)
	setType(t, s, name, `{}`)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "").Status)
	require.Equal(t, newTotals(0, 0, 0, 0, 0), replayErrors(t, s.Client, `{"ids":["`+refused+`"]}`))
	again := postRejected(t, sender, event) // a retry
	require.Equal(t, newTotals(1, 0, 0, 1, 0), replayErrors(t, s.Client, `{"ids":["`+again+`"]}`))
	require.Equal(t, []string{"not_replayable"}, column(t, mustGet(t, s.Client, "/v1/errors/"+again)["outcome_errors"], "code"), "nothing of it is stored")
	require.Zero(t, tableCount(t, s, "event"))

	// A race: whichever comes first, nothing is left of the session.
	for range 10 {
		session := newID()
		name := registerStrictType(t, s)
		for range 20 {
			postRejected(t, sender, newEvent(t, session, "name", name))
		}

		setType(t, s, name, `{}`)
		var group sync.WaitGroup
		group.Go(func() {
			answer := replayErrors(t, s.Client, `{"session_id":"`+session+`"}`)
			require.Equal(t, answer["matched"], answer["stored"]+answer["duplicates"]+answer["rejected"]+answer["skipped"])
		})
		group.Go(func() { s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "") })
		group.Wait()
		require.Zero(t, tableCount(t, s, "event where session_id = $1", session))
		require.Zero(t, tableCount(t, s, "rejection where session_id = $1", session))
	}

	waitQuiet(t, s)
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	sender := s.WithKey(s.Ingest)
	a := postRejected(t, sender, newEvent(t, newID(), "name", "a", "x", 1))
	b := postRejected(t, sender, newEvent(t, newID(), "name", "b", "x", 1))
	discard := func(body string) map[string]int64 {
		return totals(t, s.Do(t, http.MethodPost, "/v1/errors/discard", body))
	}
	pool := s.Database.Pool(t)
	before := tableDigests(t, pool)
	require.Equal(t, map[string]int64{"matched": 1, "discarded": 0, "skipped": 0}, discard(`{"name":"a","dry_run":true}`))
	require.Equal(t, before, tableDigests(t, pool))
	require.Equal(t, map[string]int64{"matched": 1, "discarded": 1, "skipped": 0}, discard(`{"name":"a"}`))
	require.Equal(t, map[string]int64{"matched": 0, "discarded": 0, "skipped": 0}, discard(`{"name":"a"}`))
	require.Equal(t, "discarded", mustGet(t, s.Client, "/v1/errors/"+a)["status"])
	require.Equal(t, "open", mustGet(t, s.Client, "/v1/errors/"+b)["status"])
	require.Equal(t, newTotals(1, 0, 0, 1, 0), replayErrors(t, s.Client, `{"ids":["`+a+`","`+b+`","`+newID()+`"]}`), "a discarded error is not replayed")

	// An error that a replay holds is skipped.
	_, err := pool.Exec(t.Context(), "update rejection set leased_until = now() + interval '1 hour' where rejection_id = $1", b)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"matched": 1, "discarded": 0, "skipped": 1}, discard(`{"all":true}`))
	require.Equal(t, newTotals(1, 0, 0, 0, 1), replayErrors(t, s.Client, `{"all":true}`))
	_, err = pool.Exec(t.Context(), "update rejection set leased_until = now() - interval '1 second' where rejection_id = $1", b)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"matched": 1, "discarded": 1, "skipped": 0}, discard(`{"all":true}`), "an error whose lease has ended is free")
}

func TestReplayFilters(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	one, other := newTenant(t, s), newTenant(t, s)
	session := newID()
	ids := []string{
		postRejected(t, one.Ingest, newEvent(t, session, "category", "a", "name", "x", "u", 1)),
		postRejected(t, one.Ingest, newEvent(t, newID(), "category", "a", "name", "y", "timestamp", "no time")),
		postRejected(t, other.Ingest, newEvent(t, newID(), "category", "b", "name", "x", "u", 1, "timestamp", "no time")),
	}
	second := at[string](t, mustGet(t, s.Client, "/v1/errors/"+ids[1]), "received_at")
	for filter, want := range map[string]int64{
		`"code":"unknown_field"`: 2, `"code":"invalid_timestamp"`: 2, `"code":"invalid_uuid"`: 0, `"application":"` + one.Name + `"`: 2, `"application":"nobody"`: 0,
		`"category":"a"`: 2, `"name":"x"`: 2, `"category":"a","name":"x"`: 1, `"session_id":"` + session + `"`: 1,
		`"from":"` + second + `"`: 2, `"to":"` + second + `"`: 1, `"from":"2999-01-01"`: 0, `"all":true`: 3, `"all":true,"limit":2`: 2,
		`"ids":["` + ids[0] + `","` + ids[0] + `","` + newID() + `","` + uuid.NewString() + `"]`: 1,
	} {
		require.Equal(t, newTotals(want, 0, 0, want, 0), replayErrors(t, s.Client, `{`+filter+`,"dry_run":true}`), filter)
		require.Equal(t, newTotals(want, 0, 0, want, 0), replayErrors(t, s.Client, `{`+filter+`}`), filter)
	}

	for body, reason := range map[string]string{
		`{}`: " invalid_request", `{"dry_run":true}`: " invalid_request", `{"ids":[]}`: "/ids invalid_request", `{"ids":["x"]}`: "/ids/0 invalid_request",
		`{"ids":["` + ids[0] + `"],"code":"x"}`: "/ids invalid_request", `{"all":true,"name":"x"}`: "/all invalid_request", `{"all":false}`: " invalid_request",
		`{"session_id":"x"}`: "/session_id invalid_request", `{"from":"soon"}`: "/from invalid_request", `{"from":"2021-01-02","to":"2021-01-01"}`: "/to invalid_request",
		`{"code":""}`: "/code invalid_request", `{"all":true,"limit":0}`: "/limit invalid_request", `{"all":true,"stauts":"open"}`: "/stauts unknown_field",
		`{"all":"yes"}`: "/all invalid_type", `{"ids":"x"}`: "/ids invalid_type",
	} {
		for _, path := range []string{"/v1/errors/replay", "/v1/errors/discard"} {
			problem := requireProblem(t, s.Do(t, http.MethodPost, path, body), http.StatusBadRequest, "invalid_request")
			require.Equal(t, []string{strings.TrimSpace(reason)}, reasons(t, problem), body)
		}
	}

	require.Equal(t, http.StatusNotAcceptable, s.Do(t, http.MethodPost, "/v1/errors/replay", `{"all":true}`, "Accept", "text/csv").Status)
}

func TestReplayTellsHowItGoes(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	var batch []string
	for range 600 {
		batch = append(batch, newEvent(t, newID(), "u", 1))
	}

	s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batchOf(batch...))
	answer := s.Do(t, http.MethodPost, "/v1/errors/replay", `{"all":true}`, "Accept", lineType)
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, lineType, answer.Header.Get("Content-Type"))
	lines := bytes.Split(bytes.TrimSpace(answer.Body), []byte("\n"))
	require.Greater(t, len(lines), 2)
	for i, line := range lines {
		one := (&apptest.Answer{Body: line}).JSON(t)
		require.Equal(t, i == len(lines)-1, one["done"])
		require.Equal(t, json.Number("600"), one["matched"])
	}

	require.Equal(t, newTotals(600, 0, 0, 600, 0), numbers(t, (&apptest.Answer{Body: lines[len(lines)-1]}).JSON(t)))
}

// An event that was rejected for a time in the future is valid once that time has come.
func TestReplayJudgesByNow(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	strictly := apptest.StartOn(t, database, map[string]string{"limits.max_ahead": "1s"})
	soon := time.Now().UTC().Add(time.Hour).Format(time.RFC3339)
	refused := postRejected(t, strictly.WithKey(strictly.Ingest), newEvent(t, newID(), "timestamp", soon))
	require.Equal(t, newTotals(1, 0, 0, 1, 0), replayErrors(t, strictly.Client, `{"code":"timestamp_in_future"}`))
	later := apptest.StartOn(t, database, map[string]string{"limits.max_ahead": "2h"})
	require.Equal(t, newTotals(1, 1, 0, 0, 0), replayErrors(t, later.Client, `{"code":"timestamp_in_future"}`))
	require.Equal(t, soon, strings.Replace(at[string](t, mustGet(t, later.Client, "/v1/events/"+refused), "timestamp"), ".000000", "", 1))
}

// Values that a schema removes from an event were removed from the kept text; a replay stores
// the same event as a fresh request.
func TestReplayOfMarkedProperties(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	name := newID()
	const marks = `"properties":{"email":{"type":"string","format":"email","x-theeye":"hash"},"card":{"type":"integer","x-theeye":"mask"},"note":{"type":"string","x-theeye":"drop"}}`
	setType(t, s, name, `{"type":"object",`+marks+`,"required":["x","note"]}`)
	data := map[string]any{"email": "me@example.com", "card": 4711, "note": canary}
	refused := postRejected(t, s.WithKey(s.Ingest), newEvent(t, newID(), "name", name, "data", data))
	require.Equal(t, newTotals(1, 0, 0, 1, 0), replayErrors(t, s.Client, `{"all":true}`))
	require.Equal(t, []string{"/data/x"}, column(t, mustGet(t, s.Client, "/v1/errors/"+refused)["outcome_errors"], "pointer"))
	setType(t, s, name, `{"type":"object",`+marks+`,"required":["note"]}`)
	require.Equal(t, newTotals(1, 1, 0, 0, 0), replayErrors(t, s.Client, `{"all":true}`))
	fresh := at[string](t, mustPost(t, s.WithKey(s.Ingest), newEvent(t, newID(), "name", name, "data", data)), "event_id")
	want, got := mustGet(t, s.Client, "/v1/events/"+fresh)["data"], mustGet(t, s.Client, "/v1/events/"+refused)["data"]
	require.Equal(t, want, got)
	for _, secret := range []string{"example.com", "4711", canary} {
		require.NotContains(t, render(t, got), secret)
	}
}
