package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// requestState is what is known of a request and its response. It travels as the
// response's writer: gin's context would take a map, and a lock for every look at it.
type requestState struct {
	gin.ResponseWriter

	// id is the request's, the client's own if it brought one.
	id string
	// traceID is the W3C trace id, the client's own if it brought one.
	traceID trace.TraceID
	// span is nil unless the request is sampled.
	span trace.Span
	// caller is nil until the request was authorized.
	caller *access.Caller
	// problemCode is the code of the problem that it was answered with.
	problemCode fault.Code
	// clientGone tells that the client closed the connection before the answer.
	clientGone bool
	// bodyBytes is how many bytes of bodies are accounted to the request.
	bodyBytes int64
	// responseBytes is how many bytes of answers are accounted to the request.
	responseBytes int64
	// parameters names the query parameters that the route has.
	parameters []string
	// format is how the client wants the answer.
	format format
	// precondition is nil unless the client sent one.
	precondition *event.Precondition
	// values are those of response headers; each of them would be a slice of its own.
	values [10]string
	used   int
}

// requestStateOf returns the exchange of a request, a new one at the first call.
func requestStateOf(c *gin.Context) *requestState {
	if x, ok := c.Writer.(*requestState); ok {
		return x
	}

	x := &requestState{ResponseWriter: c.Writer}
	c.Writer = x
	return x
}

// Unwrap lets http.ResponseController reach what is behind the writer.
func (x *requestState) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// setHeader sets a header of the response, whose name is in canonical form.
func (x *requestState) setHeader(header http.Header, name, value string) {
	if x.used == len(x.values) {
		header[name] = []string{value}
		return
	}

	x.values[x.used] = value
	x.used++
	header[name] = x.values[x.used-1 : x.used : x.used]
}

func requestID(c *gin.Context) string { return requestStateOf(c).id }

func callerOf(c *gin.Context) *access.Caller { return requestStateOf(c).caller }
