package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/query"
)

// Config bounds requests.
type Config struct {
	// Budget is the time within which a request that stores or changes is answered.
	Budget time.Duration
	// ReadTimeout bounds a page of a list.
	ReadTimeout time.Duration
	// Rules are published at /v1/limits, and events are judged by them.
	Rules *event.Rules
}

// Deps are what the API works with.
type Deps struct {
	Directory *access.Directory
	Limiter   *access.Limiter
	Registry  *access.Registry
	Collector *ingest.Collector
	Finder    *query.Finder
	Editor    *amend.Editor
	Logger    *zap.Logger
	Now       func() time.Time
	// NewID makes the ids of requests that bring none.
	NewID func() uuid.UUID
}

// api is the handlers.
type api struct {
	Config
	Deps
	bodies bodyReader
}

// New makes the handler of the public port. It is safe for concurrent use.
func New(config Config, deps Deps) http.Handler {
	a := &api{Config: config, Deps: deps, bodies: bodyReader{limits: config.Rules.Limits}}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.HandleMethodNotAllowed = true
	router.UseRawPath = true
	router.ForwardedByClientIP = false
	_ = router.SetTrustedProxies(nil) // none: an empty list cannot be wrong
	router.Use(a.identify, a.recover, a.cors)
	router.NoRoute(func(c *gin.Context) {
		a.fail(c, fault.New(fault.NotFound, fault.CodeNotFound, "there is nothing at this path; see /v1/openapi.json"))
	})
	router.NoMethod(func(c *gin.Context) {
		a.fail(c, fault.New(fault.MethodNotAllowed, fault.CodeMethodNotAllowed, c.Request.Method+" is not allowed here; the Allow header names what is"))
	})
	for _, r := range a.routes() {
		handlers := []gin.HandlerFunc{r.handle}
		if r.scope != public {
			handlers = []gin.HandlerFunc{a.authorize(r.scope), r.handle}
		}
		for _, path := range r.paths {
			router.Handle(r.method, path, handlers...)
		}
	}
	return router
}

// public marks routes that need no key.
const public access.Scope = ""

// route is a line of the contract: who may do what, and where.
type route struct {
	method string
	scope  access.Scope
	handle gin.HandlerFunc
	// paths are the path and its aliases, with which systems before The Eye were called.
	paths []string
}

func (a *api) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const ingest, read, admin = access.ScopeIngest, access.ScopeRead, access.ScopeAdmin
	events := []string{"/v1/events", "/events", "/events/"}
	oneEvent := []string{"/v1/events/:id", "/events/:id", "/events/:id/"}
	return []route{
		{post, ingest, a.postEvents, events},
		{post, ingest, a.validate, []string{"/v1/validate"}},
		{get, read, a.listEvents, events},
		{get, read, a.getEvent, oneEvent},
		{put, admin, a.putEvent, oneEvent},
		{patch, admin, a.patchEvent, oneEvent},
		{del, admin, a.deleteEvent, oneEvent},
		{get, read, a.listSessions, []string{"/v1/sessions"}},
		{get, read, a.getSession, []string{"/v1/sessions/:id"}},
		{get, read, a.listSessionEvents, []string{"/v1/sessions/:id/events"}},
		{del, admin, a.deleteSession, []string{"/v1/sessions/:id"}},
		{get, read, a.listErrors, []string{"/v1/errors"}},
		{get, read, a.getError, []string{"/v1/errors/:id"}},
		{post, admin, a.createApplication, []string{"/v1/applications"}},
		{get, admin, a.listApplications, []string{"/v1/applications"}},
		{get, admin, a.getApplication, []string{"/v1/applications/:name"}},
		{patch, admin, a.patchApplication, []string{"/v1/applications/:name"}},
		{post, admin, a.createKey, []string{"/v1/applications/:name/keys"}},
		{get, admin, a.listKeys, []string{"/v1/applications/:name/keys"}},
		{del, admin, a.revokeKey, []string{"/v1/applications/:name/keys/:id"}},
		{get, public, a.getLimits, []string{"/v1/limits"}},
		{get, public, a.getOpenAPI, []string{"/v1/openapi.json"}},
	}
}
