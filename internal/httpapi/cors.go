package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/access"
)

const (
	allowOriginHeader = "Access-Control-Allow-Origin"
	// exposedHeaders are those of answers that scripts of other origins can read. Date is
	// among them so that they can tell how wrong their clock is.
	exposedHeaders = "Allow, Date, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
	// corsMethods are all that routes have.
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// maxRequestedHeaders bounds how many headers a preflight is answered for.
	maxRequestedHeaders = 64
)

// handleCORS lets browsers read what is answered to them (Fetch standard). Nothing is known of
// the key yet, and an answer may be about just that (401, 429), or about a database that is
// away (503): so every origin may read it that some application allows. Once the key is
// known, the answer is held to its own application's origins by hideFromOtherOrigins.
func (a *api) handleCORS(c *gin.Context) {
	origin := c.GetHeader("Origin")
	if origin == "" {
		return
	}

	header := c.Writer.Header()
	header.Add("Vary", "Origin")
	allowed := a.KeyCache.OriginAllowed(origin)
	if allowed {
		header.Set(allowOriginHeader, origin)
		header.Set("Access-Control-Expose-Headers", exposedHeaders)
	}

	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
		return
	}

	if allowed {
		const twoHours = "7200" // browsers take no more
		header.Set("Access-Control-Allow-Methods", corsMethods)
		header.Set("Access-Control-Allow-Headers", strings.Join(allowedHeaders(c.GetHeader("Access-Control-Request-Headers")), ", "))
		header.Set("Access-Control-Max-Age", twoHours)
	}

	c.AbortWithStatus(http.StatusNoContent)
}

// allowedHeaders are the headers that a page may send: those that mean something here or
// that tracing adds by itself, and whatever else it asks for. What is unknown here is not
// looked at, no cookie is taken, and a refusal would only break the page of who has a
// library that adds a header to all requests.
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

// isToken tells whether a text can be the name of a header, of a length that names have.
func isToken(text string) bool {
	const longest = 64
	const punctuation = "!#$%&'*+-.^_`|~"
	if text == "" || len(text) > longest {
		return false
	}

	for i := range len(text) {
		b := text[i]
		letter, digit := b|0x20 >= 'a' && b|0x20 <= 'z', b >= '0' && b <= '9'
		if !letter && !digit && strings.IndexByte(punctuation, b) < 0 {
			return false
		}
	}

	return true
}

// hideFromOtherOrigins takes back that a page may read the answer, unless the application
// of its key allows the origin.
func hideFromOtherOrigins(c *gin.Context, caller *access.Caller) {
	origin := c.GetHeader("Origin")
	if origin == "" || caller.Application.AllowsOrigin(origin) {
		return
	}

	header := c.Writer.Header()
	header.Del(allowOriginHeader)
	header.Del("Access-Control-Expose-Headers")
}
