package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

// Route is a line of the route table, for tests that go through all of them.
type Route struct {
	Method string
	Scope  string
	// Paths are the path and its aliases, with parameters as :name.
	Paths []string
	Query []string
}

// Template is the path as OpenAPI writes it.
func (r Route) Template() string {
	steps := strings.Split(r.Paths[0], "/")
	for i, step := range steps {
		if name, ok := strings.CutPrefix(step, ":"); ok {
			steps[i] = "{" + name + "}"
		}
	}

	return strings.Join(steps, "/")
}

// Routes returns the route table.
func Routes() []Route {
	var routes []Route
	for _, r := range (&api{}).routes() {
		routes = append(routes, Route{Method: r.method, Scope: string(r.scope), Paths: r.paths, Query: r.query})
	}

	return routes
}

// OpenAPI returns the document that is served.
func OpenAPI() []byte { return openapi }

// ReadBody reads a request's body as the handlers do.
func ReadBody(limits event.Limits, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	reader := bodyReader{limits: limits, memory: 1 << 30, windows: make(chan struct{}, maxWindows)}
	c, _ := gin.CreateTestContext(w)
	c.Request = r
	return reader.readBody(c)
}

// AppendEvent renders an event as the handlers do.
func AppendEvent(b []byte, e *event.Stored) []byte { return appendEvent(b, e) }

// ReadFilter reads a query string as the list of events does.
func ReadFilter(raw string) (query.EventFilter, error) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/events", http.NoBody)
	c.Request.URL.RawQuery = raw
	for _, r := range Routes() {
		if r.Method == http.MethodGet && r.Paths[0] == "/v1/events" {
			requestStateOf(c).parameters = r.Query
		}
	}

	p := readParameters(c)
	filter := query.EventFilter{
		SessionID: p.readID("session_id"), Category: p.readText("category"), Name: p.readText("name"), Application: p.readText("application"),
	}
	filter.From, filter.To = p.readTimeRange()
	filter.Descending = readDescending(p, true)
	filter.Data = p.readDataFilters()
	p.readLimit()
	return filter, p.toFault()
}
