package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/fault"
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
	f, err := negotiate(c)
	if err == nil && f == formatCSV {
		err = fault.New(fault.NotAcceptable, fault.CodeNotAcceptable, "accept application/json or application/x-ndjson")
	}
	switch {
	case err != nil:
		a.fail(c, err)
	case f == formatJSON:
		a.changePage(c, filter, after, limit)
	default:
		if !p.values.Has("limit") {
			limit = 0
		}
		a.changeStream(c, filter, after, limit)
	}
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
	control := http.NewResponseController(c.Writer)
	begun, size := false, query.MaxLimit
	if limit > 0 {
		size = limit
	}
	err := a.Finder.ChangePages(c.Request.Context(), filter, after, size, func(p query.ChangePage) (bool, error) {
		buffer.Reset()
		encode(&buffer, formatNDJSON, p.Events)
		buffer.Write(append(changeMark(&p), '\n'))
		if err := a.unread.hold(c, buffer.Len()); err != nil {
			return false, err
		}
		if !begun {
			begun = true
			a.beginStream(c, formatNDJSON)
		}
		if err := control.SetWriteDeadline(a.Now().Add(streamPatience)); err != nil {
			return false, fmt.Errorf("bound a stream: %w", err)
		}
		if _, err := c.Writer.Write(buffer.Bytes()); err != nil {
			return false, fmt.Errorf("write a stream: %w", err)
		}
		if err := control.Flush(); err != nil {
			return false, fmt.Errorf("flush a stream: %w", err)
		}
		return limit == 0, nil
	})
	a.endStream(c, begun, err)
}

// endStream cuts the connection of a stream that is not whole: once the status is
// sent there is no other way to tell the client.
func (a *api) endStream(c *gin.Context, begun bool, err error) {
	switch {
	case err == nil:
		return
	case !begun:
		a.fail(c, err)
		return
	case c.Request.Context().Err() == nil:
		a.Logger.Warn("a stream was cut off", zap.String("request_id", requestID(c)), zap.String("route", c.FullPath()), zap.Error(err))
	}
	panic(http.ErrAbortHandler)
}
