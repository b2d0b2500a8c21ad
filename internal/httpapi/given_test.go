package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// fillEvent repeats an element as often as an event with the given limit can hold it.
func fillEvent(element string, limit int) string {
	const rest = 250 // the other members
	return `{"a":[` + strings.TrimSuffix(strings.Repeat(element+",", (limit-rest)/(len(element)+1)), ",") + `],"pad":""}`
}

// FuzzGivenIsTaken checks the promise that an event as it is read, listed or exported is
// accepted as the same event: in POST as a duplicate, in PUT as no change.
func FuzzGivenIsTaken(f *testing.F) {
	for _, element := range []string{
		`1`, `1e40`, `1e39`, `-1e39`, `1e-39`, `0e-39`, `1.7976931348623157e308`, `5e-324`, `0.1`, `1e308`, `-0`, `12.50`, `0e-400`, `1e2`, `[]`, `{}`, `"\u0001"`, `"é"`, `"\u00e9"`,
		`1234567890123456789012345678901234567890`, `0.0000000000000000000000000000000000000001234567890123456789012345678901234567890`, `9007199254740993e20`,
		`{"a":[1e40,{"b":null}],"":"<&>\u2028"}`, `"\ud83d\ude00\\\"\/"`, `true`, `" "`,
	} {
		f.Add([]byte(element), "page", false, int64(0))
		f.Add([]byte(element), "<é>\"\u2028\t", true, int64(123456789))
	}

	const limit = 2048
	s := apptest.Start(f, map[string]string{"limits.event_bytes": fmt.Sprint(limit)})
	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, element []byte, category string, fill bool, offset int64) {
		data := `{"a":` + string(element) + `}`
		if event.CheckObject([]byte(data), &rules) != nil {
			return
		}

		if fill {
			data = fillEvent(string(element), limit)
		}

		if category == "" {
			category = "page"
		}

		session := newID()
		when := time.UnixMicro(1.6e15 + offset%1e14)
		sent := strings.Replace(newEvent(t, session, "category", category, "timestamp", event.FormatTimestamp(when)), `"data":{}`, `"data":`+data, 1)
		if fill && len(sent) < limit { // to its last byte
			sent = strings.Replace(sent, `"pad":""`, `"pad":"`+strings.Repeat("x", limit-len(sent))+`"`, 1)
		}

		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", sent)
		if answer.Status == http.StatusBadRequest {
			return
		}

		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		requireTakenAgain(t, s, session, at[string](t, answer.JSON(t), "event_id"), sent)
	})
}

// requireTakenAgain reads an event in every way and sends it again in every way.
func requireTakenAgain(t testing.TB, s *apptest.Service, session, id, sent string) {
	t.Helper()
	path := "/v1/events/" + id
	single := s.Do(t, http.MethodGet, path, "")
	tag := single.Header.Get("ETag")
	for way, text := range readEverywhere(t, s, session, id) {
		requireSameJSON(t, string(single.Body), text)
		require.LessOrEqual(t, len(text), 9*len(sent)+1000, "the size of a returned event is bounded by the size of the sent one")
		lines := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", "\ufeff"+text+"\n", "Content-Type", lineType)
		require.Equal(t, http.StatusCreated, lines.Status, "%s: %.300s", way, lines.Body)
		requireCounts(t, lines.JSON(t), 0, 1, 0)
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", text)
		require.Equal(t, http.StatusOK, answer.Status, "%s: %.300s", way, answer.Body)
		require.Equal(t, "duplicate", answer.JSON(t)["status"])
		require.Equal(t, number(1), answer.JSON(t)["sequence"])
		require.Equal(t, "duplicate", s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/validate", text).JSON(t)["status"])
		put := s.Do(t, http.MethodPut, path, text, "If-Match", tag)
		require.Equal(t, http.StatusOK, put.Status, "%s: %.300s", way, put.Body)
		require.Equal(t, tag, put.Header.Get("ETag"))
		require.Equal(t, string(single.Body), string(put.Body))
	}

	patched := s.Do(t, http.MethodPatch, path, `{"name":"patched"}`, "Content-Type", mergePatch)
	require.Equal(t, http.StatusOK, patched.Status, "%.300s", patched.Body)
	requireSameJSON(t, render(t, single.JSON(t)["data"]), render(t, patched.JSON(t)["data"]))
}

// readEverywhere returns the texts of a session's one event in every way in which it can be
// read.
func readEverywhere(t testing.TB, s *apptest.Service, session, id string) map[string]string {
	t.Helper()
	given := map[string]string{}
	get := func(path string, header ...string) string {
		answer := s.Do(t, http.MethodGet, path, "", header...)
		require.Equal(t, http.StatusOK, answer.Status, "%s: %.300s", path, answer.Body)
		return string(answer.Body)
	}
	first := func(page string) string {
		var document struct{ Events []json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(page), &document))
		require.Len(t, document.Events, 1)
		return string(document.Events[0])
	}
	given["alone"] = get("/v1/events/" + id)
	given["in a page"] = first(get("/v1/events?session_id=" + session))
	given["in a timeline"] = first(get("/v1/sessions/" + session + "/events"))
	given["as a line"] = strings.TrimSpace(get("/v1/events?session_id="+session, "Accept", lineType))
	given["as CSV"] = fromCSV(t, get("/v1/events?session_id="+session, "Accept", "text/csv"))
	for line := range strings.Lines(get("/v1/events/changes?category="+url.QueryEscape(categoryOf(t, given["alone"])), "Accept", lineType)) {
		if strings.Contains(line, id) {
			given["as a change"] = strings.TrimSpace(line)
		}
	}

	return given
}

