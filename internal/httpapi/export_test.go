package httpapi

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/event"
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
	reader := bodyReader{limits: limits, memory: 1 << 30}
	c, _ := gin.CreateTestContext(w)
	c.Request = r
	return reader.read(c)
}

// AppendEvent renders an event as the handlers do.
func AppendEvent(b []byte, e *event.Stored) []byte { return appendEvent(b, e) }
