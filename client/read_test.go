package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

const anID = "0190163d-8694-739b-aea5-966c26f8ad91"

// storedText is an event as the service renders it.
func storedText(sequence int) string {
	return fmt.Sprintf(`{"event_id":%q,"session_id":%q,"sequence":%d,"category":"page","name":"view",
		"data":{"n":12345678901234567890.10},"timestamp":"2026-01-02T03:04:05.678901Z","received_at":"2026-01-02T03:04:06.000001Z",
		"application":"shop","event_type_version":2,"violations":[{"pointer":"/data/n","code":"schema_violation","detail":"too large"}]}`,
		anID, anID, sequence)
}

// serveJSON answers each request with a document, which may depend on the query, and records
// what was asked.
func serveJSON(asked *[]string, answer func(query url.Values) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
		_, _ = w.Write([]byte(answer(r.URL.Query())))
	})
}

// threePages answers with three pages of two events.
func threePages(query url.Values) string {
	page, _ := strconv.Atoi(query.Get("cursor")) // the first has none
	cursor := "null"
	if page < 2 {
		cursor = fmt.Sprintf(`"%d"`, page+1)
	}

	return fmt.Sprintf(`{"events":[%s,%s],"next_cursor":%s}`, storedText(2*page+1), storedText(2*page+2), cursor)
}

func TestListsReadPageAfterPage(t *testing.T) {
	t.Parallel()
	var asked []string
	c := dialDirect(t, serveJSON(&asked, threePages))
	at := time.Date(2026, 1, 1, 1, 0, 0, 1000, time.FixedZone("east", 3600))
	list := c.Events(t.Context(), client.EventFilter{
		SessionID: anID, Category: "a b", Name: "n", Application: "shop", From: at, To: at.Add(time.Hour),
		Data: map[string]string{"user.id": "8612"}, Order: client.OldestFirst, PageSize: 2,
	})
	for range 2 { // each loop begins at the beginning
		asked = nil
		var sequences []int64
		for event, err := range list {
			check(t, err == nil, "%v", err)
			sequences = append(sequences, event.Sequence)
		}

		check(t, slices.Equal(sequences, []int64{1, 2, 3, 4, 5, 6}), "%v", sequences)
		const first = "GET /v1/events?application=shop&category=a+b&data.user.id=8612&from=2026-01-01T00%3A00%3A00.000001Z&limit=2" +
			"&name=n&order=asc&session_id=" + anID + "&to=2026-01-01T01%3A00%3A00.000001Z"
		check(t, asked[0] == first, "%s", asked[0])
		check(t, len(asked) == 3, "%v", asked)
	}

	asked = nil
	for _, err := range list {
		check(t, err == nil, "%v", err)
		break
	}

	check(t, len(asked) == 1, "a loop that ends asks for no more")
}

func TestEventsAreReadToTheLastDigit(t *testing.T) {
	t.Parallel()
	var asked []string
	c := dialDirect(t, serveJSON(&asked, func(url.Values) string { return storedText(3) }))
	event, err := c.Event(t.Context(), anID)
	check(t, err == nil, "%v", err)
	check(t, string(event.Data) == `{"n":12345678901234567890.10}`, "%s", event.Data)
	check(t, event.Timestamp.Equal(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)), "%v", event.Timestamp)
	check(t, event.ReceivedAt.Equal(time.Date(2026, 1, 2, 3, 4, 6, 1000, time.UTC)), "%v", event.ReceivedAt)
	check(t, event.Sequence == 3 && event.Application == "shop" && event.EventTypeVersion == 2, "%+v", event)
	check(t, event.Violations[0].String() == "/data/n: too large", "%+v", event.Violations)
	check(t, asked[0] == "GET /v1/events/"+anID+"?", "%v", asked)
}

