package eventtype

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// ignoreRedacted removes from the errors of a payload the ones that redaction may have
// caused: the marks were applied to the payload before, so its redacted values differ
// from the values as sent. It returns nil when no error is left.
func (m *marks) ignoreRedacted(err *jsonschema.ValidationError) *jsonschema.ValidationError {
	if !m.hasMarks() {
		return err
	}

	at := err.InstanceLocation
	if m.markedStep(at) >= 0 || m.isUnsure(err.SchemaURL) {
		return nil
	}

	left := *err
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		missing := m.notDropped(at, k.Missing)
		if len(missing) == 0 {
			return nil
		}

		left.ErrorKind = &kind.Required{Missing: missing}
	case *kind.DependentRequired:
		missing := m.notDropped(at, k.Missing)
		if len(missing) == 0 {
			return nil
		}

		left.ErrorKind = &kind.DependentRequired{Prop: k.Prop, Missing: missing}
	case *kind.Not, *kind.Const, *kind.Enum, *kind.UniqueItems, *kind.MinProperties, *kind.Contains, *kind.MinContains, *kind.MaxContains:
		if len(m.schemasAt(at)) > 0 { // they depend on the whole value, including its marked values
			return nil
		}
	}

	if len(err.Causes) == 0 {
		if _, several := err.ErrorKind.(*kind.OneOf); several && len(m.schemasAt(at)) > 0 {
			return nil // redaction may be why more than one alternative fits
		}

		return &left
	}

	left.Causes = nil
	for _, cause := range err.Causes {
		if cause = m.ignoreRedacted(cause); cause != nil {
			left.Causes = append(left.Causes, cause)
		}
	}

	switch err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if len(left.Causes) < len(err.Causes) {
			return nil // one of the alternatives may have fitted before redaction
		}
	}

	if len(left.Causes) == 0 {
		return nil
	}

	return &left
}

// schemasAt returns the schemas that lead to marks and apply at a path.
func (m *marks) schemasAt(path []string) []*jsonschema.Schema {
	schemas := m.schemasHere([]*jsonschema.Schema{m.root})
	for _, token := range path {
		schemas = m.stepSchemas(schemas, token)
	}

	return schemas
}

// notDropped returns the names of members that are missing for another reason than a
// mark.
func (m *marks) notDropped(path, names []string) []string {
	schemas := m.schemasAt(path)
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return m.strongestMark(m.memberSchemas(schemas, name)) == Drop
	})
}

func (m *marks) isUnsure(location string) bool {
	return slices.ContainsFunc(m.unsure, func(place string) bool {
		return location == place || strings.HasPrefix(location, place+"/")
	})
}

// collectUnsure collects the places that apply under conditions on values that marks
// change.
func (m *marks) collectUnsure(g *graph) {
	names := map[string]bool{}
	for _, s := range g.all {
		for _, e := range g.edges[s] {
			if e.relation == namedMember && m.leads[e.to] {
				names[e.name] = true
			}
		}
	}

	for _, s := range g.all {
		if s.If == nil || !m.looksAt(s.If, names, map[*jsonschema.Schema]bool{}) {
			continue
		}

		for _, branch := range []*jsonschema.Schema{s.Then, s.Else} {
			if branch != nil {
				m.unsure = append(m.unsure, branch.Location)
			}
		}
	}
}

// looksAt reports whether a condition depends on a mark, or on a member with one of the
// names.
func (m *marks) looksAt(s *jsonschema.Schema, names map[string]bool, seen map[*jsonschema.Schema]bool) bool {
	if seen[s] {
		return false
	}

	seen[s] = true
	if m.leads[s] || slices.ContainsFunc(s.Required, func(name string) bool { return names[name] }) {
		return true
	}

	return slices.ContainsFunc(m.edges[s], func(e edge) bool {
		return (e.relation == namedMember && names[e.name]) || m.looksAt(e.to, names, seen)
	})
}
