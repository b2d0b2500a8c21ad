package httpapi

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// collectPath is the way in for browsers. Its key is in the query string, and its body may be
// text/plain: such a request needs no preflight (Fetch standard), which would not survive the
// closing of a page.
const collectPath = "/v1/collect"

// collectExposedHeaders are the headers of its responses that scripts can read.
const collectExposedHeaders = "Retry-After, Date, X-Request-Id"

// collectScope marks the route that needs a public key.
const collectScope access.Scope = "collect"

// requirePublicKey admits a request only with a public key, and from an origin that may use it.
func (a *api) requirePublicKey(c *gin.Context) {
	caller, err := a.authenticatePublicKey(c)
	if err != nil {
		if f, ok := fault.As(err); ok && f.Kind == fault.Unauthenticated {
			c.Header("WWW-Authenticate", `Bearer realm="the-eye"`) // RFC 9110 demands one with 401
		}

		a.sendProblem(c, a.limitFailures(c, err))
		return
	}

	requestStateOf(c).caller = caller
	if origin := c.GetHeader("Origin"); !caller.MayCollectFrom(origin) {
		a.sendProblem(c, originFault(origin))
	}
}

func originFault(origin string) error {
	if origin == "" {
		return fault.New(fault.Forbidden, fault.CodeOriginNotAllowed,
			"the request has no Origin header, so it is not from a page; a public key for apps is created with any_origin, and servers send to /v1/events with a key of their own")
	}

	return fault.New(fault.Forbidden, fault.CodeOriginNotAllowed,
		"pages of this origin may not use the key; add the origin to the allowed_origins of the key's application")
}

func (a *api) authenticatePublicKey(c *gin.Context) (*access.Caller, error) {
	key, _ := c.GetQuery("key")
	if !access.IsPublicKey(key) {
		return nil, fault.New(fault.Unauthenticated, fault.CodeUnauthorized,
			"send a public key (eyp_…) as the parameter key; a key that begins with eye_ is secret and must not be in a URL")
	}

	return a.KeyCache.Authenticate(key)
}

// extractTrace reads the trace context of a request. Everybody can send to collectPath, so no
// request to it decides that spans are recorded: its trace id is stored with its events, and no more.
func (a *api) extractTrace(ctx context.Context, r *http.Request) context.Context {
	ctx = a.Propagator.Extract(ctx, carrierOf(r))
	if r.URL.Path != collectPath {
		return ctx
	}

	parent := trace.SpanContextFromContext(ctx)
	return trace.ContextWithRemoteSpanContext(ctx, parent.WithTraceFlags(parent.TraceFlags().WithSampled(false)))
}

// carrierOf returns where the request carries its trace context: its headers, or on collectPath
// also the parameter traceparent, because a header would need a preflight.
func carrierOf(r *http.Request) propagation.TextMapCarrier {
	const field = "traceparent"
	if r.URL.Path == collectPath && r.Header.Get(field) == "" {
		return propagation.MapCarrier{field: r.URL.Query().Get(field)}
	}

	return propagation.HeaderCarrier(r.Header)
}

// allowEveryOrigin lets any page read the response: a page whose origin is not allowed has to
// learn that, and a public key gives nothing else to read.
func allowEveryOrigin(header http.Header, origin string) {
	header.Set(allowOriginHeader, origin)
	header.Set(exposeHeadersHeader, collectExposedHeaders)
}

// readMediaType reads Content-Type. That of a public key's requests does not have to say which of
// the formats the body has, because text/plain is all that a page can send without a preflight.
func readMediaType(c *gin.Context) (mediaType, error) {
	header := c.GetHeader("Content-Type")
	if !callerOf(c).Public {
		return mediaTypeOf(header)
	}

	if kind, _ := utf8MediaType(header); header == "" || kind == "text/plain" {
		return textBody, nil
	}

	_, err := mediaTypeOf(header)
	return textBody, err
}

// checkPublicRate counts events against the limit of a public key for the request's address.
func (a *api) checkPublicRate(c *gin.Context, events int) error {
	caller := callerOf(c)
	if !caller.Public {
		return nil
	}

	peer := a.peerAddress(c)
	wait, ok := a.PublicLimiter.Allow(caller, peer, events)
	if ok {
		return nil
	}

	quota, window, remaining := a.PublicLimiter.DescribeLimit(caller, peer)
	return a.rateLimitFault(c, rateLimit{quota, window, remaining}, wait,
		"this address sends more events a second than the public key allows; send the request again later")
}

// hideConflicts turns conflicts into rejections: a reader of a public key in a page must not
// learn what others stored.
func hideConflicts(caller *access.Caller, verdicts []ingest.Verdict) {
	for i := range verdicts {
		if caller.Public && verdicts[i].Status == ingest.Conflict {
			verdicts[i].Status = ingest.Rejected
		}
	}
}
