package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// hasTags reports whether the responses of a route have an entity tag.
func hasTags(r route) bool {
	return r.method != http.MethodPost && (r.paths[0] == "/v1/events/:id" || r.paths[0] == "/v1/event-types/:category/:name")
}

// readPrecondition reads If-Match and If-None-Match, and rejects them if they are malformed or
// cannot be met: a precondition is never skipped. If there are tags, the handler checks them
// together with the resource that it reads or changes.
func (a *api) readPrecondition(tagged bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		ifMatch := c.Request.Header["If-Match"]
		ifNoneMatch := c.Request.Header["If-None-Match"]
		if ifMatch == nil && ifNoneMatch == nil {
			return
		}

		p, err := event.ParsePrecondition(ifMatch, ifNoneMatch)
		if err == nil && !tagged && p.NamesTags() {
			err = fault.New(fault.PreconditionFailed, fault.CodePreconditionFailed, "there is no ETag here that If-Match could name; leave it out")
		}

		if err != nil {
			a.sendProblem(c, err)
			return
		}

		requestStateOf(c).precondition = p
	}
}

// notModified answers a request that reads the resource with this tag, if the client already has
// this version or requires another.
func (a *api) notModified(c *gin.Context, tag string) bool {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return false
	}

	p := requestStateOf(c).precondition
	if err := p.AllowsReading(tag); err != nil {
		a.sendProblem(c, err)
		return true
	}

	if p.Has(tag) {
		c.Status(http.StatusNotModified)
		return true
	}

	return false
}
