package eventtype

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MarkKeyword is the keyword by which a schema marks a property. Its value is one of the
// marks, or an array of them.
const MarkKeyword = "x-theeye"

// Mark is the special treatment of a property.
type Mark string

// The marks.
const (
	// Drop leaves the property out of the stored payload.
	Drop Mark = "drop"
	// Hash stores a keyed hash in place of the value: equal values stay equal, and
	// nothing more can be learned from the hash.
	Hash Mark = "hash"
	// Mask keeps the shape of the value: letters and digits become *, numbers 0,
	// booleans false.
	Mask Mark = "mask"
	// Indexed makes filters on the property fast.
	Indexed Mark = "indexed"
)

// extension is MarkKeyword in a compiled schema.
type extension struct{ value any }

// Validate implements jsonschema.SchemaExt: a mark rejects nothing.
func (*extension) Validate(*jsonschema.ValidatorContext, any) {}

func markVocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "https://the-eye.dev/vocabulary/marks",
		Compile: func(_ *jsonschema.CompilerContext, schema map[string]any) (jsonschema.SchemaExt, error) {
			if value, found := schema[MarkKeyword]; found {
				return &extension{value}, nil
			}

			return nil, nil //nolint:nilnil // the library's contract
		},
	}
}

// marksOf reads the marks of one schema; a text that is not a mark is an error.
func marksOf(s *jsonschema.Schema) ([]Mark, error) {
	var found []Mark
	for _, e := range s.Extensions {
		e, ok := e.(*extension)
		if !ok {
			continue
		}

		values, isList := e.value.([]any)
		if !isList {
			values = []any{e.value}
		}

		for _, value := range values {
			text, _ := value.(string)
			mark := Mark(text)
			if !slices.Contains([]Mark{Drop, Hash, Mask, Indexed}, mark) {
				return nil, errors.New(MarkKeyword + " is one of drop, hash, mask and indexed, or an array of them")
			}

			found = append(found, mark)
		}
	}

	return found, nil
}

// marks are all marks of a schema, ready to be applied.
type marks struct {
	root *jsonschema.Schema
	// of are the marks that change the stored value.
	of map[*jsonschema.Schema]Mark
	// leads holds the schemas from which such a mark can be reached.
	leads map[*jsonschema.Schema]bool
	edges map[*jsonschema.Schema][]edge
	// names holds the schemas of properties that lead to marks, in any place, by their
	// folded names, and patterns the schemas of properties whose names match an
	// expression.
	names    map[string][]*jsonschema.Schema
	patterns map[jsonschema.Regexp][]*jsonschema.Schema
	// unsure are the places in the schema that apply under a condition on values that
	// marks change.
	unsure []string
}

func (m *marks) hasMarks() bool { return len(m.of) > 0 }

// readMarks collects the marks and rejects the ones that cannot be applied.
func (g *graph) readMarks() (marks, error) {
	m := marks{root: g.root, of: map[*jsonschema.Schema]Mark{}, leads: map[*jsonschema.Schema]bool{}, edges: g.edges}
	for _, s := range g.all {
		found, err := marksOf(s)
		if err != nil {
			return m, invalidSchema(pointerOf(s.Location)+"/"+MarkKeyword, err.Error())
		}

		for _, mark := range found {
			if mark == Indexed {
				continue
			}

			if before := m.of[s]; before != "" && before != mark {
				return m, invalidSchema(pointerOf(s.Location)+"/"+MarkKeyword, "a property is dropped, hashed or masked, and not two of these")
			}

			m.of[s] = mark
		}
	}

	if !m.hasMarks() {
		return marks{}, nil
	}

	for s, mark := range m.of {
		if err := g.checkMark(s, mark); err != nil {
			return m, err
		}
	}

	if err := m.computeReach(g); err != nil {
		return m, err
	}

	if m.strongestMark(m.schemasHere([]*jsonschema.Schema{g.root})) != "" {
		return m, invalidSchema("", "a mark applies to the whole payload; mark properties")
	}

	m.collectUnsure(g)
	m.collectNames(g)
	return m, nil
}

// collectNames collects the names of properties that lead to marks.
func (m *marks) collectNames(g *graph) {
	m.names = map[string][]*jsonschema.Schema{}
	m.patterns = map[jsonschema.Regexp][]*jsonschema.Schema{}

	for _, s := range g.all {
		for name, to := range s.Properties {
			if folded := foldName(name); m.leads[to] {
				m.names[folded] = append(m.names[folded], to)
			}
		}

		for expression, to := range s.PatternProperties {
			if m.leads[to] {
				m.patterns[expression] = append(m.patterns[expression], to)
			}
		}
	}
}

// strongerMark returns the mark that keeps less.
func strongerMark(a, b Mark) Mark {
	for _, mark := range []Mark{Drop, Hash, Mask} {
		if a == mark || b == mark {
			return mark
		}
	}

	return ""
}

// checkMark rejects a mark in a place where the value it applies to is unclear.
func (g *graph) checkMark(s *jsonschema.Schema, mark Mark) error {
	at := pointerOf(s.Location)
	if !strings.HasPrefix(s.Location, baseURL+"#") {
		return invalidSchema("", "a schema with marks must not hold a $id inside")
	}

	if s == g.root {
		return invalidSchema("/"+MarkKeyword, "mark properties, not the whole payload")
	}

	if tokens := strings.Split(at, "/"); mark == Drop && (len(tokens) < 2 || tokens[len(tokens)-2] != "properties") {
		return invalidSchema(at+"/"+MarkKeyword, "drop belongs to a schema directly under properties")
	}

	return nil
}

// computeReach computes the schemas from which marks can be reached, and rejects paths
// to marks that cannot be followed in the data.
func (m *marks) computeReach(g *graph) error {
	for s := range m.of {
		m.leads[s] = true
	}

	for grown := true; grown; {
		grown = false
		for _, s := range g.all {
			for _, e := range g.edges[s] {
				if !m.leads[e.to] {
					continue
				}

				if e.relation == memberNames || e.relation == stringContent || e.relation == negatedValue || s.DynamicRef != nil {
					return invalidSchema(pointerOf(s.Location), "a mark cannot be followed through not, propertyNames, contentSchema or $dynamicRef")
				}

				if !m.leads[s] {
					m.leads[s] = true
					grown = true
				}
			}
		}
	}

	return nil
}

// unescapeFragment reads a JSON Pointer from the fragment of a URL.
func unescapeFragment(fragment string) string {
	if text, err := url.PathUnescape(fragment); err == nil {
		return text
	}

	return fragment
}
