package codegen

import "strings"

// goType is the Go type of a shape.
type goType struct {
	text string
	// nilable marks a type with the value nil, and null a type whose nil stands for null.
	nilable bool
	null    bool
	// unset marks a type whose zero value is none of the schema's, and which says so itself.
	unset bool
	// isPointer marks a pointer to a type that contains itself.
	isPointer bool
	// note says what the type does not.
	note string
}

// elementOf returns the text of the Go type of a shape inside a list or a map, in which a type
// may contain itself.
func (w *goWriter) elementOf(s *shape, name string) string {
	found := w.typeOf(s, name)
	if found.isPointer && !found.null {
		return strings.TrimPrefix(found.text, "*")
	}

	return found.text
}

// typeOf returns the Go type of a shape, and writes the types that it needs, which are called by
// name.
func (w *goWriter) typeOf(s *shape, name string) goType {
	core, nullable := s.allowsNull()
	if core.kind == nothing && nullable {
		return goType{text: "any", nilable: true, null: true, note: "only null fits"}
	}

	found := w.coreType(core, name)
	switch {
	case !nullable:
		return found
	case !found.nilable:
		found = goType{text: "*" + found.text, nilable: true, note: found.note}
	}

	found.null = true
	return found
}

// coreType returns the type of a shape without null.
func (w *goWriter) coreType(s *shape, name string) goType {
	switch s.kind {
	case boolean:
		return goType{text: "bool"}
	case integer:
		return goType{text: "int64"}
	case number:
		return goType{text: "float64"}
	case text:
		if s.isTime && !s.isBounded {
			return goType{text: "time.Time"}
		}

		return goType{text: "string"}
	case array:
		if len(s.prefix) == 0 {
			return goType{text: "[]" + w.elementOf(s.items, name+"Item"), nilable: true}
		}
	case literal:
		name = takeName(name, w.taken)
		w.writeLiteral(name, s)
		return goType{text: name, unset: true}
	case object:
		if s.isMap() {
			return goType{text: w.mapType(s, name), nilable: true}
		}

		name = takeName(name, w.taken)
		w.writeObject(name, w.describePart(name), s)
		return goType{text: name}
	case reference:
		return w.referenceType(s, name)
	case union:
		if wide, ok := w.widen(s); ok {
			return w.coreType(wide, name)
		}
	default:
	}

	return goType{text: "any", nilable: true, null: s.kind == anything, note: s.goNote()}
}

// widen returns the object that a union of objects is in Go, and whether it is one; other shapes
// stay as they are.
func (w *goWriter) widen(s *shape) (wide *shape, ok bool) {
	if s.kind != union {
		return s, false
	}

	objects := make([]*shape, len(s.alternatives))
	for i, one := range s.alternatives {
		objects[i] = w.resolve(one)
		if objects[i].kind != object {
			return s, false
		}
	}

	wide = widenObjects(objects).describe(s.description, s.deprecated, s.notes...)
	return wide.describe("", false, "Go cannot say which of the members belong together"), wide.kind == object
}

// mapType returns the type of an object whose members have no names.
func (w *goWriter) mapType(s *shape, name string) string {
	if s.extra == nil {
		return "map[string]any"
	}

	return "map[string]" + w.elementOf(s.extra, name+"Value")
}

// referenceType returns the type of a reference. One that may contain itself is a pointer.
func (w *goWriter) referenceType(s *shape, name string) goType {
	core, nullable := w.event.named[s.target].allowsNull()
	core, _ = w.widen(core)
	if !needsName(core) {
		found := w.coreType(core, name)
		found.null = found.null || nullable
		return found
	}

	found := goType{text: w.event.names[s.target]}
	switch {
	case core.kind == array || core.isMap():
		found.nilable = true
	case core.kind == literal && !nullable:
		found.unset = true
	case nullable || w.event.contains(core, s.target, map[string]bool{}):
		found.text = "*" + found.text
		found.nilable = true
		found.isPointer = true
	}

	found.null = nullable
	return found
}

// contains reports whether references inside a shape lead to a place.
func (e *event) contains(s *shape, at string, seen map[string]bool) bool {
	for _, inner := range s.parts() {
		if inner.kind == reference && inner.target == at {
			return true
		}

		if inner.kind == reference && !seen[inner.target] {
			seen[inner.target] = true
			if e.contains(&shape{alternatives: []*shape{e.named[inner.target]}}, at, seen) {
				return true
			}
		}

		if e.contains(inner, at, seen) {
			return true
		}
	}

	return false
}

// goNote says what Go's type of a shape does not; "" if it says all.
func (s *shape) goNote() string {
	switch s.kind {
	case anything:
		return ""
	case nothing:
		return "no value fits the schema"
	case union:
		return "Go cannot say its type: it is " + s.summarize()
	case array:
		return "Go cannot say its type: its first items have types of their own"
	default:
		return ""
	}
}

// summarize names the alternatives of a union.
func (s *shape) summarize() string {
	var names []string
	for _, one := range s.alternatives {
		names = joinNotes(names, []string{one.kind.String()})
	}

	return strings.Join(names, " or ")
}

// String names a kind for a comment.
func (k kind) String() string {
	switch k {
	case null:
		return "null"
	case boolean:
		return "a boolean"
	case integer:
		return "an integer"
	case number:
		return "a number"
	case text:
		return "a string"
	case literal:
		return "a listed value"
	case array:
		return "an array"
	case object, reference:
		return "an object"
	default:
		return "any value"
	}
}
