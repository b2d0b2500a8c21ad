package codegen

import (
	"fmt"
	"slices"
	"strings"
)

// kind is what values a shape holds.
type kind int

const (
	// anything is the zero kind: nothing is known of the value.
	anything kind = iota
	// nothing holds no value.
	nothing
	null
	boolean
	integer
	number
	text
	// literal is one of several texts, numbers and booleans.
	literal
	array
	object
	// union is a value of one of several shapes.
	union
	// reference is a shape that is named because a $ref leads to it.
	reference
)

// maxShapeSize bounds the shapes inside a shape, each counted as often as it would be written.
const maxShapeSize = 5000

// maxAlternatives bounds the shapes of a union.
const maxAlternatives = 50

const (
	tooLarge        = "the schema is too large to be written out here"
	tooManyVariants = "there are too many alternatives to be written out"
)

// shape is the part of a schema that types can express. A shape is not changed once others
// hold it.
type shape struct {
	kind        kind
	description string
	deprecated  bool
	// notes name what the schema says beyond the shape.
	notes []string
	// isTime marks a text of the format date-time.
	isTime bool
	// isBounded marks a text with a pattern or a bound of its length.
	isBounded bool
	// literals are the JSON texts of a literal's values.
	literals []string
	// prefix are the first items of an array, of which least are required; items describes the
	// others.
	prefix []*shape
	least  int
	items  *shape
	// members are sorted by name. extra describes the members with other names; nil if the
	// schema does not say.
	members      []member
	extra        *shape
	alternatives []*shape
	// target is the place in the schema that a reference leads to.
	target string
	// size counts the shapes that are written for this one.
	size int
}

// member is a member of an object.
type member struct {
	name     string
	required bool
	shape    *shape
}

// anyShape returns the shape of any value, with the reasons why no more is known.
func anyShape(notes ...string) *shape { return &shape{kind: anything, notes: notes, size: 1} }

// plainShape returns a shape without parts.
func plainShape(k kind) *shape { return &shape{kind: k, size: 1} }

// boundSize counts the shapes inside a shape, and returns any value for a shape with too many.
func boundSize(s *shape) *shape {
	s.size = 1
	for _, inner := range s.parts() {
		s.size += inner.size
	}

	if s.size > maxShapeSize {
		wide := anyShape(tooLarge)
		wide.description = s.description
		return wide
	}

	return s
}

// parts returns the shapes directly inside a shape.
func (s *shape) parts() []*shape {
	all := slices.Concat(s.prefix, s.alternatives)
	for _, m := range s.members {
		all = append(all, m.shape)
	}

	for _, one := range []*shape{s.items, s.extra} {
		if one != nil {
			all = append(all, one)
		}
	}

	return all
}

// describe returns a copy of a shape with another description, and with more notes.
func (s *shape) describe(description string, deprecated bool, notes ...string) *shape {
	changed := *s
	if description != "" {
		changed.description = description
	}

	changed.deprecated = changed.deprecated || deprecated
	changed.notes = joinNotes(s.notes, notes)
	return &changed
}

// joinNotes returns the notes of both lists, each once.
func joinNotes(a, b []string) []string {
	joined := slices.Clone(a)
	for _, note := range b {
		if !slices.Contains(joined, note) {
			joined = append(joined, note)
		}
	}

	return joined
}

// signature returns a text that is equal for shapes with the same values.
func (s *shape) signature() string {
	if s == nil {
		return "-"
	}

	var b strings.Builder
	fmt.Fprintf(&b, "(%d %t %q %q %d", s.kind, s.isTime, s.literals, s.target, s.least)
	for _, inner := range slices.Concat(s.prefix, s.alternatives) {
		b.WriteString(inner.signature())
	}

	for _, m := range s.members {
		fmt.Fprintf(&b, " %q %t%s", m.name, m.required, m.shape.signature())
	}

	b.WriteString(s.items.signature() + s.extra.signature() + ")")
	return b.String()
}

// allowsNull reports whether null is a value of the shape, and returns the shape of the others.
func (s *shape) allowsNull() (others *shape, nullable bool) {
	switch s.kind {
	case null:
		return plainShape(nothing), true
	case union:
	default:
		return s, false
	}

	rest := slices.DeleteFunc(slices.Clone(s.alternatives), func(one *shape) bool { return one.kind == null })
	if len(rest) == len(s.alternatives) {
		return s, false
	}

	return uniteShapes(rest).describe(s.description, s.deprecated, s.notes...), true
}

// isMap reports whether a shape is an object without members that have a name.
func (s *shape) isMap() bool {
	return s.kind == object && len(s.members) == 0 && (s.extra == nil || s.extra.kind != nothing)
}
