package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

// streamPatience bounds the time for a reader to read one page of a stream.
const streamPatience = 60 * time.Second

// streamer sends a response page by page. A stream that could not be finished is never ended in
// the way of the protocol, so that no client mistakes it for a complete one.
type streamer struct {
	api     *api
	c       *gin.Context
	control *http.ResponseController
	format  format
	// begun means that the status was sent, after which no problem can be sent.
	begun bool
}

func (a *api) newStreamer(c *gin.Context, f format) *streamer {
	return &streamer{api: a, c: c, control: http.NewResponseController(c.Writer), format: f}
}

// writePage sends the next page.
func (s *streamer) writePage(page []byte) error {
	if err := s.api.responses.reserveResponse(s.c, len(page)); err != nil {
		return err
	}

	if !s.begun {
		s.begun = true
		s.c.Header("Content-Type", s.format.contentType())
		s.c.Status(http.StatusOK)
	}

	if err := s.control.SetWriteDeadline(s.api.Now().Add(streamPatience)); err != nil {
		return fmt.Errorf("bound a stream: %w", err)
	}

	if _, err := s.c.Writer.Write(page); err != nil {
		return fmt.Errorf("write a stream: %w", err)
	}

	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("flush a stream: %w", err)
	}

	return nil
}

// endStream ends a stream. An incomplete one is aborted: once the status is sent there is no
// other way to inform the client. HTTP/1.1 clients then miss the last chunk, and HTTP/2 clients
// see that the stream was reset; HTTP/1.0 clients, which would notice nothing, get no streams.
func (s *streamer) endStream(err error) {
	switch {
	case err == nil:
		return
	case !s.begun:
		s.api.sendProblem(s.c, err)
		return
	case s.c.Request.Context().Err() == nil:
		s.api.Logger.Warn("a stream was cut off", zap.String("request_id", requestID(s.c)), zap.String("route", s.c.FullPath()), zap.Error(err))
	}

	panic(http.ErrAbortHandler)
}

// streamEvents sends every event of a filter, or limit of them, a page at a time.
func (a *api) streamEvents(c *gin.Context, f format, filter query.EventFilter, cursor string, limit int) {
	var buffer bytes.Buffer
	out := a.newStreamer(c, f)
	out.endStream(streamPages(c, filter, cursor, limit, a.Finder.EventPage, func(events []event.Stored) error {
		buffer.Reset()
		if !out.begun && f == formatCSV {
			writeRecord(&buffer, "event_id", "session_id", "sequence", "category", "name", "timestamp", "received_at", "application", "data")
		}

		encodeEvents(&buffer, f, events)
		return out.writePage(buffer.Bytes())
	}))
}

func encodeEvents(buffer *bytes.Buffer, f format, events []event.Stored) {
	if f == formatNDJSON {
		var line []byte
		for i := range events {
			line = append(appendEvent(line[:0], &events[i]), '\n')
			buffer.Write(line)
		}

		return
	}

	for i := range events {
		e := &events[i]
		writeRecord(buffer, e.ID.String(), e.SessionID.String(), strconv.FormatInt(e.Sequence, 10), e.Category, e.Name,
			event.FormatTimestamp(e.Timestamp), event.FormatTimestamp(e.ReceivedAt), e.Application, string(e.Data))
	}
}
