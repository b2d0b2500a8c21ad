package httpapi

import (
	"bytes"
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/query"
)

// listChanges is GET /v1/events/changes: stored events in the order of their commits.
func (a *api) listChanges(c *gin.Context) {
	p := readParameters(c)
	filter := query.ChangeFilter{Category: p.readText("category"), Name: p.readText("name"), Application: p.readApplication(c)}
	after := p.readText("after")
	limit := p.readLimit()
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	if requestStateOf(c).format == formatJSON {
		a.sendChangePage(c, filter, after, limit)
		return
	}

	a.streamChanges(c, filter, after, p.readStreamLimit(c))
}

func (a *api) sendChangePage(c *gin.Context, filter query.ChangeFilter, after string, limit int) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	var body []byte
	err := a.Finder.ChangePages(ctx, filter, after, limit, func(p query.ChangePage) (bool, error) {
		body = append(make([]byte, 0, 256+512*len(p.Events)), `{"events":[`...)
		for i := range p.Events {
			if i > 0 {
				body = append(body, ',')
			}

			body = appendEvent(body, &p.Events[i])
		}

		body = append(append(body, `],`...), renderChangeCursor(&p)[1:]...)
		return false, nil
	})
	if err == nil {
		err = a.responses.reserveResponse(c, len(body))
	}

	if err != nil {
		a.sendProblem(c, err)
		return
	}

	sendBody(c, http.StatusOK, "application/json", body)
}

// renderChangeCursor renders the members of a page of changes other than its events.
func renderChangeCursor(p *query.ChangePage) []byte {
	b := appendString([]byte(`{"next":`), p.Next)
	if p.More {
		b = append(b, `,"more":true`...)
	} else {
		b = append(b, `,"more":false`...)
	}

	b = appendTime(append(b, `,"complete_until":`...), jsonTime(p.CompleteUntil))
	if p.Restarted != "" {
		b = append(appendString(append(b, `,"restarted":{"reason":`...), p.Restarted), '}')
	}

	return append(b, '}')
}

// streamChanges sends changes up to the watermark, or limit of them, one a line. A line with the
// cursor follows each page, so that an interrupted stream can be resumed.
func (a *api) streamChanges(c *gin.Context, filter query.ChangeFilter, after string, limit int) {
	var buffer bytes.Buffer
	out := a.newStreamer(c, formatNDJSON)
	size := query.MaxLimit
	if limit > 0 {
		size = limit
	}

	out.endStream(a.Finder.ChangePages(c.Request.Context(), filter, after, size, func(p query.ChangePage) (bool, error) {
		buffer.Reset()
		encodeEvents(&buffer, formatNDJSON, p.Events)
		buffer.Write(append(renderChangeCursor(&p), '\n'))
		return limit == 0, out.writePage(buffer.Bytes())
	}))
}
