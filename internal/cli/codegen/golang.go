package codegen

import (
	"fmt"
	"go/format"
	"strconv"
	"strings"
)

// goWriter writes Go. It depends on nothing but the standard library and the client.
type goWriter struct {
	out   strings.Builder
	taken map[string]bool
	event *event
	// uses are the packages of the standard library that the code needs beside time.
	uses map[string]bool
}

// writeGo writes a Go package for events, which are in order.
func writeGo(events []event, pkg string) ([]byte, error) {
	w := &goWriter{taken: map[string]bool{}, uses: map[string]bool{}}
	nameEvents(events, w.taken, func(name string) []string { return []string{name, goPayloadName(name)} }, goPayloadName)
	for i := range events {
		w.event = &events[i]
		w.writeEvent()
	}

	var file strings.Builder
	file.WriteString(header + "\n")
	fmt.Fprintf(&file, "// Package %s holds the registered event types: the type of each payload, and a function\n// that makes an event of it.\npackage %s\n\n", pkg, pkg)
	if len(events) > 0 {
		w.writeHelper()
		file.WriteString("import (\n\t\"encoding/json\"\n")
		if w.uses["errors"] {
			file.WriteString("\t\"errors\"\n")
		}

		file.WriteString("\t\"fmt\"\n\t\"time\"\n\n\t\"github.com/the-eye-events/the-eye/client\"\n)\n\n")
	}

	file.WriteString(w.out.String())
	formatted, err := format.Source([]byte(file.String()))
	if err != nil {
		return nil, fmt.Errorf("format the code: %w", err)
	}

	return formatted, nil
}

// goPayloadName returns the name of the type of an event's payload.
func goPayloadName(name string) string { return name + "Data" }

func (w *goWriter) printf(form string, arguments ...any) { fmt.Fprintf(&w.out, form, arguments...) }

// writeComment writes a comment, unless it is empty.
func (w *goWriter) writeComment(lines ...string) {
	for _, line := range lines {
		w.printf("// %s\n", line)
	}
}

// writeEvent writes the function and the types of an event.
func (w *goWriter) writeEvent() {
	e := w.event
	data := goPayloadName(e.name)
	about := fmt.Sprintf("%s returns an event %s of a session.", e.name, e.title())
	w.writeComment(wrapLine(about)...)
	if lines := commentLines(e.description); len(lines) > 0 {
		w.printf("//\n")
		w.writeComment(lines...)
	}

	if e.payload.deprecated {
		w.printf("//\n// Deprecated: its schema says so.\n")
	}

	w.printf("func %s(session string, at time.Time, data %s) (client.Event, error) {\n", e.name, data)
	if w.resolve(e.payload).isMap() {
		w.printf("\tif data == nil {\n\t\tdata = %s{}\n\t}\n\n", data)
	}

	w.printf("\treturn makeEvent(session, at, %s, %s, data)\n}\n\n", strconv.Quote(e.Category), strconv.Quote(e.Name))
	w.writePayload(data)
	for _, at := range e.places() {
		if e.names[at] != data {
			w.writeNamed(e.names[at], e.named[at])
		}
	}
}

// writePayload writes the type of the payload of an event.
func (w *goWriter) writePayload(name string) {
	payload := *w.event.payload
	if wide, ok := w.widen(&payload); ok {
		payload = *wide
	}

	payload.description = ""
	about := fmt.Sprintf("%s is the payload of an event %s.", name, w.event.title())
	switch payload.kind {
	case object:
		w.writeObject(name, wrapLine(about), &payload)
	case reference:
		w.writeComment(wrapLine(about)...)
		w.writeComment(documentShape(&payload)...)
		w.printf("type %s = %s\n\n", name, strings.TrimPrefix(w.typeOf(&payload, w.event.name).text, "*"))
	default:
		wide := &shape{kind: object, extra: anyShape(), size: 1, notes: payload.notes}
		wide.notes = joinNotes(wide.notes, []string{payload.goNote()})
		w.writeObject(name, wrapLine(about), wide)
	}
}

// writeNamed writes the type of a shape that references lead to, if it needs one.
func (w *goWriter) writeNamed(name string, s *shape) {
	core, _ := s.allowsNull()
	core, _ = w.widen(core)
	if !needsName(core) {
		return
	}

	switch core.kind {
	case literal:
		w.writeLiteral(name, core)
	case array:
		items := w.elementOf(core.items, name+"Item")
		w.writeComment(append(w.describePart(name), documentShape(core)...)...)
		w.printf("type %s []%s\n\n", name, items)
	default:
		w.writeObject(name, w.describePart(name), core)
	}
}

// describePart returns the comment of a type that a payload holds.
func (w *goWriter) describePart(name string) []string {
	return wrapLine(name + " is a part of an event " + w.event.title() + ".")
}

// needsName reports whether a shape that references lead to is a type of its own.
func needsName(core *shape) bool {
	return core.kind == object || core.kind == literal || core.kind == array && len(core.prefix) == 0
}

// resolve returns the shape that a reference leads to.
func (w *goWriter) resolve(s *shape) *shape {
	if s.kind == reference {
		return w.event.named[s.target]
	}

	return s
}

// writeHelper writes the function that all others call.
func (w *goWriter) writeHelper() {
	w.printf(`// makeEvent returns an event with the JSON of its payload.
func makeEvent(session string, at time.Time, category, name string, data any) (client.Event, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return client.Event{}, fmt.Errorf("event %%s/%%s: %%w", category, name, err)
	}

	return client.Event{
		SessionID: session,
		Category: category,
		Name: name,
		Data: json.RawMessage(text),
		Timestamp: at,
	}, nil
}
`)
}
