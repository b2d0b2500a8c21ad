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

// identifyRequest gives the request its ids, the client's own if they are fit for the log, and
// records the request.
func (a *api) identifyRequest(c *gin.Context) {
	begin := a.Now()
	id := c.GetHeader(requestIDHeader)
	if !isLoggableID(id) {
		id = a.NewRequestID()
	}

	x := requestStateOf(c)
	header := c.Writer.Header()
	x.id = id
	x.setHeader(header, requestIDHeader, id)
	for _, fixed := range fixedHeaders() {
		x.setHeader(header, fixed[0], fixed[1])
	}

	defer a.bodies.releaseBody(c)
	defer a.responses.releaseResponse(c)

	a.startTrace(c, x, begin)
	defer a.recordRequest(c, x, begin) // also when the connection is to be aborted

	c.Next()
}

// fixedHeaders are on every response: a response is data for programs, may be personal, and is
// not a page.
func fixedHeaders() [4][2]string {
	return [4][2]string{
		{"X-Content-Type-Options", "nosniff"},
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Referrer-Policy", "no-referrer"},
	}
}

// isLoggableID reports whether a client's request id may be logged and sent back.
func isLoggableID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}

	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+="
	return strings.Trim(id, allowed) == ""
}

// recoverPanic answers a panic as an internal fault and logs its origin.
func (a *api) recoverPanic(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}

		if cause == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
			panic(cause)
		}

		a.Logger.Error("a handler panicked",
			zap.String("request_id", requestID(c)),
			zap.String("trace_id", traceText(requestStateOf(c))),
			zap.String("route", c.FullPath()),
			zap.String("cause", fmt.Sprint(cause)),
			zap.ByteString("stack", debug.Stack()))
		if !c.Writer.Written() {
			a.sendProblem(c, fault.New(fault.Internal, fault.CodeInternal, ""))
		}

		c.Abort()
	}()

	c.Next()
}

// rejectRepeatedHeaders rejects a request that has one of these headers twice: a proxy before the
// service may have checked the other one (RFC 9110, section 5.3).
func (a *api) rejectRepeatedHeaders(c *gin.Context) {
	for _, name := range [...]string{"Authorization", "Content-Type", "Origin"} {
		if len(c.Request.Header[name]) > 1 {
			a.sendProblem(c, fault.New(fault.Invalid, fault.CodeInvalidHeader, "the header "+name+" is given more than once"))
			return
		}
	}
}

// requireScope admits a request only with a key that has the scope.
func (a *api) requireScope(scope access.Scope) gin.HandlerFunc {
	return func(c *gin.Context) {
		caller, err := a.authenticateCaller(c)
		if err != nil {
			a.sendProblem(c, a.limitFailures(c, err))
			return
		}

		requestStateOf(c).caller = caller
		hideFromOtherOrigins(c, caller)
		if !caller.HasScope(scope) {
			a.sendProblem(c, scopeFault(caller, scope))
			return
		}

		if scope != access.ScopeIngest { // a new context would slow down every event
			c.Request = c.Request.WithContext(fair.WithCaller(c.Request.Context(), caller.KeyID))
		}

		if scope == access.ScopeAdmin {
			c.Request = c.Request.WithContext(audit.WithActor(c.Request.Context(), audit.Actor{
				Name:        "key:" + caller.KeyID,
				Application: caller.Application.Name,
				RequestID:   requestID(c),
			}))
		}
	}
}

func scopeFault(caller *access.Caller, scope access.Scope) error {
	detail := fmt.Sprintf("this key lacks the scope %q", scope)
	if caller.Public {
		detail = "a public key may only POST /v1/collect; everything else needs a key that begins with eye_"
	}

	return fault.New(fault.Forbidden, fault.CodeForbidden, detail)
}

// limitFailures returns what a request without a valid key is answered: err, or that too many
// such requests came from its address.
func (a *api) limitFailures(c *gin.Context, err error) error {
	if f, ok := fault.As(err); !ok || f.Kind != fault.Unauthenticated {
		return err
	}

	wait, ok := a.Failures.RecordFailure(a.peerAddress(c))
	if ok {
		return err
	}

	return &fault.Error{
		Kind:       fault.Throttled,
		Code:       fault.CodeTooManyFailures,
		RetryAfter: wait,
		Detail:     "too many requests came from this address without a valid key; those with a valid one are served",
	}
}

func (a *api) authenticateCaller(c *gin.Context) (*access.Caller, error) {
	header := c.GetHeader("Authorization")
	scheme, key, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		c.Header("WWW-Authenticate", `Bearer realm="the-eye"`)
		return nil, fault.New(fault.Unauthenticated, fault.CodeUnauthorized, "send a key as `Authorization: Bearer KEY`")
	}

	caller, err := a.KeyCache.Authenticate(strings.TrimSpace(key))
	if f, ok := fault.As(err); ok && f.Kind == fault.Unauthenticated {
		c.Header("WWW-Authenticate", `Bearer realm="the-eye", error="invalid_token"`)
	}

	return caller, err
}