func categoryOf(t testing.TB, text string) string {
	t.Helper()
	var e struct{ Category string }
	require.NoError(t, json.Unmarshal([]byte(text), &e))
	return e.Category
}

// fromCSV makes an event of a record, as a client program would.
func fromCSV(t testing.TB, text string) string {
	t.Helper()
	records := parseCSV(t, text)
	require.Len(t, records, 2)
	members := []string{}
	for i, name := range records[0] {
		value := records[1][i]
		if name != "data" && name != "sequence" {
			quoted, err := json.Marshal(value)
			require.NoError(t, err)
			value = string(quoted)
		}

		members = append(members, fmt.Sprintf("%q:%s", name, value))
	}

	return "{" + strings.Join(members, ",") + "}"
}

// TestNumberBomb sends an event that once was read back as 961 MB.
func TestNumberBomb(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	const events = 15
	session := newID()
	for _, number := range []string{"1e308", "1e-308", "0e-400", "1e39"} {
		one := strings.Replace(newEvent(t, session, "name", number), `"data":{}`, `"data":`+fillEvent(number, 64<<10), 1)
		body := batchOf(strings.TrimSuffix(strings.Repeat(one+",", events), ","))
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", gzipped(t, strings.NewReader(body)), "Content-Encoding", "gzip")
		require.Equal(t, http.StatusCreated, answer.Status, "%.300s", answer.Body)
		for _, media := range []string{lineType, "text/csv"} {
			given := s.Do(t, http.MethodGet, "/v1/events?session_id="+session+"&name="+number, "", "Accept", media)
			require.Less(t, len(given.Body), 9*len(body), "%s as %s", number, media)
		}
	}
}

