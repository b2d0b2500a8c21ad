package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

// sessionAnswer renders a session.
type sessionAnswer struct {
	ID           uuid.UUID `json:"session_id"`
	StartedAt    jsonTime  `json:"started_at"`
	LastEventAt  jsonTime  `json:"last_event_at"`
	EventCount   int64     `json:"event_count"`
	Applications []string  `json:"applications"`
}

func renderSession(s *event.Session) sessionAnswer {
	return sessionAnswer{s.ID, jsonTime(s.StartedAt), jsonTime(s.LastEventAt), s.EventCount, s.Applications}
}

// listSessions is GET /v1/sessions.
func (a *api) listSessions(c *gin.Context) {
	p := readParameters(c)
	filter := query.SessionFilter{Application: p.readApplication(c)}
	filter.From, filter.To = p.readTimeRange()
	if requestStateOf(c).format == formatCSV {
		streamTable(a, c, p, filter, sessionTable(), a.Finder.SessionPage)
		return
	}

	page, ok := readPage(a, c, p, filter, a.Finder.SessionPage)
	if !ok {
		return
	}

	sessions := make([]sessionAnswer, len(page.Items))
	for i := range page.Items {
		sessions[i] = renderSession(&page.Items[i])
	}

	a.sendList(c, "sessions", sessions, page.Next)
}

// readPage reads a page of a list, after the list's own parameters were read from p. False means
// that the request is already answered.
func readPage[F, T any](a *api, c *gin.Context, p *parameters, filter F,
	ask func(ctx context.Context, filter F, cursor string, limit int) (query.Page[T], error),
) (page query.Page[T], ok bool) {
	limit := p.readLimit()
	cursor := p.readText("cursor")
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return page, false
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	page, err := ask(ctx, filter, cursor, limit)
	if err != nil {
		a.sendProblem(c, err)
		return page, false
	}

	return page, true
}

// sendList renders items under a name and sends them as a page.
func (a *api) sendList(c *gin.Context, name string, items any, next string) {
	rendered, err := json.Marshal(items)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	body := append([]byte(`{"`), name...)
	a.sendPage(c, append(append(body, `":`...), rendered...), next)
}

// getSession is GET /v1/sessions/{id}.
func (a *api) getSession(c *gin.Context) {
	if session, ok := a.findVisibleSession(c); ok {
		a.sendJSON(c, http.StatusOK, renderSession(&session))
	}
}

// findVisibleSession finds the session in the path. A key that is bound to an application sees
// the sessions in which that application takes part.
func (a *api) findVisibleSession(c *gin.Context) (event.Session, bool) {
	id, ok := a.readPathID(c)
	if !ok {
		return event.Session{}, false
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	session, err := a.Finder.Session(ctx, id)
	caller := callerOf(c)
	if err = hideInvisible(err, caller.ReadsAll() || slices.Contains(session.Applications, caller.Application.Name)); err != nil {
		a.sendProblem(c, err)
		return event.Session{}, false
	}

	return session, true
}
