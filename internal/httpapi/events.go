package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// listEvents is GET /v1/events.
func (a *api) listEvents(c *gin.Context) {
	p := readParameters(c)
	filter := query.EventFilter{
		SessionID:   p.readID("session_id"),
		Category:    p.readText("category"),
		Name:        p.readText("name"),
		Application: p.readApplication(c),
	}
	filter.From, filter.To = p.readTimeRange()
	filter.Descending = readDescending(p, !filter.SessionID.Valid)
	a.sendEvents(c, p, filter)
}

// listSessionEvents is GET /v1/sessions/{id}/events: the session's timeline.
func (a *api) listSessionEvents(c *gin.Context) {
	session, ok := a.findVisibleSession(c)
	if !ok {
		return
	}

	p := readParameters(c)
	filter := query.EventFilter{
		SessionID:   uuid.NullUUID{UUID: session.ID, Valid: true},
		Category:    p.readText("category"),
		Name:        p.readText("name"),
		Application: p.readApplication(c),
	}
	filter.From, filter.To = p.readTimeRange()
	filter.Descending = readDescending(p, false)
	a.sendEvents(c, p, filter)
}

// readDescending reads the order; otherwise is the default.
func readDescending(p *parameters, otherwise bool) bool {
	switch p.readOneOf("order", "asc", "desc") {
	case "asc":
		return false
	case "desc":
		return true
	}

	return otherwise
}

// sendEvents answers with a page, or with a stream if the client accepts one.
func (a *api) sendEvents(c *gin.Context, p *parameters, filter query.EventFilter) {
	filter.Data = p.readDataFilters()
	limit := p.readLimit()
	cursor := p.readText("cursor")
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	if err := a.planDataFilters(c, &filter); err != nil {
		a.sendProblem(c, err)
		return
	}

	if f := requestStateOf(c).format; f != formatJSON {
		a.streamEvents(c, f, filter, cursor, p.readStreamLimit(c))
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	page, err := a.Finder.EventPage(ctx, filter, cursor, limit)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	body := append(make([]byte, 0, 64+512*len(page.Items)), `{"events":[`...)
	for i := range page.Items {
		if i > 0 {
			body = append(body, ',')
		}

		body = appendEvent(body, &page.Items[i])
	}

	a.sendPage(c, append(body, ']'), page.Next)
}

// sendPage adds the cursor to a page and sends it.
func (a *api) sendPage(c *gin.Context, body []byte, next string) {
	body = append(body, `,"next_cursor":`...)
	if next == "" {
		body = append(body, "null"...)
	} else {
		body = appendString(body, next)
		values := c.Request.URL.Query()
		values.Set("cursor", next)
		c.Header("Link", "<"+c.Request.URL.EscapedPath()+"?"+values.Encode()+`>; rel="next"`)
	}

	if err := a.responses.reserveResponse(c, len(body)); err != nil {
		a.sendProblem(c, err)
		return
	}

	sendBody(c, http.StatusOK, "application/json", append(body, '}'))
}

// getEvent is GET /v1/events/{id}.
func (a *api) getEvent(c *gin.Context) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	found, err := a.Finder.Event(ctx, id)
	caller := callerOf(c)
	a.sendEvent(c, found, hideInvisible(err, caller.ReadsAll() || found.ApplicationID == caller.Application.ID))
}

// sendEvent answers with an event and its entity tag.
func (a *api) sendEvent(c *gin.Context, found event.Stored, err error) {
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	tag := found.ETag()
	c.Header("ETag", tag)
	if a.notModified(c, tag) {
		return
	}

	sendBody(c, http.StatusOK, jsonType, appendEvent(nil, &found))
}

// putEvent is PUT /v1/events/{id}.
func (a *api) putEvent(c *gin.Context) {
	a.amendEvent(c, "application/json", a.Editor.ReplaceEvent)
}

// patchEvent is PATCH /v1/events/{id}.
func (a *api) patchEvent(c *gin.Context) {
	a.amendEvent(c, "application/merge-patch+json", a.Editor.PatchEvent)
}

type amendFunc func(ctx context.Context, id uuid.UUID, body []byte, precondition *event.Precondition) (event.Stored, error)

// amendEvent changes an event by a body of the given type, or of application/json.
func (a *api) amendEvent(c *gin.Context, media string, change amendFunc) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	body, err := a.readDocument(c, media)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	changed, err := change(ctx, id, body, requestStateOf(c).precondition)
	a.sendEvent(c, changed, err)
}

// readDocument reads a body that is one JSON document.
func (a *api) readDocument(c *gin.Context, media string) ([]byte, error) {
	if kind, ok := utf8MediaType(c.GetHeader("Content-Type")); !ok || (kind != media && kind != "application/json") {
		return nil, fault.New(fault.Unsupported, fault.CodeUnsupportedMediaType, "send Content-Type "+media+", in UTF-8")
	}

	return a.bodies.readBody(c)
}

// deleteEvent is DELETE /v1/events/{id}.
func (a *api) deleteEvent(c *gin.Context) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	if err := a.Editor.EraseEvent(ctx, id, requestStateOf(c).precondition); err != nil {
		a.sendProblem(c, err)
		return
	}

	c.Status(http.StatusNoContent)
}

// readPathID reads the id in the path. A text that is not a UUID identifies nothing, and neither
// does the nil UUID: only events stored before it was rejected have it, and those can be erased.
func (a *api) readPathID(c *gin.Context) (uuid.UUID, bool) {
	id, ok := query.ParseID(pathText(c, "id"))
	switch {
	case !ok:
		a.sendProblem(c, notFound())
		return id, false
	case isNil(id) && c.Request.Method != http.MethodDelete:
		a.sendProblem(c, fault.New(fault.Invalid, fault.CodeNilUUID, "the id in the path is the nil UUID, which names nothing"))
		return id, false
	}

	return id, true
}

// hideInvisible makes a resource that the key may not see look like a missing one.
func hideInvisible(err error, visible bool) error {
	if f, ok := fault.As(err); (ok && f.Kind == fault.NotFound) || (err == nil && !visible) {
		return notFound()
	}

	return err
}

func notFound() error {
	return fault.New(fault.NotFound, fault.CodeNotFound, "there is no such thing, or this key may not see it")
}

// getLimits is GET /v1/limits.
func (a *api) getLimits(c *gin.Context) {
	a.sendJSON(c, http.StatusOK, struct {
		event.Limits
		NameLength      int     `json:"name_length"`
		MaxAheadSeconds float64 `json:"timestamp_max_ahead_seconds"`
		MaxAgeSeconds   float64 `json:"timestamp_max_age_seconds"`
		BudgetSeconds   float64 `json:"request_budget_seconds"`
		PageLimit       int     `json:"page_limit"`
	}{
		Limits:          a.Rules.Limits,
		NameLength:      event.MaxNameLength,
		MaxAheadSeconds: a.Rules.MaxAhead.Seconds(),
		MaxAgeSeconds:   a.Rules.MaxAge.Seconds(),
		BudgetSeconds:   a.Budget.Seconds(),
		PageLimit:       query.MaxLimit,
	})
}

// jsonTime renders a time in the format of the contract.
type jsonTime time.Time

// MarshalJSON implements json.Marshaler.
func (t jsonTime) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}

	return append(event.AppendTimestamp([]byte{'"'}, time.Time(t)), '"'), nil
}
