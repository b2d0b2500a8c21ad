package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

func statusesOf(result client.Result) (statuses []client.Status) {
	for _, v := range result.Verdicts {
		statuses = append(statuses, v.Status)
	}

	return statuses
}

// One event and a batch have different answers, and the same verdicts.
func TestEachEventHasItsVerdict(t *testing.T) {
	t.Parallel()
	c := dial(t, newService())
	good, bad, changed := newEvent("good"), newEvent("bad"), client.Event{}
	for _, step := range []struct {
		name   string
		events func() []client.Event
		want   []client.Status
	}{
		{"stored", func() []client.Event { return []client.Event{good} }, []client.Status{client.Stored}},
		{"again", func() []client.Event { return []client.Event{good} }, []client.Status{client.Duplicate}},
		{"another content", func() []client.Event { return []client.Event{changed} }, []client.Status{client.Conflict}},
		{"not valid", func() []client.Event { return []client.Event{bad} }, []client.Status{client.Rejected}},
		{
			"a mixed batch", func() []client.Event { return []client.Event{bad, newEvent("good"), changed, good} },
			[]client.Status{client.Rejected, client.Stored, client.Conflict, client.Duplicate},
		},
		{"a bad batch", func() []client.Event { return []client.Event{bad, changed} }, []client.Status{client.Rejected, client.Conflict}},
		{"a good batch", func() []client.Event { return []client.Event{good, newEvent("good")} }, []client.Status{client.Duplicate, client.Stored}},
		{"nothing", func() []client.Event { return nil }, nil},
	} {
		good.Timestamp = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		changed = good
		changed.Name = "other"
		events := step.events()
		result, err := c.Send(t.Context(), events)
		check(t, err == nil, "%s: %v", step.name, err)
		check(t, slices.Equal(statusesOf(result), step.want), "%s: %v", step.name, statusesOf(result))
		check(t, result.Stored+result.Duplicates+result.Conflicts+result.Rejected == len(events), "%s: %+v", step.name, result)
		for i, v := range result.Verdicts {
			check(t, v.EventID == events[i].EventID, "%s: the verdict is on another event", step.name)
			check(t, v.Durable() == (v.Sequence > 0), "%s: %+v", step.name, v)
			check(t, v.Durable() == (len(v.Violations) == 0), "%s: %+v", step.name, v)
			check(t, (v.Status == client.Rejected) == (v.ErrorID != ""), "%s: %+v", step.name, v)
		}
	}
}

// A caller who sends the same slice again after a lost answer stores nothing twice.
func TestSendingAgainAfterALostAnswerIsSafe(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]fault{"no answer": loseAnswer, "half an answer": tearAnswer} {
		s := newService(lose)
		c := dial(t, s)
		events := []client.Event{newEvent("good"), {SessionID: client.NewID(), Category: "test", Name: "good"}}
		_, err := c.Send(t.Context(), events)
		check(t, errors.Is(err, client.ErrOutcomeUnknown), "%s: %v", name, err)
		check(t, events[1].EventID != "" && !events[1].Timestamp.IsZero(), "%s: the event has no id and time: %+v", name, events[1])

		result, err := c.Send(t.Context(), events)
		check(t, err == nil && result.Duplicates == 2, "%s: %+v %v", name, result, err)
		check(t, len(s.storedIDs()) == 2, "%s: stored twice", name)
	}
}

func TestWhatWasNotSentIsKnown(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err == nil, "%v", err)
	check(t, listener.Close() == nil, "the port is free again")

	_, err = newClient(t, "http://"+listener.Addr().String()).Send(t.Context(), []client.Event{newEvent("good")})
	check(t, err != nil && !errors.Is(err, client.ErrOutcomeUnknown), "%v", err)
	check(t, strings.Contains(err.Error(), "nothing was sent"), "%v", err)
}

func TestTheContextEndsSend(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := dial(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client left
		cancel()
		<-r.Context().Done()
	}))
	_, err := c.Send(ctx, []client.Event{newEvent("good")})
	check(t, errors.Is(err, context.Canceled) && errors.Is(err, client.ErrOutcomeUnknown), "%v", err)
}

