package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fair"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

// Config bounds requests.
type Config struct {
	// Budget is the time within which a queued request to store events is answered, or a
	// change whose body has arrived.
	Budget time.Duration
	// ReadTimeout bounds a page of a list.
	ReadTimeout time.Duration
	// BodyMemory bounds the bytes of all bodies that are held at once. Beyond it requests are
	// shed, to be sent again. A second bound of the same size is for the responses of lists,
	// so both together may hold twice as much.
	BodyMemory int64
	// AccessEvery logs one request in so many; 0 logs only requests that failed because of the
	// service.
	AccessEvery int
	// TrustedProxies are the networks whose X-Forwarded-For is believed, of normalized
	// addresses. Empty believes nobody.
	TrustedProxies []netip.Prefix
	// Pace is the speed at which bodies have to arrive.
	Pace Pace
	// Rules are published at /v1/limits, and events are validated by them.
	Rules *event.Rules
}

// Deps are the dependencies of the API.
type Deps struct {
	KeyCache *access.Cache
	Limiter  *access.Limiter
	// PublicLimiter bounds the use of public keys by address.
	PublicLimiter *access.PublicLimiter
	// Failures bounds failed authentication by peer. Nil sets no bound.
	Failures  *access.FailureLimiter
	Registry  *access.Registry
	Collector *ingest.Collector
	Finder    *query.Finder
	Editor    *amend.Editor
	// Erasures erases sessions and the data of a person.
	Erasures  *erasure.Eraser
	Types     *eventtype.Registry
	Previewer *eventtype.Previewer
	// Rejections replays and discards.
	Rejections *rejection.Service
	Logger     *zap.Logger
	Now        func() time.Time
	// NewRequestID generates ids for requests that have none.
	NewRequestID func() string
	// NewTraceID generates trace ids for requests that have neither one nor a span.
	NewTraceID func() trace.TraceID
	// Propagator reads the trace context of requests. Nil reads none.
	Propagator propagation.TextMapPropagator
	// Tracer makes a span for each request. Nil makes none.
	Tracer trace.Tracer
	// Metrics are the instruments. Nil measures nothing.
	Metrics *Metrics
}

// api holds the handlers.
type api struct {
	Config
	Deps
	bodies    bodyReader
	responses responseMemory
	// processors are shared among the applications that send large bodies.
	processors *fair.Shares
	// traceFields are the headers that may bring a trace context, in canonical form.
	traceFields []string
	// requestCount counts the requests, for the log.
	requestCount atomic.Uint64
}

// New makes the handler of the public port. It is safe for concurrent use.
func New(config Config, deps Deps) (http.Handler, error) {
	a := &api{Config: config, Deps: deps, processors: newProcessors()}
	a.bodies.limits = config.Rules.Limits
	a.bodies.memory = config.BodyMemory
	a.bodies.pace = config.Pace
	a.bodies.now = deps.Now
	a.bodies.windows = make(chan struct{}, maxWindows)
	a.responses.limit = config.BodyMemory
	a.responses.byKey = map[string]int64{}
	if deps.Propagator != nil {
		for _, field := range deps.Propagator.Fields() {
			a.traceFields = append(a.traceFields, http.CanonicalHeaderKey(field))
		}
	}

	if deps.Metrics != nil {
		if err := deps.Metrics.observeBodyMemory(&a.bodies); err != nil {
			return nil, err
		}
	}

	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.HandleMethodNotAllowed = true
	router.UseRawPath = true
	router.UnescapePathValues = false // unescaping would read a plus sign as a space; see pathText
	router.ForwardedByClientIP = false
	_ = router.SetTrustedProxies(nil) // peerAddress has its own: see there
	router.Use(a.identifyRequest, a.recoverPanic, a.handleCORS, a.rejectRepeatedHeaders)
	router.NoRoute(func(c *gin.Context) {
		if a.sendWelcome(c) {
			return
		}

		a.sendProblem(c, fault.New(fault.NotFound, fault.CodeNotFound, "there is nothing at this path; see /v1/openapi.json"))
	})
	router.NoMethod(func(c *gin.Context) {
		a.sendProblem(c, fault.New(fault.MethodNotAllowed, fault.CodeMethodNotAllowed, fmt.Sprintf("%.16s is not allowed here; the Allow header names what is", c.Request.Method)))
	})
	a.addRoutes(router)
	return router, nil
}

func (a *api) addRoutes(router *gin.Engine) {
	script := sendScript()
	router.GET(scriptPath, script)
	router.HEAD(scriptPath, script)
	for _, r := range a.routes() {
		handlers := []gin.HandlerFunc{a.expectParameters(r.query), a.negotiateFormat(representationsOf(r)), a.readPrecondition(hasTags(r)), r.handle}
		switch r.scope {
		case publicScope:
		case collectScope:
			handlers = slices.Insert(handlers, 0, gin.HandlerFunc(a.requirePublicKey))
		default:
			handlers = slices.Insert(handlers, 0, a.requireScope(r.scope))
		}

		for _, path := range r.paths {
			router.Handle(r.method, path, handlers...)
			if r.method == http.MethodGet { // the same headers; net/http sends no body
				router.Handle(http.MethodHead, path, handlers...)
			}
		}
	}
}

