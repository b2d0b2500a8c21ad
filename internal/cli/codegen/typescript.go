package codegen

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// tsWriter writes TypeScript. The output imports nothing: it takes every client with a method
// track like that of @the-eye/browser.
type tsWriter struct {
	out   strings.Builder
	event *event
}

// tsFrame is what stands before the events, and what uses them all.
const (
	tsTracker = `
/** What sends the events: the client of @the-eye/browser, or one like it. */
export interface Tracker {
  track(category: string, name: string, data?: object): string | undefined;
}
`
	tsTyped = `
/** A tracker that takes only the event types above, with payloads that fit. */
export interface TypedTracker {
  track<C extends keyof EventMap, N extends keyof EventMap[C]>(category: C, name: N, data: EventMap[C][N]): string | undefined;
}

/** Returns the same tracker, with types. */
export function typed(eye: Tracker): TypedTracker {
  return eye as unknown as TypedTracker;
}
`
)

// tsReserved are the names that the output uses for itself.
func tsReserved() map[string]bool {
	return map[string]bool{"Tracker": true, "TypedTracker": true, "EventMap": true, "typed": true}
}

// writeTypeScript writes a module for events, which are in order.
func writeTypeScript(events []event) []byte {
	w := &tsWriter{}
	nameEvents(events, tsReserved(), func(name string) []string { return []string{name, "track" + name} }, func(name string) string { return name })
	w.out.WriteString(header + tsTracker)
	for i := range events {
		w.event = &events[i]
		w.writeEvent()
	}

	w.writeMap(events)
	w.out.WriteString(tsTyped)
	return []byte(w.out.String())
}

func (w *tsWriter) printf(form string, arguments ...any) { fmt.Fprintf(&w.out, form, arguments...) }

// writeEvent writes the types and the function of an event.
func (w *tsWriter) writeEvent() {
	e := w.event
	payload := *e.payload
	payload.description = e.description
	w.printf("\n%s", tsComment("", append([]string{e.title()}, documentShape(&payload)...), payload.deprecated))
	w.writeType(e.name, &payload)
	for _, at := range e.places() {
		if e.names[at] != e.name {
			w.printf("\n%s", tsComment("", documentShape(e.named[at]), e.named[at].deprecated))
			w.writeType(e.names[at], e.named[at])
		}
	}

	standard := ""
	if w.isOptional(e.payload) {
		standard = " = {}"
	}

	w.printf("\n%s", tsComment("", wrapLine(fmt.Sprintf("Tracks %s; returns the id of the event, or undefined if it was dropped.", e.title())), payload.deprecated))
	w.printf("export function track%s(eye: Tracker, data: %s%s): string | undefined {\n", e.name, e.name, standard)
	w.printf("  return eye.track(%s, %s, data);\n}\n", tsString(e.Category), tsString(e.Name))
}

// isOptional reports whether {} fits a payload.
func (w *tsWriter) isOptional(s *shape) bool {
	if s.kind == reference {
		s = w.event.named[s.target]
	}

	return s.kind == object && !slices.ContainsFunc(s.members, func(m member) bool { return m.required || isInherited(m.name) })
}

// isInherited reports whether {} has a member of this name in JavaScript, with a type of its own.
func isInherited(name string) bool {
	switch name {
	case "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf":
		return true
	}

	return false
}

// writeType writes a type with a name.
func (w *tsWriter) writeType(name string, s *shape) {
	if s.kind == object && len(s.members) > 0 {
		w.printf("export interface %s %s\n", name, w.objectText(s, ""))
		return
	}

	w.printf("export type %s = %s;\n", name, w.typeText(s, ""))
}

// writeMap writes the map from categories and names to payloads.
func (w *tsWriter) writeMap(events []event) {
	w.printf("\n/** The payload of each event type, by category and name. */\nexport interface EventMap {\n")
	for i := range events {
		if i == 0 || events[i-1].Category != events[i].Category {
			w.printf("  %s: {\n", tsString(events[i].Category))
		}

		w.printf("    %s: %s;\n", tsString(events[i].Name), events[i].name)
		if i == len(events)-1 || events[i+1].Category != events[i].Category {
			w.printf("  };\n")
		}
	}

	w.printf("}\n")
}

