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

// selectionBody says which errors are meant. The filters are those of GET /v1/errors.
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

// selection reads the body of a route that replays or discards. It answers the request
// itself when that fails.
func (a *api) selection(c *gin.Context) (s rejection.Selection, ok bool) {
	var body selectionBody
	if !a.decode(c, &body, "ids", "code", "application", "category", "name", "session_id", "from", "to", "all", "limit", "dry_run") {
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
	s.Code, s.Application, s.Category, s.Name = p.text("code"), p.text("application"), p.text("category"), p.text("name")
	s.SessionID, s.All, s.DryRun = p.id("session_id"), body.All, body.DryRun
	s.From, s.To = p.timeRange()
	if body.IDs != nil {
		s.IDs = make([]uuid.UUID, len(body.IDs))
	}
	for i, text := range body.IDs[:min(len(body.IDs), rejection.MaxIDs)] {
		name := "ids/" + strconv.Itoa(i)
		p.values.Set(name, text)
		if s.IDs[i] = p.id(name).UUID; len(p.wrong) > 0 {
			break // one is enough to know
		}
	}
	if body.Limit != nil {
		if s.Limit = *body.Limit; s.Limit < 1 {
			p.refuse("limit", fault.CodeInvalidParameter, "limit is a number from 1 on")
		}
	}
	if len(p.wrong) > 0 {
		a.fail(c, p.document())
		return s, false
	}
	return s, true
}

// document is fault for what came in a body: places are pointers into it.
func (p *parameters) document() error {
	for i := range p.wrong {
		w := &p.wrong[i]
		if w.Pointer, w.Parameter = "/"+w.Parameter, ""; w.Code == fault.CodeInvalidParameter {
			w.Code = fault.CodeInvalidRequest
		}
	}
	return &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidRequest, Detail: p.wrong[0].Detail, Violations: p.wrong}
}

// replayErrors is POST /v1/errors/replay.
func (a *api) replayErrors(c *gin.Context) {
	perform(a, c, a.Rejections.Replay)
}

// discardErrors is POST /v1/errors/discard.
func (a *api) discardErrors(c *gin.Context) {
	perform(a, c, a.Rejections.Discard)
}

// perform answers with the totals of a run, or, for who accepts lines of JSON, with
// totals while it runs. A run ends when its client goes away.
func perform[T any](a *api, c *gin.Context, run func(context.Context, rejection.Selection, func(T)) (T, error)) {
	s, ok := a.selection(c)
	if !ok {
		return
	}
	lines := exchangeOf(c).format == formatNDJSON
	report := &progress{api: a, c: c, control: http.NewResponseController(c.Writer), lines: lines}
	report.extend()
	totals, err := run(c.Request.Context(), s, func(totals T) { report.line(totals, "false", nil) })
	report.extend()
	switch {
	case err != nil && report.begun:
		report.line(totals, "false", a.faultOf(c, err))
	case err != nil:
		a.fail(c, soFar(err, totals))
	case report.lines:
		report.line(totals, "true", nil)
	default:
		a.sendJSON(c, http.StatusOK, totals)
	}
}

// soFar adds to a fault that ended a run what was done until then.
func soFar(err error, totals any) error {
	f, ok := fault.As(err)
	text, failed := json.Marshal(totals)
	if !ok || f.Kind != fault.Unavailable || failed != nil {
		return err
	}
	return fault.Busy(err, f.Code, f.Detail+"; what was done until then: "+string(text)+"; the same request goes on with it", f.RetryAfter)
}

// progress tells a client how a run goes.
type progress struct {
	*api

	c       *gin.Context
	control *http.ResponseController
	lines   bool
	begun   bool
}

// extend gives the response time for the next part of a run.
func (p *progress) extend() {
	if err := p.control.SetWriteDeadline(p.Now().Add(streamPatience)); err != nil {
		p.Logger.Debug("a response has no deadline", zap.Error(err))
	}
}

// line sends totals as a line of JSON, if that is what the client accepts. Who does not
// read them is noticed by the context of the request.
func (p *progress) line(totals any, done string, f *fault.Error) {
	p.extend()
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
		p.Logger.Debug("a client reads no more", zap.Error(err))
	}
}
