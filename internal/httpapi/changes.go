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
	filter := query.ChangeFilter{Category: p.text("category"), Name: p.text("name"), Application: p.application(c)}
	after, limit := p.text("after"), p.limit()
	if err := p.fault(); err != nil {
		a.fail(c, err)
		return
	}
	if exchangeOf(c).format == formatJSON {
		a.changePage(c, filter, after, limit)
		return
	}
	a.changeStream(c, filter, after, p.streamLimit(c))
}

func (a *api) changePage(c *gin.Context, filter query.ChangeFilter, after string, limit int) {
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
		body = append(append(body, `],`...), changeMark(&p)[1:]...)
		return false, nil
	})
	if err == nil {
		err = a.unread.hold(c, len(body))
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	send(c, http.StatusOK, "application/json", body)
}

// changeMark renders what is said of a page of changes beside its events.
func changeMark(p *query.ChangePage) []byte {
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

// changeStream sends changes up to the watermark, or limit of them, one a line. A
// line with the cursor stands behind each page, so that a stream that is cut off can be
// taken up again.
func (a *api) changeStream(c *gin.Context, filter query.ChangeFilter, after string, limit int) {
	var buffer bytes.Buffer
	out, size := a.newStreamer(c, formatNDJSON), query.MaxLimit
	if limit > 0 {
		size = limit
	}
	out.end(a.Finder.ChangePages(c.Request.Context(), filter, after, size, func(p query.ChangePage) (bool, error) {
		buffer.Reset()
		encode(&buffer, formatNDJSON, p.Events)
		buffer.Write(append(changeMark(&p), '\n'))
		return limit == 0, out.write(buffer.Bytes())
	}))
}
