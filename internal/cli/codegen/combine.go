package codegen

import (
	"slices"
	"strings"
)

// uniteShapes returns the shape whose values are those of any of the shapes.
func uniteShapes(all []*shape) *shape {
	var flat []*shape
	for _, one := range all {
		if one.kind == union {
			flat = append(flat, one.alternatives...)
		} else if one.kind != nothing {
			flat = append(flat, one)
		}
	}

	for _, one := range flat {
		if one.kind == anything {
			return one
		}
	}

	flat = dropContained(flat)
	switch {
	case len(flat) == 0:
		return plainShape(nothing)
	case len(flat) == 1:
		return flat[0]
	case len(flat) > maxAlternatives:
		return anyShape(tooManyVariants)
	}

	return boundSize(&shape{kind: union, alternatives: flat})
}

// dropContained joins the literals of a list, and leaves out each shape whose values another
// one has.
func dropContained(all []*shape) []*shape {
	var kept []*shape
	var values *shape
	seen := map[string]bool{}
	for _, one := range all {
		signature := one.signature()
		switch {
		case seen[signature]:
		case one.kind == literal && values != nil:
			values.literals = joinNotes(values.literals, one.literals)
		case one.kind == literal:
			values = one.describe("", false)
			values.literals = slices.Clone(one.literals)
			kept = append(kept, values)
		default:
			kept = append(kept, one)
		}

		seen[signature] = true
	}

	has := func(k kind) bool { return slices.ContainsFunc(kept, func(one *shape) bool { return one.kind == k }) }
	if values != nil {
		values.literals = slices.DeleteFunc(values.literals, func(value string) bool {
			return has(kindOf(value)) || kindOf(value) == integer && has(number)
		})
	}

	return slices.DeleteFunc(kept, func(one *shape) bool {
		return one.kind == integer && has(number) || one == values && len(values.literals) == 0
	})
}

// kindOf returns the kind of a literal's JSON text.
func kindOf(value string) kind {
	switch {
	case strings.HasPrefix(value, `"`):
		return text
	case value == "true" || value == "false":
		return boolean
	case isWhole(value):
		return integer
	}

	return number
}

// intersectShapes returns the shape whose values are those of both shapes. Where that cannot be
// expressed, it is wider and has a note.
func intersectShapes(a, b *shape) *shape {
	switch {
	case a.kind == anything:
		return b.describe("", a.deprecated, a.notes...).describe(a.description, false)
	case b.kind == anything:
		return a.describe("", b.deprecated, b.notes...).describe(orElse(a.description, b.description), false)
	case a.kind == union:
		return distributeShapes(a, func(one *shape) *shape { return intersectShapes(one, b) })
	case b.kind == union:
		return distributeShapes(b, func(one *shape) *shape { return intersectShapes(a, one) })
	}

	met := intersectKinds(a, b)
	return boundSize(met.describe(orElse(a.description, orElse(b.description, met.description)), a.deprecated || b.deprecated, joinNotes(a.notes, b.notes)...))
}

// distributeShapes applies change to each alternative of a union.
func distributeShapes(s *shape, change func(*shape) *shape) *shape {
	changed := make([]*shape, len(s.alternatives))
	for i, one := range s.alternatives {
		changed[i] = change(one)
	}

	return uniteShapes(changed).describe(s.description, s.deprecated, s.notes...)
}

func orElse(first, second string) string {
	if first == "" {
		return second
	}

	return first
}

// intersectKinds intersects two shapes that are neither unions nor any value.
func intersectKinds(a, b *shape) *shape {
	switch {
	case a.kind == reference && b.kind == reference && a.target == b.target:
		return a
	case a.kind == reference:
		return a.describe("", false, "another schema applies beside the named one")
	case b.kind == reference:
		return b.describe("", false, "another schema applies beside the named one")
	case a.kind == literal && b.kind == literal:
		return keepLiterals(a, func(value string) bool { return slices.Contains(b.literals, value) })
	case a.kind == literal:
		return keepLiterals(a, func(value string) bool { return hasKind(value, b.kind) })
	case b.kind == literal:
		return keepLiterals(b, func(value string) bool { return hasKind(value, a.kind) })
	case a.kind == integer && b.kind == number:
		return a
	case a.kind == number && b.kind == integer:
		return b
	case a.kind != b.kind:
		return plainShape(nothing)
	}

	switch a.kind {
	case text:
		met := *a
		met.isBounded = a.isBounded || b.isBounded
		met.isTime = a.isTime || b.isTime
		return &met
	case array:
		return intersectArrays(a, b)
	case object:
		return intersectObjects(a, b)
	default:
		return a
	}
}

func hasKind(value string, k kind) bool {
	return kindOf(value) == k || kindOf(value) == integer && k == number
}

// keepLiterals returns the values of a literal that keep accepts.
func keepLiterals(s *shape, keep func(value string) bool) *shape {
	kept := *s
	kept.literals = nil
	for _, value := range s.literals {
		if keep(value) {
			kept.literals = append(kept.literals, value)
		}
	}

	if len(kept.literals) == 0 {
		return plainShape(nothing)
	}

	return &kept
}

func intersectArrays(a, b *shape) *shape {
	const unread = "more than one schema describes the items"
	switch {
	case len(a.prefix) > 0:
		return a.describe("", false, unread)
	case len(b.prefix) > 0:
		return b.describe("", false, unread)
	}

	met := *a
	met.least = max(a.least, b.least)
	met.items = intersectShapes(a.items, b.items)
	return &met
}

// intersectObjects joins the members of two objects. A member that only one of them names has
// that description, also if the other one is closed: schemas that are composed this way mean it
// so.
func intersectObjects(a, b *shape) *shape {
	met := *a
	met.members = slices.Clone(a.members)
	for _, other := range b.members {
		i, found := slices.BinarySearchFunc(met.members, other.name, func(m member, name string) int { return strings.Compare(m.name, name) })
		if !found {
			met.members = slices.Insert(met.members, i, other)
			continue
		}

		mine := met.members[i]
		met.members[i] = member{mine.name, mine.required || other.required, intersectShapes(mine.shape, other.shape)}
	}

	switch {
	case a.extra == nil:
		met.extra = b.extra
	case b.extra != nil:
		met.extra = intersectShapes(a.extra, b.extra)
	}

	return &met
}

// widenObjects returns one object that has the values of several: a member is required where all
// require it.
func widenObjects(all []*shape) *shape {
	wide := &shape{kind: object}
	uses := map[string]int{}
	shapes := map[string][]*shape{}
	for _, one := range all {
		for _, m := range one.members {
			shapes[m.name] = append(shapes[m.name], m.shape)
			if m.required {
				uses[m.name]++
			}
		}

		if one.extra != nil && one.extra.kind != nothing || one.isMap() {
			wide.extra = anyShape()
		}
	}

	for _, name := range sortedNames(shapes) {
		wide.members = append(wide.members, member{name, uses[name] == len(all), uniteShapes(shapes[name])})
	}

	return boundSize(wide)
}