// Whatever answers 200 in the place of the service, such as the login page of a network, is
// never taken for a promise.
func TestAnswersWithoutVerdictsPromiseNothing(t *testing.T) {
	t.Parallel()
	events := []client.Event{newEvent("good"), newEvent("good")}
	verdict := func(id, status string) string { return fmt.Sprintf(`{"event_id":%q,"status":%q}`, id, status) }
	one, two := verdict(events[0].EventID, "stored"), verdict(events[1].EventID, "stored")
	for name, body := range map[string]string{
		"a page":             "<html>welcome</html>",
		"nothing":            "",
		"another document":   `{"ok": true}`,
		"too few":            `{"results":[` + one + `]}`,
		"too many":           `{"results":[` + one + "," + two + "," + two + `]}`,
		"others":             `{"results":[` + two + "," + one + `]}`,
		"a new kind":         `{"results":[` + one + "," + verdict(events[1].EventID, "postponed") + `]}`,
		"no kind":            `{"results":[{},{}]}`,
		"one in an envelope": one,
	} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		result, err := c.Send(t.Context(), events)
		check(t, errors.Is(err, client.ErrOutcomeUnknown) && len(result.Verdicts) == 0, "%s: %+v %v", name, result, err)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		code      string
		is        error
		temporary bool
	}{
		{http.StatusAccepted, "", client.ErrOutcomeUnknown, false}, // a queue before the service has them
		{http.StatusBadRequest, "invalid_json", nil, false},
		{http.StatusUnauthorized, "unauthorized", client.ErrUnauthorized, false},
		{http.StatusForbidden, "forbidden", client.ErrForbidden, false},
		{http.StatusNotFound, "not_found", client.ErrNotFound, false},
		{http.StatusRequestTimeout, "request_timeout", client.ErrOutcomeUnknown, true},
		{http.StatusRequestEntityTooLarge, "batch_too_large", client.ErrTooLarge, false},
		{http.StatusTooManyRequests, "rate_limited", nil, true},
		{http.StatusInternalServerError, "internal", client.ErrOutcomeUnknown, true},
		{http.StatusServiceUnavailable, "overloaded", client.ErrOutcomeUnknown, true},
	} {
		answering := dial(t, newService(refuse(c.status, c.code, "Retry-After", "7")))
		_, err := answering.Send(t.Context(), []client.Event{newEvent("good")})
		var refusal *client.Error
		check(t, errors.As(err, &refusal), "%d: %v", c.status, err)
		check(t, refusal.Status == c.status && refusal.Code == c.code, "%+v", refusal)
		check(t, refusal.Temporary() == c.temporary, "%d: temporary is %t", c.status, refusal.Temporary())
		check(t, refusal.RequestID == "request-1" && refusal.RetryAfter == 7*time.Second, "%+v", refusal)
		check(t, strings.Contains(err.Error(), c.code) && strings.Contains(err.Error(), "request-1"), "%v", err)
		for _, known := range []error{
			client.ErrUnauthorized, client.ErrForbidden, client.ErrNotFound, client.ErrTooLarge, client.ErrOutcomeUnknown,
		} {
			wanted := c.is != nil && errors.Is(known, c.is)
			check(t, errors.Is(err, known) == wanted, "%d matches %v: %t", c.status, known, !wanted)
		}
	}
}

// A proxy's answer is not a problem of the service, and its time to wait may be a date.
func TestAnswersOfProxiesAreErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"Thu, 01 Jan 2026 00:01:30 GMT": 90 * time.Second, "Wed, 31 Dec 2025 23:00:00 GMT": 0, "soon": 0, "-3": 0, "": 0,
	} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
			w.Header().Set("Retry-After", text)
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>502</html>"))
		}))
		_, err := c.Send(t.Context(), []client.Event{newEvent("good")})
		var refusal *client.Error
		check(t, errors.As(err, &refusal) && refusal.Status == http.StatusBadGateway && refusal.Code == "", "%v", err)
		check(t, refusal.RetryAfter == want, "%q is %v", text, refusal.RetryAfter)
		check(t, strings.Contains(err.Error(), "Bad Gateway"), "%v", err)
	}
}

