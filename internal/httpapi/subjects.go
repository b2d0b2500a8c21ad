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

// getSubject is GET /v1/subjects: all that is kept of whom the filters name.
func (a *api) getSubject(c *gin.Context) {
	p := readParameters(c)
	values := p.data()
	for _, v := range values {
		if v.Value == "" {
			p.refuse(dataPrefix+v.Path.String(), fault.CodeInvalidParameter, "the value is empty: it would not tell one person from others")
		}
	}
	if err := p.fault(); err != nil {
		a.fail(c, err)
		return
	}
	if len(values) == 0 {
		a.fail(c, fault.New(fault.Invalid, fault.CodeInvalidParameter, "say whom it is about, such as data.user.id=8612"))
		return
	}

	out := &subjectWriter{streamer: a.newStreamer(c, subjectFormat(c))}
	err := a.Finder.Subject(c.Request.Context(), values, a.ReadTimeout, out.part)
	if err == nil {
		err = out.finish()
	}
	out.end(err)
}

// subjectFormat is lines of JSON unless the client asks for one document by its name.
func subjectFormat(c *gin.Context) format {
	if f := exchangeOf(c).format; f != formatJSON || strings.Contains(strings.Join(c.Request.Header.Values("Accept"), ","), "application/json") {
		return f
	}
	return formatNDJSON
}

// subjectWriter sends what is kept of a subject: lines of JSON, of which the last one says
// that it is whole; or a document that is whole when it ends.
type subjectWriter struct {
	*streamer

	buffer bytes.Buffer
	// events and errors are how many were sent.
	events, errors int
}

// part sends some events or some errors, or, where there is none, a space: JSON lets it
// stand, and the reader and all proxies on the way see that it goes on.
func (w *subjectWriter) part(events []event.Stored, rejections []query.Rejection) error {
	w.buffer.Reset()
	if !w.begun && !w.lines() {
		w.buffer.WriteString(`{"events":[`)
	}
	for i := range events {
		w.item(w.events == 0, appendEvent(nil, &events[i]))
		w.events++
	}
	for i := range rejections {
		text, err := json.Marshal(renderRejection(&rejections[i]))
		if err != nil {
			return fmt.Errorf("render a rejection: %w", err)
		}
		if w.errors == 0 {
			w.openErrors()
		}
		w.item(w.errors == 0, text)
		w.errors++
	}
	if w.buffer.Len() == 0 {
		w.buffer.WriteByte(' ')
	}
	return w.write(w.buffer.Bytes())
}

// lines tells whether it is lines of JSON.
func (w *subjectWriter) lines() bool { return w.format == formatNDJSON }

func (w *subjectWriter) item(first bool, text []byte) {
	if !w.lines() && !first {
		w.buffer.WriteByte(',')
	}
	w.buffer.Write(text)
	if w.lines() {
		w.buffer.WriteByte('\n')
	}
}

func (w *subjectWriter) openErrors() {
	if !w.lines() {
		w.buffer.WriteString(`],"errors":[`)
	}
}

// finish says that it is whole.
func (w *subjectWriter) finish() error {
	w.buffer.Reset()
	switch {
	case w.lines():
		fmt.Fprintf(&w.buffer, `{"complete":true,"events":%d,"errors":%d}`+"\n", w.events, w.errors)
	default:
		if w.errors == 0 {
			w.openErrors()
		}
		w.buffer.WriteString(`],"complete":true}` + "\n")
	}
	return w.write(w.buffer.Bytes())
}
