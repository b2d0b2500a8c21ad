package k6_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// Checks that never fail prove nothing. So here the scripts meet services that
// answer wrongly, and have to notice.

// answering starts a server that gives every request one answer.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body) //nolint:errcheck // the client reads it, or its checks fail
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWrongAnswersFailChecks(t *testing.T) {
	t.Parallel()
	const rejected = `{"event_id":"0190163d-8694-739b-aea5-966c26f8ad91","status":"rejected","errors":[]}`
	for _, c := range []struct {
		name, body string
		status     int
		// failed tells that http_req_failed counts every request.
		failed bool
		// failing are checks of which each script has one.
		failing string
	}{
		{"a defect", `{"status":500,"code":"internal"}`, http.StatusInternalServerError, true, "status is 201"},
		{"a body that is not JSON", `<html>`, http.StatusOK, true, "status is 201"},
		{"JSON that is no object", `null`, http.StatusCreated, false, "positive number"},
		{"a 201 that stored nothing", rejected, http.StatusCreated, false, "verdict is stored"},
		{"a 201 for a batch that stored nothing", `{"stored":0,"duplicates":0,"rejected":20,"results":[` + strings.Repeat(rejected+",", 19) + rejected + `]}`, http.StatusCreated, false, "verdict is stored"},
	} {
		for _, script := range scripts() {
			r := load(t, script, against(answering(t, c.status, c.body), "an ingest key", "a read key"))
			err := r.execute(2, 4)
			if script == "query" || script == "mixed" {
				require.ErrorContains(t, err, "could not be stored", "nobody asks for what is not there")
			} else {
				require.NoError(t, err)
			}
			require.True(t, slices.ContainsFunc(r.failedChecks(), func(name string) bool { return strings.Contains(name, c.failing) }),
				"%s, %s: %q", c.name, script, r.failedChecks())
			require.NotEmpty(t, r.requests)
			require.Equal(t, c.failed, len(r.failedRequests()) == len(r.requests), "%s, %s", c.name, script)
			require.Zero(t, r.counters["events_stored"], "%s, %s", c.name, script)
		}
	}
}

func TestNoAnswerFailsChecks(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	r := load(t, "ingest", against(server.URL, "an ingest key", ""))
	require.NoError(t, r.execute(1, 2))
	require.Len(t, r.failedRequests(), 2)
	require.Contains(t, r.failedChecks(), "ingest: status is 201")
}

// forgetful numbers the events of sessions as the service does, but gives a
// duplicate a sequence that is off by some.
func forgetful(t *testing.T, off int) string {
	t.Helper()
	var mu sync.Mutex
	last, given := map[string]int{}, map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			ID      string `json:"event_id"`
			Session string `json:"session_id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		status, verdict, sequence := http.StatusOK, "duplicate", given[e.ID]+off
		if given[e.ID] == 0 {
			last[e.Session]++
			given[e.ID] = last[e.Session]
			status, verdict, sequence = http.StatusCreated, "stored", last[e.Session]
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"event_id":%q,"status":%q,"sequence":%d}`, e.ID, verdict, sequence) //nolint:errcheck // the client reads it, or its checks fail
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestADuplicateWithAnotherSequenceIsNoticed(t *testing.T) {
	t.Parallel()
	for off, want := range map[int][]string{0: nil, 1: {"resend: sequence is the one of the first time"}} {
		r := load(t, "soak", against(forgetful(t, off), "an ingest key", ""))
		require.NoError(t, r.execute(users, iterations))
		require.Equal(t, want, r.failedChecks())
		require.Empty(t, r.failedRequests())
	}
}

// tampering stands before a service and changes what it answers to GET.
func tampering(t *testing.T, service *apptest.Service, path string, change func(document map[string]any)) string {
	t.Helper()
	target, err := url.Parse(service.URL)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method != http.MethodGet || !strings.HasPrefix(r.Request.URL.Path, path) {
				return nil
			}
			var document map[string]any
			if err := json.NewDecoder(r.Body).Decode(&document); err != nil {
				return err
			}
			change(document)
			changed, err := json.Marshal(document)
			if err != nil {
				return err
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
			r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// in changes the items of a page that has at least two.
func in(member string, change func(items []any) []any) func(map[string]any) {
	return func(document map[string]any) {
		if items, ok := document[member].([]any); ok && len(items) > 1 {
			document[member] = change(items)
		}
	}
}

func TestWrongPagesAreNoticed(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	set := func(name string, value any) func([]any) []any {
		return func(items []any) []any {
			if item, ok := items[1].(map[string]any); ok {
				item[name] = value
			}
			return items
		}
	}
	swap := func(items []any) []any {
		items[0], items[len(items)-1] = items[len(items)-1], items[0]
		return items
	}
	repeat := func(items []any) []any { return append(items[:len(items)-1:len(items)-1], items[0]) }
	for _, c := range []struct {
		path, failing string
		change        func(map[string]any)
	}{
		{"/v1/sessions/", "timeline: every event of the session, in its order", in("events", func(items []any) []any { return items[1:] })},
		{"/v1/sessions/", "timeline: every event of the session, in its order", in("events", swap)},
		{"/v1/sessions/", "timeline: sequences are 1, 2, 3, ...", in("events", set("sequence", 99))},
		{"/v1/sessions/", "session: it has as many events as were sent", func(d map[string]any) { d["event_count"] = 0 }},
		{"/v1/sessions/", "session: it is the one that was asked for", func(d map[string]any) { d["session_id"] = "0190163d-8694-739b-aea5-966c26f8ad92" }},
		{"/v1/events", "pages: timestamps go down", in("events", swap)},
		{"/v1/events", "pages: no event comes twice", in("events", repeat)},
		{"/v1/events", "pages: every event is of the category", in("events", set("category", "another"))},
		{"/v1/events", "pages: every event is within the range", in("events", set("timestamp", "2021-01-01T00:00:00.000000Z"))},
		{"/v1/events", "pages: a page that another follows is full", func(d map[string]any) { d["next_cursor"] = 7 }},
		{"/v1/events", "pages: there are events", func(d map[string]any) { d["events"], d["next_cursor"] = []any{}, nil }},
		{"/v1/events/", "event: it is the one that was asked for", func(d map[string]any) { d["session_id"] = "0190163d-8694-739b-aea5-966c26f8ad92" }},
		{"/v1/events/", "event: it has the sequence it was stored with", func(d map[string]any) { d["sequence"] = 99 }},
		{"/v1/sessions", "sessions: every session began within the range", in("sessions", set("started_at", "2021-01-01T00:00:00.000000Z"))},
		{"/v1/sessions", "sessions: no session comes twice", in("sessions", repeat)},
		{"/v1/sessions", "sessions: all of them are found", in("sessions", repeat)},
	} {
		env := against(tampering(t, service, c.path, c.change), service.Ingest, service.Read)
		env["PAGE"], env["PAGES"] = "200", "30"
		r := load(t, "query", env)
		require.NoError(t, r.execute(1, 8))
		require.Contains(t, r.failedChecks(), c.failing)
	}
}
