package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

// selectionBody selects errors. The filters are those of GET /v1/errors.
type selectionBody struct {
	IDs         []string `json:"ids"`
	Code        *string  `json:"code"`
	Application *string  `json:"application"`
	Category    *string  `json:"category"`
	Name        *string  `json:"name"`
	SessionID   *string  `json:"session_id"`
	From        *string  `json:"from"`
	To          *string  `json:"to"`
	All         bool     `json:"all"`
	Limit       *int     `json:"limit"`
	DryRun      bool     `json:"dry_run"`
}

// readSelection reads the body of a route that replays or discards. On failure it answers the
// request itself.
func (a *api) readSelection(c *gin.Context) (s rejection.Selection, ok bool) {
	var body selectionBody
	if !a.decodeBody(c, &body, "ids", "code", "application", "category", "name", "session_id", "from", "to", "all", "limit", "dry_run") {
		return s, false
	}

	p := &parameters{values: url.Values{}}
	for name, text := range map[string]*string{
		"code": body.Code, "application": body.Application, "category": body.Category, "name": body.Name,
		"session_id": body.SessionID, "from": body.From, "to": body.To,
	} {
		if text != nil {
			p.values.Set(name, *text)
		}
	}

	s.Code = p.readText("code")
	s.Application = p.readText("application")
	s.Category = p.readText("category")
	s.Name = p.readText("name")
	s.SessionID = p.readID("session_id")
	s.All = body.All
	s.DryRun = body.DryRun
	s.From, s.To = p.readTimeRange()
	if body.IDs != nil {
		s.IDs = make([]uuid.UUID, len(body.IDs))
	}

	for i, text := range body.IDs[:min(len(body.IDs), rejection.MaxIDs)] {
		name := "ids/" + strconv.Itoa(i)
		p.values.Set(name, text)
		if s.IDs[i] = p.readID(name).UUID; len(p.violations) > 0 {
			break // one violation is enough
		}
	}

	if body.Limit != nil {
		if s.Limit = *body.Limit; s.Limit < 1 {
			p.addViolation("limit", fault.CodeInvalidParameter, "limit is a number from 1 on")
		}
	}

	if len(p.violations) > 0 {
		a.sendProblem(c, p.toDocumentFault())
		return s, false
	}

	return s, true
}

// replayErrors is POST /v1/errors/replay.
func (a *api) replayErrors(c *gin.Context) {
	runOnSelection(a, c, a.Rejections.Replay)
}

// discardErrors is POST /v1/errors/discard.
func (a *api) discardErrors(c *gin.Context) {
	runOnSelection(a, c, a.Rejections.Discard)
}

// runOnSelection answers with the totals of a run, or, for a client that accepts lines of JSON,
// with totals during the run. A run ends when its client disconnects.
func runOnSelection[T any](a *api, c *gin.Context, run func(context.Context, rejection.Selection, func(T)) (T, error)) {
	s, ok := a.readSelection(c)
	if !ok {
		return
	}

	lines := requestStateOf(c).format == formatNDJSON
	report := &progressWriter{api: a, c: c, control: http.NewResponseController(c.Writer), lines: lines}
	report.extendDeadline()
	totals, err := run(c.Request.Context(), s, func(totals T) { report.writeLine(totals, "false", nil) })
	report.extendDeadline()
	switch {
	case err != nil && report.begun:
		report.writeLine(totals, "false", a.faultOf(c, err))
	case err != nil:
		a.sendProblem(c, withTotals(err, totals))
	case report.lines:
		report.writeLine(totals, "true", nil)
	default:
		a.sendJSON(c, http.StatusOK, totals)
	}
}

// withTotals adds the totals up to the failure to a fault that ended a run.
func withTotals(err error, totals any) error {
	f, ok := fault.As(err)
	text, failed := json.Marshal(totals)
	if !ok || f.Kind != fault.Unavailable || failed != nil {
		return err
	}

	return fault.NewUnavailable(err, f.Code, f.Detail+"; the totals until then: "+string(text)+"; the same request continues", f.RetryAfter)
}

// progressWriter reports the progress of a run to a client.
type progressWriter struct {
	*api

	c       *gin.Context
	control *http.ResponseController
	lines   bool
	begun   bool
}

// extendDeadline extends the time for the response by the next part of a run.
func (p *progressWriter) extendDeadline() {
	if err := p.control.SetWriteDeadline(p.Now().Add(streamPatience)); err != nil {
		p.Logger.Debug("a response has no deadline", zap.Error(err))
	}
}

// writeLine sends totals as a line of JSON, if the client accepts that. The context of the
// request ends the run of a client that does not read them.
func (p *progressWriter) writeLine(totals any, done string, f *fault.Error) {
	p.extendDeadline()
	if !p.lines {
		return
	}

	if !p.begun {
		p.begun = true
		p.c.Header("Content-Type", "application/x-ndjson")
		p.c.Status(http.StatusOK)
	}

	text, err := json.Marshal(totals)
	if err != nil {
		p.Logger.Error("totals could not be rendered", zap.Error(err))
		return
	}

	text = append(append(text[:len(text)-1], `,"done":`...), done...)
	if f != nil {
		text = appendString(append(text, `,"problem":{"code":`...), string(f.Code))
		text = append(appendString(append(text, `,"detail":`...), f.Detail), '}')
	}

	_, err = p.c.Writer.Write(append(text, "}\n"...))
	if err == nil {
		err = p.control.Flush()
	}

	if err != nil {
		p.Logger.Debug("a client stopped reading", zap.Error(err))
	}
}
