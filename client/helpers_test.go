package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

const key = "eye_test"

// sentEvent is an event as the service sees it.
type sentEvent struct {
	EventID   string          `json:"event_id"`
	SessionID string          `json:"session_id"`
	Category  string          `json:"category"`
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data"`
	Timestamp string          `json:"timestamp"`
}

// fault answers a request in the place of the service. stored says what the service answers
// once it has stored the events, and stores them when it is called.
type fault func(w http.ResponseWriter, stored func() *httptest.ResponseRecorder)

// service stands in for The Eye: it stores events by their ids, and answers like the contract
// says. Events named "bad" are rejected. It is safe for concurrent use.
type service struct {
	mu     sync.Mutex
	stored map[string]string // the content by the id
	order  []string          // the ids in the order of storing
	sizes  []int             // events of each request
	times  []time.Time       // when each request came
	faults []fault           // of the next requests, in their order
	always fault             // of all others
}

func newService(faults ...fault) *service {
	return &service{stored: map[string]string{}, faults: faults}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/events" || r.Header.Get("Authorization") != "Bearer "+key {
		sendProblem(w, http.StatusUnauthorized, "unauthorized")
		return
	}

	var body json.RawMessage
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		sendProblem(w, http.StatusBadRequest, "invalid_json")
		return
	}

	single := body[0] == '{'
	if single {
		body = json.RawMessage("[" + string(body) + "]")
	}

	var events []sentEvent
	_ = json.Unmarshal(body, &events) // it is JSON

	s.mu.Lock()
	s.sizes = append(s.sizes, len(events))
	s.times = append(s.times, time.Now())
	inject := s.always
	if len(s.faults) > 0 {
		inject = s.faults[0]
		s.faults = s.faults[1:]
	}

	s.mu.Unlock()

	store := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		s.store(answer, events, single)
		return answer
	}
	if inject != nil {
		inject(w, store)
		return
	}

	relay(w, store())
}

func relay(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())

	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (s *service) store(w http.ResponseWriter, events []sentEvent, single bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	const stored, duplicate, conflict, rejected = "stored", "duplicate", "conflict", "rejected"
	counts := map[string]int{}
	results := make([]map[string]any, len(events))
	for i, e := range events {
		content := e.SessionID + e.Category + e.Name + string(e.Data) + e.Timestamp
		before, known := s.stored[e.EventID]
		result := map[string]any{"event_id": e.EventID}
		status := stored
		switch {
		case e.Name == "bad":
			status = rejected
			result["error_id"] = "01a20a00-5b1e-7c40-8a70-5c7d4e3f2a1b"
			result["errors"] = []map[string]any{{"pointer": "/name", "code": "invalid_length", "detail": "it is bad"}}
		case known && before == content:
			status = duplicate
			result["sequence"] = 1
		case known:
			status = conflict
			result["errors"] = []map[string]any{{"pointer": "/event_id", "code": "event_id_conflict", "detail": "another event has this id"}}
		default:
			s.stored[e.EventID] = content
			s.order = append(s.order, e.EventID)
			result["sequence"] = len(s.order)
		}

		result["status"] = status
		counts[status]++
		results[i] = result
	}

	good := counts[stored] + counts[duplicate]
	switch {
	case single && counts[stored] == 1:
		sendJSON(w, http.StatusCreated, "application/json", results[0])
	case single && good == 1:
		sendJSON(w, http.StatusOK, "application/json", results[0])
	case single && counts[conflict] == 1:
		sendJSON(w, http.StatusConflict, problemType, asProblem(results[0], http.StatusConflict, "event_id_conflict"))
	case single:
		sendJSON(w, http.StatusBadRequest, problemType, asProblem(results[0], http.StatusBadRequest, "invalid_event"))
	case good == 0:
		sendJSON(w, http.StatusBadRequest, problemType, asProblem(map[string]any{"results": results}, http.StatusBadRequest, "batch_rejected"))
	case good < len(events):
		sendJSON(w, http.StatusMultiStatus, "application/json", map[string]any{"results": results})
	default:
		sendJSON(w, http.StatusCreated, "application/json", map[string]any{"results": results})
	}
}

