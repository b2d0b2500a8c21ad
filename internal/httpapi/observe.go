package httpapi

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// startTrace gives the request its trace id: the client's own (W3C Trace Context, or the formats
// of OTEL_PROPAGATORS), otherwise a new one. If traces are exported it begins the request's
// span; the handlers see the span only if it is sampled, because thousands of others are
// dropped.
func (a *api) startTrace(c *gin.Context, x *requestState, begin time.Time) {
	ctx := c.Request.Context()
	if a.Propagator != nil && a.carriesTrace(c.Request) {
		ctx = a.extractTrace(ctx, c.Request)
	}

	if a.Tracer == nil {
		x.traceID = trace.SpanContextFromContext(ctx).TraceID()
		if !x.traceID.IsValid() {
			x.traceID = a.NewTraceID()
		}

		return
	}

	ctx, span := a.Tracer.Start(ctx, methodOf(c)+" "+routeOf(c), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(begin))
	x.traceID = span.SpanContext().TraceID()
	if !span.IsRecording() {
		return // there is nothing to end
	}

	x.span = span
	c.Request = c.Request.WithContext(ctx)
	span.SetAttributes(
		attribute.String("http.request.method", methodOf(c)), attribute.String("http.route", routeOf(c)),
		attribute.String("url.path", truncateText(c.Request.URL.Path)), attribute.String("url.scheme", "http"),
		attribute.String("theeye.request_id", x.id),
	)
}

// truncateText bounds a text of the client's, and makes it valid UTF-8: one invalid text would
// prevent the export of everything exported together with it.
func truncateText(text string) string {
	const longest = 200
	return strings.ToValidUTF8(text[:min(len(text), longest)], "\uFFFD")
}

// carriesTrace reports whether a request may carry a trace context.
func (a *api) carriesTrace(r *http.Request) bool {
	for _, field := range a.traceFields {
		if _, found := r.Header[field]; found {
			return true
		}
	}

	return r.URL.Path == collectPath
}

// recordRequest measures a request that was answered, ends its span, and writes the line about
// it in the log: for one request of many, and for each that failed because of the service.
func (a *api) recordRequest(c *gin.Context, x *requestState, begin time.Time) {
	took := a.Now().Sub(begin)
	status := c.Writer.Status()
	if x.clientGone {
		status = statusClientClosed
		x.problemCode = ""
	}

	route := routeOf(c)
	method := methodOf(c)
	a.Metrics.recordRequest(c.Request.Context(), requestKey{method, route, status}, took.Seconds(), x.problemCode)
	application := ""
	if x.caller != nil {
		application = x.caller.Application.Name
	}

	if x.span != nil {
		x.span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("theeye.application", application))
		if status >= http.StatusInternalServerError {
			x.span.SetStatus(codes.Error, http.StatusText(status))
		}

		x.span.End()
	}

	if entry := a.Logger.Check(a.accessLevel(status), "request"); entry != nil {
		entry.Write(
			zap.String("request_id", x.id),
			zap.String("trace_id", traceText(x)),
			zap.String("method", method),
			zap.String("route", route),
			zap.Int("status", status),
			zap.Int("bytes", c.Writer.Size()),
			zap.Duration("took", took),
			zap.String("application", application))
	}
}

// statusClientClosed is the status that is measured and logged when a client disconnected before
// its response, as in other servers: it is not a failure of the service, and must not look like
// one.
const statusClientClosed = 499

// accessLevel chooses the level of the line about a request: debug for requests that the
// sampling leaves out.
func (a *api) accessLevel(status int) zapcore.Level {
	switch n := a.requestCount.Add(1); {
	case status >= http.StatusInternalServerError:
		return zapcore.WarnLevel
	case a.AccessEvery > 0 && n%uint64(a.AccessEvery) == 0:
		return zapcore.InfoLevel
	}

	return zapcore.DebugLevel
}

// routeOf returns the pattern of the route; unknown paths would be unlimited in number.
func routeOf(c *gin.Context) string {
	if route := c.FullPath(); route != "" {
		return route
	}

	return "none"
}

// methodOf returns a known method, and "other" for the same reason otherwise.
func methodOf(c *gin.Context) string {
	switch method := c.Request.Method; method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}

	return "other"
}

func traceText(x *requestState) string { return hex.EncodeToString(x.traceID[:]) }
