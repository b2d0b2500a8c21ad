package httpapi

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/fair"
	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 128
)

// identify gives the request its ids, the client's own if they are fit to be
// logged, and observes it.
func (a *api) identify(c *gin.Context) {
	begin := a.Now()
	id := c.GetHeader(requestIDHeader)
	if !wellFormed(id) {
		id = a.NewRequestID()
	}
	x, header := exchangeOf(c), c.Writer.Header()
	x.id = id
	x.set(header, requestIDHeader, id)
	for _, fixed := range fixedHeaders() {
		x.set(header, fixed[0], fixed[1])
	}
	defer a.bodies.releaseBody(c)
	defer a.unread.release(c)
	a.trace(c, x, begin)
	defer a.observe(c, x, begin) // also when the connection is to be aborted
	c.Next()
}

// fixedHeaders are on every answer: it is data for programs, may be personal, and is no page.
func fixedHeaders() [4][2]string {
	return [4][2]string{
		{"X-Content-Type-Options", "nosniff"},
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Referrer-Policy", "no-referrer"},
	}
}

// wellFormed tells whether a client's request id may be logged and sent back.
func wellFormed(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+="
	return strings.Trim(id, allowed) == ""
}

// recover answers a panic as an internal fault and logs where it came from.
func (a *api) recover(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
			panic(cause)
		}
		a.Logger.Error("a handler panicked", zap.String("request_id", requestID(c)), zap.String("trace_id", traceText(exchangeOf(c))), zap.String("route", c.FullPath()),
			zap.String("cause", fmt.Sprint(cause)), zap.ByteString("stack", debug.Stack()))
		if !c.Writer.Written() {
			a.fail(c, fault.New(fault.Internal, fault.CodeInternal, ""))
		}
		c.Abort()
	}()
	c.Next()
}

// authorize lets a request through that brings a key with the scope.
func (a *api) authorize(scope access.Scope) gin.HandlerFunc {
	return func(c *gin.Context) {
		caller, err := a.authenticate(c)
		if f, ok := fault.As(err); ok && f.Kind == fault.Unauthenticated {
			if wait, ok := a.Failures.Note(c.Request.RemoteAddr); !ok {
				err = &fault.Error{
					Kind: fault.Throttled, Code: fault.CodeTooManyFailures, RetryAfter: wait,
					Detail: "too many requests came from this address without a valid key; those with a valid one are served",
				}
			}
		}
		if err != nil {
			a.fail(c, err)
			return
		}
		exchangeOf(c).caller = caller
		hideFromOtherOrigins(c, caller)
		if !caller.May(scope) {
			a.fail(c, fault.New(fault.Forbidden, fault.CodeForbidden, fmt.Sprintf("this key lacks the scope %q", scope)))
		}
		if scope != access.ScopeIngest { // whose context would cost every event
			c.Request = c.Request.WithContext(fair.WithCaller(c.Request.Context(), caller.KeyID))
		}
		if scope == access.ScopeAdmin {
			c.Request = c.Request.WithContext(audit.With(c.Request.Context(), audit.Actor{
				Name: "key:" + caller.KeyID, Application: caller.Application.Name, RequestID: requestID(c),
			}))
		}
	}
}

func (a *api) authenticate(c *gin.Context) (*access.Caller, error) {
	header := c.GetHeader("Authorization")
	scheme, key, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		c.Header("WWW-Authenticate", `Bearer realm="the-eye"`)
		return nil, fault.New(fault.Unauthenticated, fault.CodeUnauthorized, "send a key as `Authorization: Bearer KEY`")
	}
	caller, err := a.Directory.Authenticate(strings.TrimSpace(key))
	if f, ok := fault.As(err); ok && f.Kind == fault.Unauthenticated {
		c.Header("WWW-Authenticate", `Bearer realm="the-eye", error="invalid_token"`)
	}
	return caller, err
}