// TestGivenMembersAreHeldAgainstWhatIsStored changes each member that the service adds.
func TestGivenMembersAreHeldAgainstWhatIsStored(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	observe := s.Do(t, http.MethodPut, "/v1/event-types/page/view", `{"mode":"observe","schema":{"type":"object","required":["x"]}}`)
	require.Less(t, observe.Status, 300, "%s", observe.Body)
	path, tag := postStored(t, s, newEvent(t, newID()))
	given := string(s.Do(t, http.MethodGet, path, "").Body)
	members := mustGet(t, s.Client, path)
	require.Contains(t, members, "violations")
	// Its type has become stricter, which does not concern the stored event.
	enforce := s.Do(t, http.MethodPut, "/v1/event-types/page/view", `{"mode":"enforce","schema":{"type":"object","required":["y"]}}`)
	require.Less(t, enforce.Status, 300, "%s", enforce.Body)
	requireStored(t, s, given)
	require.Equal(t, tag, s.Do(t, http.MethodPut, path, given).Header.Get("ETag"))

	for member, others := range map[string][]any{
		"sequence": {2, "1", nil}, "received_at": {happenedAt, "x", 1, nil}, "application": {"other", 1, nil},
		"event_type_version": {7, "1", nil}, "violations": {[]any{}, nil, "x"},
	} {
		for _, other := range others {
			changed := mustGet(t, s.Client, path)
			changed[member] = other
			want := []string{"/" + member + " read_only_field"}
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", render(t, changed))
			require.Equal(t, want, reasons(t, requireProblem(t, answer, http.StatusBadRequest, "invalid_event")), "%v", other)
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, answer.JSON(t), "error_id"))
			require.Equal(t, "read_only_field", kept["code"])
			answer = s.Do(t, http.MethodPut, path, render(t, changed))
			require.Contains(t, reasons(t, requireProblem(t, answer, http.StatusBadRequest, "invalid_event")), want[0])
			delete(changed, member)
			requireStored(t, s, render(t, changed))
		}
	}

	require.Equal(t, tag, s.Do(t, http.MethodGet, path, "").Header.Get("ETag"), "none of these requests changed it")
}

// requireStored posts an event that is stored, and checks the verdict.
func requireStored(t testing.TB, s *apptest.Service, text string) {
	t.Helper()
	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", text)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Equal(t, "duplicate", answer.JSON(t)["status"])
}

// TestEventsAreNotImported requires that an event of another service, or one that is no longer
// stored, is rejected with the remedy; its neighbours are stored.
func TestEventsAreNotImported(t *testing.T) {
	t.Parallel()
	s, other := apptest.Start(t, nil), apptest.Start(t, nil)
	session := newID()
	path, _ := postStored(t, other, newEvent(t, session))
	given := string(other.Do(t, http.MethodGet, path, "").Body)
	foreign := []string{
		given, newEvent(t, session, "sequence", 1), newEvent(t, session, "application", "shop"), newEvent(t, session, "event_id", newID(), "received_at", happenedAt),
		newEvent(t, session, "violations", []any{}), newEvent(t, session, "event_type_version", 1),
	}
	pointers := []string{"/sequence", "/sequence", "/application", "/received_at", "/violations", "/event_type_version"}
	for i, text := range foreign {
		for _, route := range []string{"/v1/events", "/v1/validate"} {
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, route, batchOf(newEvent(t, session), text))
			document := answer.JSON(t)
			require.Equal(t, "rejected", at[string](t, document, "results", 1, "status"), "%s", answer.Body)
			require.Equal(t, []string{pointers[i] + " import_unsupported"}, reasons(t, at[map[string]any](t, document, "results", 1)))
			require.NotEqual(t, "rejected", at[string](t, document, "results", 0, "status"))
		}

		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events?atomic=true", batchOf(newEvent(t, session), text))
		requireCounts(t, requireProblem(t, answer, http.StatusBadRequest, "batch_rejected"), 0, 0, 1, "not_stored", "rejected")
	}

	require.Equal(t, number(len(foreign)), mustGet(t, s.Client, "/v1/sessions/"+session)["event_count"])

	// An erased event stays erased, and a changed one is in conflict.
	path, _ = postStored(t, s, newEvent(t, session))
	given = string(s.Do(t, http.MethodGet, path, "").Body)
	changed := strings.Replace(given, `"name":"view"`, `"name":"other"`, 1)
	requireProblem(t, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", changed), http.StatusConflict, "event_id_conflict")
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "").Status)
	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", given)
	require.Equal(t, []string{"/event_id event_erased"}, reasons(t, requireProblem(t, answer, http.StatusBadRequest, "invalid_event")))
}

// TestGivenMembersTellNothing requires that a client that does not know the content of an event
// cannot learn the members that the service added.
func TestGivenMembersTellNothing(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	path, _ := postStored(t, s, newEvent(t, newID()))
	id := strings.TrimPrefix(path, "/v1/events/")
	for _, sequence := range []int{1, 2} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, uuid.NewString(), "event_id", id, "sequence", sequence))
		problem := requireProblem(t, answer, http.StatusConflict, "event_id_conflict")
		require.Equal(t, []string{"/event_id event_id_conflict"}, reasons(t, problem))
	}
}