// publicScope marks routes that need no key.
const publicScope access.Scope = ""

// route is a line of the contract: a method and paths, the scope that they need, and the
// handler.
type route struct {
	method string
	scope  access.Scope
	handle gin.HandlerFunc
	// paths are the path and its aliases, which earlier systems used.
	paths []string
	// query names the parameters that may stand in the query string.
	query []string
}

func (a *api) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const ingest, read, admin = access.ScopeIngest, access.ScopeRead, access.ScopeAdmin
	events := []string{"/v1/events", "/events", "/events/"}
	oneEvent := []string{"/v1/events/:id", "/events/:id", "/events/:id/"}
	atomic := []string{"atomic"}
	page := []string{"from", "to", "limit", "cursor"}
	about := append([]string{"application", "category", "name"}, page...)
	counts := []string{"group_by", "interval", "fill", "application", "category", "name", "session_id", "from", "to"}
	rejected := []string{"code", "application", "category", "name", "session_id", "status", "from", "to"}
	return []route{
		{post, ingest, a.postEvents, events, atomic},
		{post, collectScope, a.postCollect, []string{collectPath}, []string{"key", "traceparent", "atomic"}},
		{post, ingest, a.postValidate, []string{"/v1/validate"}, atomic},
		{get, read, a.listEvents, events, append([]string{"session_id", "order", dataParameters}, about...)},
		{get, read, a.listChanges, []string{"/v1/events/changes"}, []string{"after", "limit", "application", "category", "name"}},
		{get, read, a.getStats, []string{"/v1/stats"}, counts},
		{get, read, a.getEvent, oneEvent, nil},
		{get, read, a.getEventTrace, []string{"/v1/events/:id/trace"}, nil},
		{put, admin, a.putEvent, oneEvent, nil},
		{patch, admin, a.patchEvent, oneEvent, nil},
		{del, admin, a.deleteEvent, oneEvent, nil},
		{get, read, a.listSessions, []string{"/v1/sessions"}, append([]string{"application"}, page...)},
		{get, read, a.getSession, []string{"/v1/sessions/:id"}, nil},
		{get, read, a.listSessionEvents, []string{"/v1/sessions/:id/events"}, append([]string{"order", dataParameters}, about...)},
		{del, admin, a.deleteSession, []string{"/v1/sessions/:id"}, nil},
		{post, admin, a.postErasure, []string{"/v1/erasures"}, nil},
		{get, admin, a.getErasure, []string{"/v1/erasures/:id"}, nil},
		{get, admin, a.getSubject, []string{"/v1/subjects"}, []string{dataParameters}},
		{get, read, a.listErrors, []string{"/v1/errors"}, append([]string{"code", "session_id", "status"}, about...)},
		{get, read, a.getError, []string{"/v1/errors/:id"}, nil},
		{get, read, a.getErrorStats, []string{"/v1/errors/stats"}, append([]string{"group_by", "interval", "fill"}, rejected...)},
		{get, read, a.listErrorGroups, []string{"/v1/errors/groups"}, append([]string{"limit"}, rejected...)},
		{post, admin, a.replayErrors, []string{"/v1/errors/replay"}, nil},
		{post, admin, a.discardErrors, []string{"/v1/errors/discard"}, nil},
		{get, read, a.listEventTypes, []string{"/v1/event-types"}, nil},
		{get, read, a.getEventType, []string{"/v1/event-types/:category/:name"}, []string{"version"}},
		{get, read, a.listVersions, []string{"/v1/event-types/:category/:name/versions"}, nil},
		{put, admin, a.putEventType, []string{"/v1/event-types/:category/:name"}, nil},
		{del, admin, a.deleteEventType, []string{"/v1/event-types/:category/:name"}, nil},
		{post, admin, a.previewEventType, []string{"/v1/event-types/:category/:name/preview"}, nil},
		{post, admin, a.createApplication, []string{"/v1/applications"}, nil},
		{get, admin, a.listApplications, []string{"/v1/applications"}, nil},
		{get, admin, a.getApplication, []string{"/v1/applications/:name"}, nil},
		{patch, admin, a.patchApplication, []string{"/v1/applications/:name"}, nil},
		{post, admin, a.createKey, []string{"/v1/applications/:name/keys"}, nil},
		{get, admin, a.listKeys, []string{"/v1/applications/:name/keys"}, nil},
		{del, admin, a.revokeKey, []string{"/v1/applications/:name/keys/:id"}, nil},
		{get, admin, a.listAudit, []string{"/v1/audit"}, append([]string{"actor", "action", "target"}, page...)},
		{get, publicScope, a.getLimits, []string{"/v1/limits"}, nil},
		{get, publicScope, a.getOpenAPI, []string{"/v1/openapi.json"}, nil},
	}
}
