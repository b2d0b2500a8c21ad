package eventtype

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// place is where a subschema applies, seen from the schema that holds it.
type place uint8

const (
	// here: to the same value, as with $ref and allOf.
	here place = iota
	// member: to the member of a name.
	member
	// someMember: to members whose names only the data has.
	someMember
	// memberName: to the names themselves.
	memberName
	// item: to the item at an index.
	item
	// someItem: to items at any index.
	someItem
	// content: to what a string holds; an annotation, not validated.
	content
	// negated: to the same value, which must not fit.
	negated
)

// edge leads from a schema to one inside of it, or to one that it refers to.
type edge struct {
	place place
	name  string // of a member
	index int    // of an item
	to    *jsonschema.Schema
}

// graph is everything that can be reached from a schema.
type graph struct {
	root  *jsonschema.Schema
	all   []*jsonschema.Schema
	edges map[*jsonschema.Schema][]edge
}

func newGraph(root *jsonschema.Schema) (*graph, error) {
	g := &graph{root: root, edges: map[*jsonschema.Schema][]edge{}}
	for queue := []*jsonschema.Schema{root}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if _, known := g.edges[s]; known {
			continue
		}
		if s.DraftVersion != 0 && s.DraftVersion != 2020 {
			return nil, wrongSchema(pointerOf(s.Location), "only JSON Schema draft 2020-12 is understood")
		}
		if g.all = append(g.all, s); len(g.all) > MaxSubschemas {
			return nil, wrongSchema("", fmt.Sprintf("it holds, or refers to, more than %d schemas", MaxSubschemas))
		}
		g.edges[s] = edgesOf(s)
		for _, e := range g.edges[s] {
			queue = append(queue, e.to)
		}
	}
	return g, nil
}

// edgesOf lists what a schema holds and refers to.
func edgesOf(s *jsonschema.Schema) (edges []edge) {
	add := func(p place, to *jsonschema.Schema) {
		if to != nil {
			edges = append(edges, edge{place: p, to: to})
		}
	}
	add(here, s.Ref)
	if s.DynamicRef != nil {
		add(here, s.DynamicRef.Ref)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, to := range list {
			add(here, to)
		}
	}
	for _, to := range []*jsonschema.Schema{s.If, s.Then, s.Else} {
		add(here, to)
	}
	for _, to := range s.DependentSchemas {
		add(here, to)
	}
	add(negated, s.Not)
	for name, to := range s.Properties {
		edges = append(edges, edge{place: member, name: name, to: to})
	}
	for _, to := range s.PatternProperties {
		add(someMember, to)
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		add(someMember, additional)
	}
	add(someMember, s.UnevaluatedProperties)
	add(memberName, s.PropertyNames)
	for index, to := range s.PrefixItems {
		edges = append(edges, edge{place: item, index: index, to: to})
	}
	for _, to := range []*jsonschema.Schema{s.Items2020, s.Contains, s.UnevaluatedItems} {
		add(someItem, to)
	}
	add(content, s.ContentSchema)
	return edges
}
