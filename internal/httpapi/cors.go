package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/access"
)

const (
	allowOriginHeader   = "Access-Control-Allow-Origin"
	exposeHeadersHeader = "Access-Control-Expose-Headers"
	// exposedHeaders are those of responses that scripts of other origins can read. Date is
	// included so that scripts can determine how wrong their clock is.
	exposedHeaders = "Allow, Date, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
	// corsMethods are the methods of all routes.
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// maxRequestedHeaders bounds the number of headers that a preflight allows.
	maxRequestedHeaders = 64
)

// handleCORS lets browsers read the response (Fetch standard). The key is not known yet, and a
// response may be about the key (401, 429), or about a database that is down (503): so every
// origin that some application allows may read it. Once the key is known, hideFromOtherOrigins
// restricts the response to the origins of the key's application.
func (a *api) handleCORS(c *gin.Context) {
	origin := c.GetHeader("Origin")
	if origin == "" {
		return
	}

	header := c.Writer.Header()
	header.Add("Vary", "Origin")
	collects := c.Request.URL.Path == collectPath
	allowed := collects || a.KeyCache.OriginAllowed(origin)
	switch {
	case collects:
		allowEveryOrigin(header, origin)
	case allowed:
		header.Set(allowOriginHeader, origin)
		header.Set(exposeHeadersHeader, exposedHeaders)
	}

	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
		return
	}

	if allowed {
		const twoHours = "7200" // the longest time that browsers accept
		header.Set("Access-Control-Allow-Methods", corsMethods)
		header.Set("Access-Control-Allow-Headers", strings.Join(allowedHeaders(c.GetHeader("Access-Control-Request-Headers")), ", "))
		header.Set("Access-Control-Max-Age", twoHours)
	}

	c.AbortWithStatus(http.StatusNoContent)
}

// allowedHeaders returns the headers that a page may send: those that this API reads or that
// tracing adds by itself, and every other header that the page requests. Unknown headers are
// ignored and cookies are not used, so a refusal would only break pages whose library adds a
// header to all requests.
func allowedHeaders(asked string) []string {
	allowed := []string{
		"Authorization", "Content-Type", "Content-Encoding", "Accept", "Idempotency-Key", "If-Match", "If-None-Match", "X-Request-Id",
		"traceparent", "tracestate", "baggage", "sentry-trace", "b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled",
	}
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.TrimSpace(name)
		known := slices.ContainsFunc(allowed, func(known string) bool { return strings.EqualFold(known, name) })
		if !known && isToken(name) && len(allowed) < maxRequestedHeaders {
			allowed = append(allowed, name)
		}
	}

	return allowed
}

// isToken reports whether a text can be the name of a header, of a usual length.
func isToken(text string) bool {
	const longest = 64
	const punctuation = "!#$%&'*+-.^_`|~"
	if text == "" || len(text) > longest {
		return false
	}

	for i := range len(text) {
		b := text[i]
		letter := b|0x20 >= 'a' && b|0x20 <= 'z'
		digit := b >= '0' && b <= '9'
		if !letter && !digit && strings.IndexByte(punctuation, b) < 0 {
			return false
		}
	}

	return true
}

// hideFromOtherOrigins removes the permission to read the response, unless the application of
// the key allows the origin.
func hideFromOtherOrigins(c *gin.Context, caller *access.Caller) {
	origin := c.GetHeader("Origin")
	if origin == "" || caller.Application.AllowsOrigin(origin) {
		return
	}

	header := c.Writer.Header()
	header.Del(allowOriginHeader)
	header.Del(exposeHeadersHeader)
}
