//go:build browser

package browsertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const collectPath = "/v1/collect"

// disturbance is what a front does to the requests of browsers. The driver sends it as JSON.
type disturbance struct {
	// Kind is "" for none, "cut" to close the connection and forward nothing, "lose" to forward
	// the request and close the connection instead of answering, "refuse" to answer Status and
	// forward nothing, or "lie" to forward the request and still answer Status.
	Kind       string `json:"kind"`
	Status     int    `json:"status"`
	RetryAfter string `json:"retry_after"`
	// Delay is the time in milliseconds that a request needs to the service, and its answer back.
	Delay int `json:"delay"`
	// Times is the number of requests that are disturbed; 0 means all.
	Times int `json:"times"`
}

// sentEvent is an event as a browser sent it.
type sentEvent struct {
	EventID   string          `json:"event_id"`
	SessionID string          `json:"session_id"`
	Category  string          `json:"category"`
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data"`
	Timestamp string          `json:"timestamp"`
}

// sentRequest is a request of a browser.
type sentRequest struct {
	At        time.Time
	Bytes     int
	Origin    string
	Type      string
	Query     url.Values
	Events    []sentEvent
	Disturbed bool
}

// front stands between browsers and a service. It disturbs requests to store events, and records
// them. It is safe for concurrent use.
type front struct {
	*httptest.Server

	backend *url.URL
	// process is the service if it may be killed.
	process *process

	mu          sync.Mutex
	disturbance disturbance
	requests    []sentRequest
}

// startFront starts a front until the test ends.
func startFront(t testing.TB, backend string) *front {
	t.Helper()
	target, err := url.Parse(backend)
	require.NoError(t, err)

	f := &front{backend: target}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)

	return f
}

// ServeHTTP serves browsers, and the driver under /control/.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/control/disturb":
		f.readDisturbance(w, r)
	case "/control/requests":
		json.NewEncoder(w).Encode(f.sent()) //nolint:errcheck,errchkjson // the driver is gone
	case "/control/kill-service", "/control/start-service":
		f.process.serveControl(w, r)
	case collectPath:
		f.serveCollect(w, r)
	default:
		f.forward(w, r)
	}
}

func (f *front) readDisturbance(w http.ResponseWriter, r *http.Request) {
	var wanted disturbance
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	f.disturb(wanted)
}

// disturb replaces the present disturbance.
func (f *front) disturb(wanted disturbance) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.disturbance = wanted
}

// sent returns the requests so far.
func (f *front) sent() []sentRequest {
	f.mu.Lock()
	defer f.mu.Unlock()

	return slices.Clone(f.requests)
}

// sentEvents returns all events of all requests so far, one sent twice also twice.
func (f *front) sentEvents() []sentEvent {
	var all []sentEvent
	for _, request := range f.sent() {
		all = append(all, request.Events...)
	}

	return all
}

func (f *front) serveCollect(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the browser is gone
	}

	r.Body = io.NopCloser(bytes.NewReader(body))
	d := f.record(r, body)
	delay := time.Duration(d.Delay) * time.Millisecond
	// A network delivers what was sent, also when its sender is gone.
	<-time.After(delay)

	switch d.Kind {
	case "cut":
		cutConnection(w)
	case "lose":
		f.forward(httptest.NewRecorder(), r)
		cutConnection(w)
	case "refuse":
		answerProblem(w, r, d)
	case "lie":
		f.forward(httptest.NewRecorder(), r)
		answerProblem(w, r, d)
	default:
		answer := httptest.NewRecorder()
		f.forward(answer, r)
		<-time.After(delay)
		copyAnswer(w, answer)
	}
}

// record records a request, and returns how it is disturbed.
func (f *front) record(r *http.Request, body []byte) disturbance {
	request := sentRequest{
		At:     time.Now(),
		Bytes:  len(body),
		Origin: r.Header.Get("Origin"),
		Type:   r.Header.Get("Content-Type"),
		Query:  r.URL.Query(),
	}
	// A body that is not JSON has no events, which a test finds.
	_ = json.Unmarshal(body, &request.Events)

	f.mu.Lock()
	defer f.mu.Unlock()

	d := f.disturbance
	if d.Times > 0 {
		f.disturbance.Times--
		if f.disturbance.Times == 0 {
			f.disturbance.Kind = ""
		}
	}

	request.Disturbed = d.Kind != ""
	f.requests = append(f.requests, request)

	return d
}

// noService is the status by which forward says that the service cannot be reached.
const noService = http.StatusTeapot

func (f *front) forward(w http.ResponseWriter, r *http.Request) {
	proxy := httputil.ReverseProxy{
		Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(f.backend) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(noService) },
	}
	// The service gets the request also when the browser is gone.
	proxy.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
}

// copyAnswer passes on an answer of the service. If there is none, the connection is closed.
func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	if answer.Code == noService {
		cutConnection(w)
		return
	}

	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes()) //nolint:errcheck // the browser is gone
}

// cutConnection resets the connection of a request.
func cutConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}

	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // an orderly close does as well
	}

	conn.Close() //nolint:errcheck // nothing is pending on it
}

// answerProblem answers as the service does when it takes no events.
func answerProblem(w http.ResponseWriter, r *http.Request, d disturbance) {
	w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After, Date, X-Request-Id")
	w.Header().Set("Vary", "Origin")
	if d.RetryAfter != "" {
		w.Header().Set("Retry-After", d.RetryAfter)
	}

	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(d.Status)
	io.WriteString(w, `{"code":"unavailable"}`) //nolint:errcheck // the browser is gone
}