const problemType = "application/problem+json"

func asProblem(members map[string]any, status int, code string) map[string]any {
	members["status"] = status
	members["code"] = code
	members["detail"] = "see the errors"
	members["request_id"] = "request-1"
	return members
}

func sendJSON(w http.ResponseWriter, status int, contentType string, document any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

func sendProblem(w http.ResponseWriter, status int, code string, header ...string) {
	for i := 0; i+1 < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}

	sendJSON(w, status, problemType, asProblem(map[string]any{}, status, code))
}

// refuse is a fault: a problem, and nothing is stored.
func refuse(status int, code string, header ...string) fault {
	return func(w http.ResponseWriter, _ func() *httptest.ResponseRecorder) {
		sendProblem(w, status, code, header...)
	}
}

// loseAnswer is a fault: the events are stored, and the connection breaks.
func loseAnswer(_ http.ResponseWriter, store func() *httptest.ResponseRecorder) {
	store()
	panic(http.ErrAbortHandler)
}

// tearAnswer is a fault: the events are stored, and half of the answer arrives.
func tearAnswer(w http.ResponseWriter, store func() *httptest.ResponseRecorder) {
	answer := store()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	panic(http.ErrAbortHandler)
}

func (s *service) storedIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]string(nil), s.order...)
}

func (s *service) requestSizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]int(nil), s.sizes...)
}

// requestGaps returns the times between the requests.
func (s *service) requestGaps() (gaps []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for i := 1; i < len(s.times); i++ {
		gaps = append(gaps, s.times[i].Sub(s.times[i-1]))
	}

	return gaps
}

func (s *service) setAlways(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.always = f
}

// dial returns a client of a handler behind a real connection.
func dial(t testing.TB, handler http.Handler) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

func newClient(t testing.TB, url string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, key, options...)
	if err != nil {
		t.Fatal(err)
	}

	return c
}

// direct carries requests to a handler without a network, so that bubbles of testing/synctest
// know when everything waits. A handler that aborts is a broken connection.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (response *http.Response, err error) {
	defer func() {
		if recover() != nil {
			response, err = nil, fmt.Errorf("the connection broke")
		}
	}()

	if err := r.Context().Err(); err != nil {
		return nil, err
	}

	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}

	return recorder.Result(), nil
}

// dialDirect returns a client of a handler without a network.
func dialDirect(t testing.TB, handler http.Handler) *client.Client {
	t.Helper()
	return newClient(t, "http://eye.test", client.WithHTTPClient(&http.Client{Transport: direct{handler}}))
}

func newBuffer(t testing.TB, c *client.Client, config client.BufferConfig) *client.Buffer {
	t.Helper()
	b, err := client.NewBuffer(c, config)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

// enqueue takes events with names into a buffer, and returns their ids.
func enqueue(t testing.TB, b *client.Buffer, names ...string) (ids []string) {
	t.Helper()
	for _, name := range names {
		e := newEvent(name)
		if err := b.Enqueue(e); err != nil {
			t.Fatal(err)
		}

		ids = append(ids, e.EventID)
	}

	return ids
}

// manyNames returns n names of good events.
func manyNames(n int) []string { return strings.Fields(strings.Repeat("good ", n)) }

// closeAll closes a buffer that can send everything.
func closeAll(t testing.TB, b *client.Buffer) {
	t.Helper()
	if left, err := b.Close(context.Background()); err != nil || left.Count != 0 {
		t.Fatalf("left: %d, error: %v", left.Count, err)
	}
}

func newEvent(name string) client.Event {
	return client.Event{
		EventID: client.NewID(), SessionID: "e2085be5-9137-4e4e-80b5-f1ffddc25423",
		Category: "test", Name: name, Data: map[string]any{"n": 1},
	}
}

// check fails the test if a condition does not hold.
func check(t testing.TB, holds bool, format string, arguments ...any) {
	t.Helper()
	if !holds {
		t.Fatalf(format, arguments...)
	}
}