// A redirect turns a POST into a GET, and would carry the key to another place.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	c := dial(t, http.RedirectHandler(elsewhere.URL, http.StatusMovedPermanently))
	_, err := c.Send(t.Context(), []client.Event{newEvent("good")})
	check(t, err != nil && strings.Contains(err.Error(), elsewhere.URL), "%v", err)
}

func TestDataIsSentAsItIs(t *testing.T) {
	t.Parallel()
	var got sentEvent
	c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&got)
		sendProblem(w, http.StatusServiceUnavailable, "overloaded")
	}))
	var noMap map[string]any
	for _, c2 := range []struct {
		data any
		want string
	}{
		{nil, `{}`},
		{noMap, `{}`},
		{json.RawMessage(`{"n": 12345678901234567890.10, "e":1e400}`), `{"n":12345678901234567890.10,"e":1e400}`},
		{struct {
			A string `json:"a"`
		}{"<b> & ü"}, `{"a":"<b> & ü"}`},
	} {
		e := newEvent("good")
		e.Data = c2.data
		e.Timestamp = time.Date(2026, 1, 2, 3, 4, 5, 678901999, time.FixedZone("east", 3600))
		_, err := c.Send(t.Context(), []client.Event{e})
		check(t, err != nil, "the service answers 503")
		check(t, string(got.Data) == c2.want, "%s", got.Data)
		check(t, got.Timestamp == "2026-01-02T02:04:05.678901Z", "%s", got.Timestamp)
	}

	for _, wrong := range []any{math.NaN(), make(chan int), json.RawMessage(`{"a":`), json.RawMessage("{\"a\":\"\xff\"}")} {
		_, err := c.Send(t.Context(), []client.Event{{SessionID: client.NewID(), Data: wrong}})
		var refusal *client.Error
		check(t, err != nil && !errors.As(err, &refusal) && !errors.Is(err, client.ErrOutcomeUnknown), "%v: %v", wrong, err)
	}

	_, err := c.Send(t.Context(), []client.Event{{SessionID: client.NewID(), Timestamp: time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)}})
	check(t, err != nil && strings.Contains(err.Error(), "20000"), "%v", err)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"", key},
		{"eye.example.com", key},
		{"ftp://eye.example.com", key},
		{"https://", key},
		{"https://user:password@eye.example.com", key},
		{"https://eye.example.com?x=1", key},
		{"https://eye.example.com/v1/events", key},
		{"https://eye.example.com", ""},
		{"https://eye.example.com", "eye_test\n"},
		{"https://eye.example.com", "Bearer eye_test"},
	} {
		_, err := client.New(c[0], c[1])
		check(t, err != nil, "%q %q", c[0], c[1])
		check(t, !strings.Contains(err.Error(), "password") && !strings.Contains(err.Error(), "eye_test"), "a secret is in the error: %v", err)
	}

	_, err := client.New("https://eye.example.com", key, client.WithHTTPClient(nil))
	check(t, err != nil, "a nil HTTP client")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	var path, agent string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		agent = r.UserAgent()
	}))
	t.Cleanup(server.Close)
	c := newClient(t, server.URL+"/eye/", client.WithUserAgent("shop/1.2"))
	_, err := c.Send(t.Context(), []client.Event{newEvent("good")})
	check(t, errors.Is(err, client.ErrOutcomeUnknown), "%v", err)
	check(t, path == "/eye/v1/events" && agent == "shop/1.2", "%s %s", path, agent)
}

// Ids made one after the other lie close together, and no two are the same.
func TestIDsAreOrderedByTime(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	before := time.Now().UnixMilli()
	for range 10_000 {
		id := client.NewID()
		check(t, len(id) == 36 && id[14] == '7' && slices.Contains([]byte("89ab"), id[19]), "%s", id)
		check(t, !seen[id], "%s was made twice", id)
		seen[id] = true

		var millis int64
		_, err := fmt.Sscanf(strings.ReplaceAll(id[:13], "-", ""), "%x", &millis)
		check(t, err == nil && millis >= before && millis <= time.Now().UnixMilli(), "%s is not of now", id)
	}
}
