package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/fault"
)

const problemType = "application/problem+json"

// problem is an RFC 9457 problem document with the extension members of this API.
type problem struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Code      fault.Code        `json:"code"`
	Detail    string            `json:"detail,omitempty"`
	Errors    []fault.Violation `json:"errors,omitempty"`
	RequestID string            `json:"request_id"`
	TraceID   string            `json:"trace_id"`
	verdictProblem
	*batchProblem
}

// httpStatus is the form of a kind of fault in HTTP.
type httpStatus struct {
	status int
	title  string
}

// httpStatusOf is the only table from kinds to HTTP.
func httpStatusOf(kind fault.Kind) httpStatus {
	switch kind {
	case fault.Invalid:
		return httpStatus{http.StatusBadRequest, "The request is not valid"}
	case fault.Unauthenticated:
		return httpStatus{http.StatusUnauthorized, "A valid key is needed"}
	case fault.Forbidden:
		return httpStatus{http.StatusForbidden, "The key may not do this"}
	case fault.NotFound:
		return httpStatus{http.StatusNotFound, "Not found"}
	case fault.MethodNotAllowed:
		return httpStatus{http.StatusMethodNotAllowed, "The method is not allowed here"}
	case fault.NotAcceptable:
		return httpStatus{http.StatusNotAcceptable, "No acceptable representation"}
	case fault.SlowRequest:
		return httpStatus{http.StatusRequestTimeout, "The request took too long to arrive"}
	case fault.Conflict:
		return httpStatus{http.StatusConflict, "The request contradicts what is stored"}
	case fault.PreconditionFailed:
		return httpStatus{http.StatusPreconditionFailed, "The precondition failed"}
	case fault.TooLarge:
		return httpStatus{http.StatusRequestEntityTooLarge, "The request is too large"}
	case fault.Unsupported:
		return httpStatus{http.StatusUnsupportedMediaType, "The body's type is not supported"}
	case fault.HTTPVersion:
		return httpStatus{http.StatusHTTPVersionNotSupported, "The version of HTTP is not supported"}
	case fault.Throttled:
		return httpStatus{http.StatusTooManyRequests, "The application sends more than it may"}
	case fault.Unavailable:
		return httpStatus{http.StatusServiceUnavailable, "The service cannot do this now"}
	case fault.Internal:
	}

	return httpStatus{http.StatusInternalServerError, "Something went wrong on our side"}
}

// problemTitle is more exact than the title of the kind for the most frequent codes.
func problemTitle(f *fault.Error) string {
	switch f.Code {
	case fault.CodeInvalidEvent:
		return "The event is not valid"
	case fault.CodeBatchRejected:
		return "No event of the batch was stored"
	case fault.CodeTooManyFailures:
		return "Too many requests without a valid key"
	case fault.CodeEventIDConflict:
		return "Another event has this id"
	}

	return httpStatusOf(f.Kind).title
}

// wholeSeconds rounds a duration up to whole seconds.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// problemURI returns the URI of a code, as RFC 9457 requires.
func problemURI(code fault.Code) string {
	return "https://the-eye.dev/problems/" + strings.ReplaceAll(string(code), "_", "-")
}

// sendProblem answers with a problem and ends the request.
func (a *api) sendProblem(c *gin.Context, err error) {
	a.sendProblemWith(c, err, verdictProblem{}, nil)
}

func (a *api) sendProblemWith(c *gin.Context, err error, verdict verdictProblem, batch *batchProblem) {
	f := a.faultOf(c, err)
	status := httpStatusOf(f.Kind).status
	requestStateOf(c).problemCode = f.Code
	if f.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(wholeSeconds(f.RetryAfter)))
	}

	body, err := json.Marshal(problem{
		Type:           problemURI(f.Code),
		Title:          problemTitle(f),
		Status:         status,
		Code:           f.Code,
		Detail:         f.Detail,
		Errors:         f.Violations,
		RequestID:      requestID(c),
		TraceID:        traceText(requestStateOf(c)),
		verdictProblem: verdict,
		batchProblem:   batch,
	})
	if err != nil {
		a.Logger.Error("a problem could not be rendered", zap.Error(err))
	}

	sendBody(c, status, problemType, body)
	c.Abort()
}

// faultOf finds the fault in an error. An error without a fault is a bug: it is logged here, and
// only here, and the client learns only the request id.
func (a *api) faultOf(c *gin.Context, err error) *fault.Error {
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		requestStateOf(c).clientGone = true
		return fault.NewUnavailable(err, fault.CodeUnavailable, "the client disconnected; if it did not, the outcome is unknown: send the request again", time.Second)
	}

	if f, ok := fault.As(err); ok && f.Kind != fault.Internal {
		if f.Kind == fault.Unavailable {
			a.Logger.Warn("a request could not be served",
				zap.String("request_id", requestID(c)),
				zap.String("trace_id", traceText(requestStateOf(c))),
				zap.String("route", c.FullPath()),
				zap.Error(err))
		}

		return f
	}

	a.Logger.Error("a request failed",
		zap.String("request_id", requestID(c)),
		zap.String("trace_id", traceText(requestStateOf(c))),
		zap.String("route", c.FullPath()),
		zap.Error(err))

	return fault.New(fault.Internal, fault.CodeInternal, "the request failed because of an error in the service; the log has the error under this request_id")
}
