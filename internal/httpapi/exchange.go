package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// exchange is what is known of a request and its response. It travels as the
// response's writer: gin's context would take a map, and a lock for every look at it.
type exchange struct {
	gin.ResponseWriter

	// id is the request's, the client's own if it brought one.
	id string
	// traceID is the W3C trace id, the client's own if it brought one.
	traceID trace.TraceID
	// span is nil unless the request is sampled.
	span trace.Span
	// caller is nil until the request was authorized.
	caller *access.Caller
	// problem is the code of the problem that it was answered with.
	problem fault.Code
	// gone tells that the client closed the connection before the answer.
	gone bool
	// held is how many bytes of bodies are accounted to the request.
	held int64
	// answering is how many bytes of answers are accounted to the request.
	answering int64
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

// exchangeOf returns the exchange of a request, a new one at the first call.
func exchangeOf(c *gin.Context) *exchange {
	if x, ok := c.Writer.(*exchange); ok {
		return x
	}
	x := &exchange{ResponseWriter: c.Writer}
	c.Writer = x
	return x
}

// Unwrap lets http.ResponseController reach what is behind the writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// set sets a header of the response, whose name is in canonical form.
func (x *exchange) set(header http.Header, name, value string) {
	if x.used == len(x.values) {
		header[name] = []string{value}
		return
	}
	x.values[x.used] = value
	x.used++
	header[name] = x.values[x.used-1 : x.used : x.used]
}

func requestID(c *gin.Context) string { return exchangeOf(c).id }

func callerOf(c *gin.Context) *access.Caller { return exchangeOf(c).caller }
