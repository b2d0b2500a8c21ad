package httpapi

import (
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// requestState is the state of a request and its response. It is passed along as the response's
// writer: gin's context would need a map, and a lock for every access.
type requestState struct {
	gin.ResponseWriter

	// id is the request's id, the client's own if it sent one.
	id string
	// traceID is the W3C trace id, the client's own if it sent one.
	traceID trace.TraceID
	// span is nil unless the request is sampled.
	span trace.Span
	// caller is nil until the request was authorized.
	caller *access.Caller
	// peer is invalid until peerAddress was called.
	peer netip.Addr
	// problemCode is the code of the problem in the response.
	problemCode fault.Code
	// clientGone means that the client closed the connection before the response.
	clientGone bool
	// bodyBytes is the number of bytes of bodies that the request has reserved.
	bodyBytes int64
	// responseBytes is the number of bytes of responses that the request has reserved.
	responseBytes int64
	// parameters names the query parameters of the route.
	parameters []string
	// format is the representation that the client asked for.
	format format
	// precondition is nil unless the client sent one.
	precondition *event.Precondition
	// values holds the values of response headers; each would otherwise be a slice of its own.
	values [10]string
	used   int
}

// requestStateOf returns the state of a request, a new one at the first call.
func requestStateOf(c *gin.Context) *requestState {
	if x, ok := c.Writer.(*requestState); ok {
		return x
	}

	x := &requestState{ResponseWriter: c.Writer}
	c.Writer = x
	return x
}

// usesPublicKey reports whether the request was authorized with a public key.
func (x *requestState) usesPublicKey() bool { return x.caller != nil && x.caller.Public }

// Unwrap lets http.ResponseController reach the wrapped writer.
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