// An id becomes a part of the path, and must not lead elsewhere.
func TestIDsThatAreNoneAreNotAskedFor(t *testing.T) {
	t.Parallel()
	c := dialDirect(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked for") }))
	for _, id := range []string{"", "..", "a", anID + "/trace", "0190163d-8694-739b-aea5-966c26f8ad9g", "0190163d-8694-739b-aea5_966c26f8ad91"} {
		_, err := c.Event(t.Context(), id)
		check(t, err != nil, "%q", id)
		_, err = c.Session(t.Context(), id)
		check(t, err != nil, "%q", id)
		_, err = c.Rejection(t.Context(), id)
		check(t, err != nil, "%q", id)
		for _, err := range c.SessionEvents(t.Context(), id, client.EventFilter{}) {
			check(t, err != nil, "%q", id)
		}
	}
}

func TestAnErrorEndsAList(t *testing.T) {
	t.Parallel()
	requests := 0
	c := dialDirect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		if requests == 2 {
			sendProblem(w, http.StatusServiceUnavailable, "unavailable")
			return
		}

		_, _ = w.Write([]byte(threePages(r.URL.Query())))
	}))
	events, failed := 0, 0
	for _, err := range c.Events(t.Context(), client.EventFilter{}) {
		var refusal *client.Error
		if err == nil {
			events++
			continue
		}

		failed++
		check(t, errors.As(err, &refusal) && refusal.Temporary(), "%v", err)
		check(t, !errors.Is(err, client.ErrOutcomeUnknown), "a read has no outcome: %v", err)
	}

	check(t, events == 2 && failed == 1, "%d events, %d errors", events, failed)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	const session = `{"session_id":"` + anID + `","started_at":"2026-01-02T03:04:05.678901Z","last_event_at":null,"event_count":3,"applications":["shop","web"]}`
	var asked []string
	c := dialDirect(t, serveJSON(&asked, func(query url.Values) string {
		if query.Has("limit") {
			return `{"sessions":[` + session + `],"next_cursor":null}`
		}

		return session
	}))
	one, err := c.Session(t.Context(), anID)
	check(t, err == nil && one.EventCount == 3 && one.LastEventAt.IsZero() && len(one.Applications) == 2, "%+v %v", one, err)
	for listed, err := range c.Sessions(t.Context(), client.SessionFilter{Application: "shop"}) {
		check(t, err == nil && listed.SessionID == one.SessionID, "%+v %v", listed, err)
	}

	for event, err := range c.SessionEvents(t.Context(), anID, client.EventFilter{Category: "page"}) {
		t.Error("there is no event in the answer", event, err)
	}

	check(t, slices.Equal(asked, []string{
		"GET /v1/sessions/" + anID + "?",
		"GET /v1/sessions?application=shop&limit=1000",
		"GET /v1/sessions/" + anID + "/events?category=page&limit=1000",
	}), "%v", asked)
}

func TestStatsHaveTheirGroups(t *testing.T) {
	t.Parallel()
	var asked []string
	c := dialDirect(t, serveJSON(&asked, func(url.Values) string {
		return `{"from":"2026-01-01T00:00:00.000000Z","to":null,"buckets":[
			{"start":"2026-01-01T00:00:00.000000Z","category":"page","name":"view","count":9007199254740993}]}`
	}))
	stats, err := c.Stats(t.Context(), client.StatsQuery{GroupBy: []string{"category", "name"}, Interval: client.Hour, Fill: true})
	check(t, err == nil && stats.To.IsZero() && stats.From.Year() == 2026, "%+v %v", stats, err)
	bucket := stats.Buckets[0]
	check(t, bucket.Count == 9007199254740993 && bucket.Start.Equal(stats.From), "%+v", bucket)
	check(t, len(bucket.Group) == 2 && bucket.Group["category"] == "page" && bucket.Group["name"] == "view", "%+v", bucket)
	check(t, asked[0] == "GET /v1/stats?fill=true&group_by=category%2Cname&interval=hour", "%v", asked)
}

