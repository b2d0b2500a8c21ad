package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// getSubject is GET /v1/subjects: all data of the person that the filters name.
func (a *api) getSubject(c *gin.Context) {
	p := readParameters(c)
	values := p.readDataFilters()
	for _, v := range values {
		if v.Value == "" {
			p.addViolation(dataPrefix+v.Path.String(), fault.CodeInvalidParameter, "the value is empty: it would not distinguish one person from others")
		}
	}

	if err := p.toFault(); err != nil {
		a.sendProblem(c, err)
		return
	}

	if len(values) == 0 {
		a.sendProblem(c, fault.New(fault.Invalid, fault.CodeInvalidParameter, "say whom it is about, such as data.user.id=8612"))
		return
	}

	out := &subjectWriter{streamer: a.newStreamer(c, subjectFormat(c))}
	err := a.Finder.ReadSubject(c.Request.Context(), values, a.ReadTimeout, out.writePart)
	if err == nil {
		err = out.writeEnd()
	}

	out.endStream(err)
}

// subjectFormat returns lines of JSON unless the client accepts one document by its media type.
func subjectFormat(c *gin.Context) format {
	if f := requestStateOf(c).format; f != formatJSON || strings.Contains(strings.Join(c.Request.Header.Values("Accept"), ","), "application/json") {
		return f
	}

	return formatNDJSON
}

// subjectWriter sends the data of a subject: lines of JSON, of which the last one confirms that
// the data is complete; or a document that is complete when it ends.
type subjectWriter struct {
	*streamer

	buffer bytes.Buffer
	// events and errors count those that were sent.
	events, errors int
}

// writePart sends some events or some errors, or, if there are none, a space: JSON allows it,
// and the client and all proxies see that the response continues.
func (w *subjectWriter) writePart(events []event.Stored, rejections []query.Rejection) error {
	w.buffer.Reset()
	if !w.begun && !w.isNDJSON() {
		w.buffer.WriteString(`{"events":[`)
	}

	for i := range events {
		w.writeItem(w.events == 0, appendEvent(nil, &events[i]))
		w.events++
	}

	for i := range rejections {
		text, err := json.Marshal(renderRejection(&rejections[i]))
		if err != nil {
			return fmt.Errorf("render a rejection: %w", err)
		}

		if w.errors == 0 {
			w.writeErrorsStart()
		}

		w.writeItem(w.errors == 0, text)
		w.errors++
	}

	if w.buffer.Len() == 0 {
		w.buffer.WriteByte(' ')
	}

	return w.writePage(w.buffer.Bytes())
}

// isNDJSON reports whether the format is lines of JSON.
func (w *subjectWriter) isNDJSON() bool { return w.format == formatNDJSON }

func (w *subjectWriter) writeItem(first bool, text []byte) {
	if !w.isNDJSON() && !first {
		w.buffer.WriteByte(',')
	}

	w.buffer.Write(text)
	if w.isNDJSON() {
		w.buffer.WriteByte('\n')
	}
}

func (w *subjectWriter) writeErrorsStart() {
	if !w.isNDJSON() {
		w.buffer.WriteString(`],"errors":[`)
	}
}

// writeEnd confirms that the data is complete.
func (w *subjectWriter) writeEnd() error {
	w.buffer.Reset()
	switch {
	case w.isNDJSON():
		fmt.Fprintf(&w.buffer, `{"complete":true,"events":%d,"errors":%d}`+"\n", w.events, w.errors)
	default:
		if w.errors == 0 {
			w.writeErrorsStart()
		}

		w.buffer.WriteString(`],"complete":true}` + "\n")
	}

	return w.writePage(w.buffer.Bytes())
}