// typeText returns the type of a shape. Its lines after the first are indented.
func (w *tsWriter) typeText(s *shape, indent string) string {
	switch s.kind {
	case nothing:
		return "never"
	case null:
		return "null"
	case boolean:
		return "boolean"
	case integer, number:
		return "number"
	case text:
		return "string"
	case literal:
		return w.literalText(s)
	case array:
		return w.arrayText(s, indent)
	case object:
		return w.objectText(s, indent)
	case union:
		texts := make([]string, len(s.alternatives))
		for i, one := range s.alternatives {
			texts[i] = w.typeText(one, indent)
		}

		return strings.Join(joinNotes(nil, texts), " | ")
	case reference:
		return w.event.names[s.target]
	default:
		return "unknown"
	}
}

func (w *tsWriter) literalText(s *shape) string {
	texts := make([]string, len(s.literals))
	for i, value := range s.literals {
		texts[i] = tsLiteral(value)
	}

	return strings.Join(joinNotes(nil, texts), " | ")
}

func (w *tsWriter) arrayText(s *shape, indent string) string {
	items := w.typeText(s.items, indent)
	if len(s.prefix) == 0 {
		return tsOperand(items, s.items) + "[]"
	}

	texts := make([]string, 0, len(s.prefix)+1)
	for i, one := range s.prefix {
		text := w.typeText(one, indent)
		if i >= s.least {
			text = tsOperand(text, one) + "?"
		}

		texts = append(texts, text)
	}

	if s.items.kind != nothing {
		texts = append(texts, "..."+tsOperand(items, s.items)+"[]")
	}

	return "[" + strings.Join(texts, ", ") + "]"
}

// tsOperand returns a type as the operand of [] or ?.
func tsOperand(text string, s *shape) string {
	if s.kind == union || s.kind == literal {
		return "(" + text + ")"
	}

	return text
}

func (w *tsWriter) objectText(s *shape, indent string) string {
	inner := indent + "  "
	if len(s.members) == 0 {
		values := "unknown"
		if s.extra != nil {
			values = w.typeText(s.extra, indent)
		}

		return "{ [name: string]: " + values + " }"
	}

	var b strings.Builder
	b.WriteString("{\n")
	for _, m := range s.members {
		b.WriteString(tsComment(inner, documentShape(m.shape), m.shape.deprecated))
		b.WriteString(inner + tsKey(m.name))
		if !m.required {
			b.WriteString("?")
		}

		b.WriteString(": " + w.typeText(m.shape, inner) + ";\n")
	}

	if s.extra != nil && s.extra.kind != nothing {
		b.WriteString(inner + "[name: string]: unknown;\n")
	}

	b.WriteString(indent + "}")
	return b.String()
}

// tsComment returns a comment before a declaration; "" without lines.
func tsComment(indent string, lines []string, deprecated bool) string {
	if deprecated {
		lines = append(slices.Clone(lines), "@deprecated")
	}

	switch len(lines) {
	case 0:
		return ""
	case 1:
		return indent + "/** " + lines[0] + " */\n"
	}

	var b strings.Builder
	b.WriteString(indent + "/**\n")
	for _, line := range lines {
		b.WriteString(strings.TrimRight(indent+" * "+line, " ") + "\n")
	}

	b.WriteString(indent + " */\n")
	return b.String()
}

// tsString returns the literal of a text.
func tsString(text string) string { return renderLiteral(text) }

// tsKey returns the name of a member, in quotes unless it is a plain identifier.
func tsKey(name string) string {
	for i, c := range name {
		if c > unicode.MaxASCII || c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
			return tsString(name)
		}
	}

	if name == "" || name == "constructor" || name == "new" {
		return tsString(name)
	}

	return name
}

// tsLiteral returns the type of a JSON text: number for a number that JavaScript does not hold
// as it is.
func tsLiteral(value string) string {
	if k := kindOf(value); k != integer && k != number {
		return value
	}

	parsed, err := strconv.ParseFloat(value, 64)
	const exact = 1 << 53
	if err != nil || math.Abs(parsed) > exact {
		return "number"
	}

	return strings.Replace(strconv.FormatFloat(parsed, 'g', -1, 64), "e+", "e", 1)
}
