package eventtype

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// looseRedactor applies marks to a payload that does not fit its schema, so that values
// may be in other places than in the schema. It removes too much rather than too
// little:
//
//   - what is marked where the schema says, with arrays looked through and objects taken
//     for the items of arrays;
//   - at places that the schema does not describe, every member that has the name of a
//     marked property, in upper or lower case, with or without separators;
//   - every scalar that stands where an object or an array with marks inside belongs.
//
// It follows the payload by groups of schemas, and computes each group once, so that
// the time is proportional to the size of the payload. It is used by one goroutine.
type looseRedactor struct {
	marks *marks
	key   []byte
}

// applicableMarks holds the schemas and marks that may apply to one value.
type applicableMarks struct {
	schemas []*jsonschema.Schema
	mark    Mark
	// leads means that there are marks at this value or inside it.
	leads bool
	// arrays and objects mean that the schemas describe arrays or objects.
	arrays, objects bool

	members map[string]*applicableMarks
	items   *applicableMarks
	// nestedItems applies to the items, and to their items in turn.
	nestedItems *applicableMarks
}

func (m *marks) newLooseRedactor(key []byte) *looseRedactor {
	return &looseRedactor{marks: m, key: key}
}

// redactPayload applies the marks to a payload, in place.
func (l *looseRedactor) redactPayload(payload map[string]any) {
	l.redactValue(payload, l.rootMarks())
}

// redactValue returns the value to store in the place of a value.
func (l *looseRedactor) redactValue(value any, g *applicableMarks) any {
	switch g.mark {
	case Hash:
		return hashValue(value, l.key)
	case Mask:
		return maskValue(value)
	case Drop, Indexed: // its parent drops it
	}

	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			at := l.memberMarks(g, name)
			if at.mark == Drop {
				delete(v, name)
			} else {
				v[name] = l.redactValue(inner, at)
			}
		}
	case []any:
		at := l.itemMarks(g)
		for i, inner := range v {
			v[i] = l.redactValue(inner, at)
			if at.mark == Drop {
				v[i] = nil // the other items keep their indexes
			}
		}
	default:
		if g.leads {
			return maskValue(value)
		}
	}

	return value
}

// collectMarks returns the marks for a value to which some schemas apply.
func (l *looseRedactor) collectMarks(some []*jsonschema.Schema) *applicableMarks {
	g := &applicableMarks{members: map[string]*applicableMarks{}}
	seen := map[*jsonschema.Schema]bool{}

	for queue := some; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if seen[s] {
			continue
		}

		seen[s] = true
		g.schemas = append(g.schemas, s)
		g.mark = strongerMark(g.mark, l.marks.of[s])
		g.leads = g.leads || l.marks.leads[s]
		g.arrays = g.arrays || describesItems(s)
		g.objects = g.objects || describesMembers(s)
		for _, e := range l.marks.edges[s] {
			if e.relation == sameValue {
				queue = append(queue, e.to)
			}
		}
	}

	return g
}

// itemMarks returns the marks for the items of an array, at any index.
func (l *looseRedactor) itemMarks(g *applicableMarks) *applicableMarks {
	if !g.arrays {
		return g // looked through
	}

	if g.items == nil {
		g.items = l.collectMarks(l.itemsOf(g.schemas))
	}

	return g.items
}

// throughArrays returns the marks for the items of an array, and for their items in
// turn.
func (l *looseRedactor) throughArrays(g *applicableMarks) *applicableMarks {
	if g.nestedItems != nil {
		return g.nestedItems
	}

	all := l.collectMarks(l.itemsOf(g.schemas))
	for known := 0; known < len(all.schemas); {
		known = len(all.schemas)
		all = l.collectMarks(slices.Concat(all.schemas, l.itemsOf(all.schemas)))
	}

	g.nestedItems = all
	return all
}

func (l *looseRedactor) itemsOf(schemas []*jsonschema.Schema) (some []*jsonschema.Schema) {
	for _, s := range schemas {
		for _, e := range l.marks.edges[s] {
			if e.relation == indexedItem || e.relation == anyItem {
				some = append(some, e.to)
			}
		}
	}

	return some
}

// memberMarks returns the marks for the member of a name.
func (l *looseRedactor) memberMarks(g *applicableMarks, name string) *applicableMarks {
	if known := g.members[name]; known != nil {
		return known
	}

	some, described := describedMembers(g.schemas, name)
	if g.arrays && !described { // an object in the place of an array, or of its items
		inner := l.throughArrays(g)
		if isIndex(name) || (inner.mark != "" && !g.objects) {
			some = append(some, inner.schemas...)
		}

		more, found := describedMembers(inner.schemas, name)
		some = append(some, more...)
		described = found
	}

	if !described {
		some = append(some, l.marks.schemasByName(name)...)
	}

	at := l.collectMarks(some)
	g.members[name] = at
	return at
}

// describedMembers returns the schemas of a member in some schemas, and whether one of
// them names the member, by itself or by a pattern.
func describedMembers(schemas []*jsonschema.Schema, name string) (some []*jsonschema.Schema, described bool) {
	for _, s := range schemas {
		named := false
		if to := s.Properties[name]; to != nil {
			some = append(some, to)
			named = true
		}

		for expression, to := range s.PatternProperties {
			if expression.MatchString(name) {
				some = append(some, to)
				named = true
			}
		}

		if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && !named {
			some = append(some, additional)
		}

		if s.UnevaluatedProperties != nil && !named {
			some = append(some, s.UnevaluatedProperties)
		}

		described = described || named
	}

	return some, described
}

// schemasByName returns the schemas, in any place, of members of a name that lead to
// marks.
func (m *marks) schemasByName(name string) []*jsonschema.Schema {
	some := slices.Clone(m.names[foldName(name)])
	last := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])

	for expression, to := range m.patterns {
		if expression.MatchString(name) || expression.MatchString(last) {
			some = append(some, to...)
		}
	}

	return some
}

// foldName returns the same name for "userEmail", "user_email", "User-Email" and
// "form.userEmail".
func foldName(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// limitDisclosure returns the parts of a value and its place that may be shown.
func (l *looseRedactor) limitDisclosure(path []string) disclosure {
	g := l.rootMarks()
	for i, token := range path {
		at := l.memberMarks(g, token)
		if isIndex(token) {
			at = l.collectMarks(slices.Concat(l.itemMarks(g).schemas, at.schemas))
		}

		if at.mark != "" {
			return disclosure{steps: i + 1}
		}

		g = at
	}

	return disclosure{steps: len(path), names: true, value: !g.leads}
}

// rootMarks, memberMarksIfAny and itemMarksIfAny follow the marks if there are any; a
// nil looseRedactor has none.
func (l *looseRedactor) rootMarks() *applicableMarks {
	if l == nil {
		return nil
	}

	return l.collectMarks([]*jsonschema.Schema{l.marks.root})
}

func (l *looseRedactor) memberMarksIfAny(g *applicableMarks, name string) *applicableMarks {
	if l == nil {
		return nil
	}

	return l.memberMarks(g, name)
}

func (l *looseRedactor) itemMarksIfAny(g *applicableMarks) *applicableMarks {
	if l == nil {
		return nil
	}

	return l.itemMarks(g)
}
