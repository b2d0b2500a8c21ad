package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/query"
)

// csvTable defines how items of a list are written as CSV.
type csvTable[T any] struct {
	columns []string
	row     func(*T) []string
}

// sendTable answers with a table that is already in memory.
func sendTable[T any](a *api, c *gin.Context, t csvTable[T], items []T) {
	var buffer bytes.Buffer
	writeRecord(&buffer, t.columns...)
	for i := range items {
		writeRecord(&buffer, t.row(&items[i])...)
	}

	if err := a.responses.reserveResponse(c, buffer.Len()); err != nil {
		a.sendProblem(c, err)
		return
	}

	sendBody(c, http.StatusOK, formatCSV.contentType(), buffer.Bytes())
}

// streamTable answers with every item of a list, or limit of them, as CSV.
func streamTable[F, T any](a *api, c *gin.Context, p *parameters, filter F, t csvTable[T],
	ask func(ctx context.Context, filter F, cursor string, limit int) (query.Page[T], error),
) {
	limit := p.readStreamLimit(c)
	cursor := p.readText("cursor")
	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	out := a.newStreamer(c, formatCSV)
	out.endStream(streamPages(c, filter, cursor, limit, ask, func(items []T) error {
		var buffer bytes.Buffer
		if !out.begun {
			writeRecord(&buffer, t.columns...)
		}

		for i := range items {
			writeRecord(&buffer, t.row(&items[i])...)
		}

		return out.writePage(buffer.Bytes())
	}))
}

// streamPages reads the pages of a list until there are no more, or limit items were read; 0
// means without a limit.
func streamPages[F, T any](c *gin.Context, filter F, cursor string, limit int,
	ask func(ctx context.Context, filter F, cursor string, limit int) (query.Page[T], error), write func([]T) error,
) error {
	left := limit
	for {
		size := query.MaxLimit
		if limit > 0 {
			size = left
		}

		page, err := ask(c.Request.Context(), filter, cursor, size)
		if err != nil {
			return err
		}

		if err := write(page.Items); err != nil {
			return err
		}

		left -= len(page.Items) // a page of large items ends early
		if cursor = page.Next; cursor == "" || limit > 0 && left <= 0 {
			return nil
		}
	}
}

// readStreamLimit reads the limit of a stream, which has none by default. A request for the
// headers of a response needs only its beginning.
func (p *parameters) readStreamLimit(c *gin.Context) int {
	limit := p.readLimit()
	switch {
	case isHead(c):
		return 1
	case !p.values.Has("limit"):
		return 0
	}

	return limit
}

// writeRecord writes a record according to RFC 4180. The writer of the standard library would
// change line ends within fields.
func writeRecord(buffer *bytes.Buffer, fields ...string) {
	for i, field := range fields {
		if i > 0 {
			buffer.WriteByte(',')
		}

		field = escapeFormula(field)
		if strings.ContainsAny(field, "\",\r\n") {
			field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		}

		buffer.WriteString(field)
	}

	buffer.WriteString("\r\n")
}

// escapeFormula keeps spreadsheets from evaluating a text that a client chose: a text that
// begins like a formula gets an apostrophe before it.
func escapeFormula(field string) string {
	if field != "" && strings.IndexByte("=+-@\t\r", field[0]) >= 0 {
		return "'" + field
	}

	return field
}

func sessionTable() csvTable[event.Session] {
	return csvTable[event.Session]{
		columns: []string{"session_id", "started_at", "last_event_at", "event_count", "applications"},
		row: func(s *event.Session) []string {
			return []string{
				s.ID.String(), timeCell(s.StartedAt), timeCell(s.LastEventAt), strconv.FormatInt(s.EventCount, 10),
				strings.Join(s.Applications, " "), // a name has no spaces
			}
		},
	}
}

func auditTable() csvTable[audit.Entry] {
	return csvTable[audit.Entry]{
		columns: []string{"audit_entry_id", "at", "actor", "application", "request_id", "action", "target", "detail"},
		row: func(e *audit.Entry) []string {
			return []string{
				e.ID.String(), timeCell(e.At), e.Actor.Name, e.Actor.Application, e.Actor.RequestID,
				string(e.Action), e.Target, string(e.Detail),
			}
		},
	}
}

func typeTable() csvTable[eventtype.Type] {
	return csvTable[eventtype.Type]{
		columns: []string{"category", "name", "version", "mode", "description", "created_at", "schema"},
		row: func(t *eventtype.Type) []string {
			return []string{
				t.Category, t.Name, strconv.FormatInt(int64(t.Version), 10), string(t.Mode), t.Description,
				timeCell(t.CreatedAt), string(t.Schema),
			}
		},
	}
}

// countTable has a column for the start of a bucket, if there are intervals, and one for each
// dimension.
func countTable(g query.Grouping) csvTable[query.Bucket] {
	var columns []string
	if g.Interval != 0 {
		columns = append(columns, "start")
	}

	return csvTable[query.Bucket]{
		columns: append(append(columns, g.By...), "count"),
		row: func(b *query.Bucket) []string {
			var row []string
			if g.Interval != 0 {
				row = append(row, timeCell(b.Start))
			}

			row = append(row, b.Group[:len(g.By)]...)
			return append(row, strconv.FormatInt(b.Count, 10))
		},
	}
}

func groupTable() csvTable[groupAnswer] {
	return csvTable[groupAnswer]{
		columns: []string{"code", "pointer", "category", "name", "application", "count", "first_seen", "last_seen", "sample_error_id", "detail"},
		row: func(g *groupAnswer) []string {
			return []string{
				string(g.Code), g.Pointer, textCell(g.Category), textCell(g.Name), g.Application, strconv.FormatInt(g.Count, 10),
				timeCell(time.Time(g.FirstSeen)), timeCell(time.Time(g.LastSeen)), g.SampleID.String(), g.Detail,
			}
		},
	}
}

func rejectionTable() csvTable[query.Rejection] {
	return csvTable[query.Rejection]{
		columns: []string{
			"error_id", "received_at", "application", "code", "errors", "event_id", "session_id", "category", "name", "timestamp",
			"status", "event_type_version", "request_id", "raw_size", "raw_truncated", "raw",
		},
		row: rejectionRow,
	}
}

func rejectionRow(r *query.Rejection) []string {
	shown := renderRejection(r)
	violations, _ := json.Marshal(shown.Violations) // texts alone cannot fail
	var eventID, sessionID, timestamp, version string
	if shown.EventID != nil {
		eventID = shown.EventID.String()
	}

	if shown.SessionID != nil {
		sessionID = shown.SessionID.String()
	}

	if r.Timestamp != nil {
		timestamp = timeCell(*r.Timestamp)
	}

	if shown.EventTypeVersion != nil {
		version = strconv.Itoa(*shown.EventTypeVersion)
	}

	return []string{
		shown.ID.String(), timeCell(r.ReceivedAt), shown.Application, shown.Code, string(violations), eventID, sessionID,
		textCell(shown.Category), textCell(shown.Name), timestamp, shown.Status, version, shown.RequestID,
		strconv.Itoa(shown.RawSize), strconv.FormatBool(shown.RawTruncated), strings.ToValidUTF8(textCell(shown.Raw), "\uFFFD"),
	}
}

// timeCell returns an empty text for no time.
func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}

	return event.FormatTimestamp(t)
}

// textCell returns an empty text for nil.
func textCell(text *string) string {
	if text == nil {
		return ""
	}

	return *text
}
