package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// pathText reads a part of the path, which may hold any character in escaped form.
func pathText(c *gin.Context, name string) string {
	text := c.Param(name)
	if c.Request.URL.RawPath == "" {
		return text // it was unescaped with the whole path
	}

	if unescaped, err := url.PathUnescape(text); err == nil {
		return unescaped
	}

	return text
}

func typeKey(c *gin.Context) eventtype.Key {
	return eventtype.Key{Category: pathText(c, "category"), Name: pathText(c, "name")}
}

// listEventTypes is GET /v1/event-types.
func (a *api) listEventTypes(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	types, err := a.Types.ListTypes(ctx)
	a.sendTypes(c, "event_types", types, err)
}

// getEventType is GET /v1/event-types/{category}/{name}.
func (a *api) getEventType(c *gin.Context) {
	p := readParameters(c)
	version := p.readVersion()
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	found, err := a.Types.FindType(ctx, typeKey(c), version)
	a.sendType(c, http.StatusOK, &found, err)
}

// sendType answers with a version of a type and its entity tag.
func (a *api) sendType(c *gin.Context, status int, found *eventtype.Type, err error) {
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	tag := found.ETag()
	c.Header("ETag", tag)
	if a.notModified(c, tag) {
		return
	}

	a.sendJSON(c, status, found)
}

// readVersion reads the number of a version; 0 if there is none.
func (p *parameters) readVersion() int32 {
	text := p.readText("version")
	if text == "" {
		return 0
	}

	version, err := strconv.ParseInt(text, 10, 32)
	if err != nil || version < 1 {
		p.addViolation("version", fault.CodeInvalidParameter, "version is a number from 1 on")
	}

	return int32(version)
}

// listVersions is GET /v1/event-types/{category}/{name}/versions.
func (a *api) listVersions(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	versions, err := a.Types.ListVersions(ctx, typeKey(c))
	a.sendTypes(c, "versions", versions, err)
}

// sendTypes answers with versions of event types, as JSON under a name.
func (a *api) sendTypes(c *gin.Context, name string, versions []eventtype.Type, err error) {
	if err == nil && requestStateOf(c).format == formatCSV {
		sendTable(a, c, typeTable(), versions)
		return
	}

	a.sendResult(c, http.StatusOK, gin.H{name: versions}, err)
}

// putEventType is PUT /v1/event-types/{category}/{name}: the type is in force here when the
// request is answered, and on every replica within 5 s.
func (a *api) putEventType(c *gin.Context) {
	var spec eventtype.Spec
	if !a.decodeBodyWithin(c, schemaRules(), &spec, "schema", "mode", "description") {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	result, err := a.Types.PutType(ctx, typeKey(c), spec, requestStateOf(c).precondition)
	status := http.StatusOK
	if err == nil && result.Outcome == eventtype.Created {
		status = http.StatusCreated
		c.Header("Location", "/v1/event-types/"+result.After.Path())
	}

	if err != nil {
		a.sendProblem(c, err)
		return
	}

	c.Header("ETag", result.After.ETag())
	a.sendJSON(c, status, savedType{
		Key:       result.After.Key,
		Version:   result.After.Version,
		Spec:      result.After.Spec,
		CreatedAt: jsonTime(result.After.CreatedAt),
		Warnings:  spec.Warnings(),
	})
}

// savedType is the response to a change of a type.
type savedType struct {
	eventtype.Key

	Version int32 `json:"version"`
	eventtype.Spec

	CreatedAt jsonTime `json:"created_at"`
	// Warnings are the parts of its schema without an effect.
	Warnings []eventtype.Warning `json:"warnings"`
}

// schemaRules bound a document that holds a schema.
func schemaRules() *event.Rules {
	const around = 16 << 10
	rules := event.DefaultRules()
	rules.EventBytes = eventtype.MaxSchemaBytes + around
	rules.Depth = eventtype.MaxSchemaDepth + 1
	return &rules
}

// deleteEventType is DELETE /v1/event-types/{category}/{name}.
func (a *api) deleteEventType(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	if err := a.Types.DeleteType(ctx, typeKey(c), requestStateOf(c).precondition); err != nil {
		a.sendProblem(c, err)
		return
	}

	c.Status(http.StatusNoContent)
}

// previewEventType is POST /v1/event-types/{category}/{name}/preview.
func (a *api) previewEventType(c *gin.Context) {
	var wanted struct {
		Schema json.RawMessage `json:"schema"`
		Events *int            `json:"events"`
	}
	if !a.decodeBodyWithin(c, schemaRules(), &wanted, "schema", "events") {
		return
	}

	events := eventtype.DefaultSample
	if wanted.Events != nil {
		events = *wanted.Events
	}

	if events < 1 || events > eventtype.MaxSample {
		a.sendProblem(c, fault.InvalidAt(fault.CodeInvalidRequest, "/events", fmt.Sprintf("events is a number from 1 to %d", eventtype.MaxSample)))
		return
	}

	preview, err := a.Previewer.PreviewChange(c.Request.Context(), typeKey(c), eventtype.Spec{Schema: wanted.Schema}, events)
	a.sendResult(c, http.StatusOK, preview, err)
}