func TestRejections(t *testing.T) {
	t.Parallel()
	const rejection = `{"error_id":"` + anID + `","received_at":"2026-01-02T03:04:05.678901Z","application":"shop","request_id":"r","trace_id":null,
		"code":"missing_field","errors":[{"pointer":"/name","code":"missing_field","detail":"name is required"}],"event_id":null,"session_id":null,
		"category":"page","name":null,"timestamp":null,"raw":"{}","raw_size":2,"raw_truncated":false,"raw_withheld":false,"status":"open","event_type_version":null}`
	var asked []string
	c := dialDirect(t, serveJSON(&asked, func(query url.Values) string {
		if query.Has("limit") {
			return `{"not_kept":0,"errors":[` + rejection + `],"next_cursor":null}`
		}

		return rejection
	}))
	one, err := c.Rejection(t.Context(), anID)
	check(t, err == nil && one.Code == "missing_field" && one.Raw == "{}" && one.EventID == "" && one.Timestamp.IsZero(), "%+v %v", one, err)
	for listed, err := range c.Rejections(t.Context(), client.RejectionFilter{Code: "missing_field", Status: "open"}) {
		check(t, err == nil && listed.Violations[0].Pointer == "/name", "%+v %v", listed, err)
	}

	check(t, asked[1] == "GET /v1/errors?code=missing_field&limit=1000&status=open", "%v", asked)
}

// A reader of the changes reads each once, and continues from the cursor that it kept.
func TestChangesAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		c := dialDirect(t, serveJSON(&asked, func(query url.Values) string {
			after, _ := strconv.Atoi(query.Get("after")) // the first has none
			return fmt.Sprintf(`{"events":[%s],"next":"%d","more":%t,"complete_until":null}`, storedText(after+1), after+1, after%3 != 2)
		}))
		var read []int64
		for page, err := range c.Changes(t.Context(), client.ChangesQuery{After: "3", Category: "page"}) {
			check(t, err == nil && page.CompleteUntil.IsZero() && page.Restarted == nil, "%+v %v", page, err)
			read = append(read, page.Events[0].Sequence)
		}

		check(t, slices.Equal(read, []int64{4, 5, 6}), "it ends with the last change: %v", read)
		check(t, asked[0] == "GET /v1/events/changes?after=3&category=page&limit=1000", "%v", asked)

		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()

		pages := 0
		for _, err := range c.Changes(ctx, client.ChangesQuery{Follow: time.Minute}) {
			if err == nil {
				pages++
				continue
			}

			check(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
		}

		check(t, pages == 9, "three pages, a minute, three pages, a minute, three pages: %d", pages)
	})
}

func TestChangesAgainAfterAFailoverSayWhy(t *testing.T) {
	t.Parallel()
	var asked []string
	c := dialDirect(t, serveJSON(&asked, func(url.Values) string {
		return `{"events":[],"next":"1","more":false,"complete_until":"2026-01-02T03:04:05.678901Z","restarted":{"reason":"it failed over"}}`
	}))
	for page, err := range c.Changes(t.Context(), client.ChangesQuery{}) {
		check(t, err == nil && page.Restarted.Reason == "it failed over" && !page.CompleteUntil.IsZero(), "%+v %v", page, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	var asked []string
	c := dialDirect(t, serveJSON(&asked, func(url.Values) string { return `{"body_bytes":1048576,"batch_events":1000,"event_bytes":65536}` }))
	limits, err := c.Limits(t.Context())
	check(t, err == nil && limits.BodyBytes == 1<<20 && limits.BatchEvents == 1000 && limits.EventBytes == 64<<10, "%+v %v", limits, err)
}

// An event that was left in a Buffer can be kept as JSON and sent later, as the same event.
func TestEventsAreTheSameAfterJSON(t *testing.T) {
	t.Parallel()
	before := newEvent("good")
	before.Data = json.RawMessage(`{"n":12345678901234567890.10}`)
	before.Timestamp = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	text, err := json.Marshal(before)
	check(t, err == nil, "%v", err)

	var after client.Event
	check(t, json.Unmarshal(text, &after) == nil, "%s", text)
	again, err := json.Marshal(after)
	check(t, err == nil && string(again) == string(text), "%s, then %s", text, again)
	for _, wrong := range []string{`[]`, `{"timestamp":"soon"}`} {
		check(t, json.Unmarshal([]byte(wrong), &after) != nil, "%s", wrong)
	}
}
