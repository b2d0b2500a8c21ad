package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// format is a representation of a list of events.
type format int

const (
	formatJSON format = iota
	formatNDJSON
	formatCSV
)

// streamPatience bounds how long a reader may take over one page of a stream.
const streamPatience = 60 * time.Second

// negotiate picks the first representation in Accept that there is. Weights are
// not looked at but for q=0: a client that wants another order can name it so.
func negotiate(c *gin.Context) (format, error) {
	accept := strings.Join(c.Request.Header.Values("Accept"), ",")
	if accept == "" {
		return formatJSON, nil
	}
	for item := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(item)
		if err != nil || strings.Trim(parameters["q"], "0.") == "" && parameters["q"] != "" {
			continue
		}
		switch kind {
		case "application/json", "application/*", "*/*":
			return formatJSON, nil
		case "application/x-ndjson", "application/ndjson":
			return formatNDJSON, nil
		case "text/csv", "text/*":
			return formatCSV, nil
		}
	}
	return 0, fault.New(fault.NotAcceptable, fault.CodeNotAcceptable, "accept application/json, application/x-ndjson or text/csv")
}

// stream sends every event of a filter, or limit of them, a page at a time.
func (a *api) stream(c *gin.Context, f format, filter query.EventFilter, cursor string, limit int) {
	var buffer bytes.Buffer
	control := http.NewResponseController(c.Writer)
	begun := false
	send := func(events []event.Stored) error {
		buffer.Reset()
		if !begun && f == formatCSV {
			writeRecord(&buffer, "event_id", "session_id", "sequence", "category", "name", "timestamp", "received_at", "application", "data")
		}
		encode(&buffer, f, events)
		if err := a.unread.hold(c, buffer.Len()); err != nil {
			return err
		}
		if !begun {
			begun = true
			a.beginStream(c, f)
		}
		if err := control.SetWriteDeadline(a.Now().Add(streamPatience)); err != nil {
			return fmt.Errorf("bound a stream: %w", err)
		}
		if _, err := c.Writer.Write(buffer.Bytes()); err != nil {
			return fmt.Errorf("write a stream: %w", err)
		}
		if err := control.Flush(); err != nil {
			return fmt.Errorf("flush a stream: %w", err)
		}
		return nil
	}
	err := a.readStream(c.Request.Context(), filter, cursor, limit, send)
	a.endStream(c, begun, err)
}

func (a *api) readStream(ctx context.Context, filter query.EventFilter, cursor string, limit int, send func([]event.Stored) error) error {
	if limit == 0 {
		return a.Finder.StreamEvents(ctx, filter, cursor, send)
	}
	for {
		page, err := a.Finder.EventPage(ctx, filter, cursor, limit)
		if err != nil {
			return err
		}
		if err := send(page.Items); err != nil {
			return err
		}
		limit -= len(page.Items) // a page of large events ends early
		if cursor = page.Next; cursor == "" || limit == 0 {
			return nil
		}
	}
}

func (a *api) beginStream(c *gin.Context, f format) {
	if f == formatNDJSON {
		c.Header("Content-Type", "application/x-ndjson")
	} else {
		c.Header("Content-Type", "text/csv; charset=utf-8; header=present")
	}
	c.Status(http.StatusOK)
}

func encode(buffer *bytes.Buffer, f format, events []event.Stored) {
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

// writeRecord writes a record as RFC 4180 has it. The standard library's writer
// would change line ends inside of fields.
func writeRecord(buffer *bytes.Buffer, fields ...string) {
	for i, field := range fields {
		if i > 0 {
			buffer.WriteByte(',')
		}
		if strings.ContainsAny(field, "\",\r\n") {
			field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		}
		buffer.WriteString(field)
	}
	buffer.WriteString("\r\n")
}
