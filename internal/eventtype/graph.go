package eventtype

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// relation is the place where a subschema applies, relative to the schema that holds
// it.
type relation uint8

const (
	// sameValue: the subschema applies to the same value, as with $ref and allOf.
	sameValue relation = iota
	// namedMember: to the member of a name.
	namedMember
	// anyMember: to members whose names are only in the data.
	anyMember
	// memberNames: to the names themselves.
	memberNames
	// indexedItem: to the item at an index.
	indexedItem
	// anyItem: to items at any index.
	anyItem
	// stringContent: to the content of a string; an annotation, not validated.
	stringContent
	// negatedValue: to the same value, which must not fit.
	negatedValue
)

// edge leads from a schema to a schema inside it, or to one that it refers to.
type edge struct {
	relation relation
	name     string // of a member
	index    int    // of an item
	to       *jsonschema.Schema
}

// graph holds all schemas that can be reached from a schema.
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
			return nil, invalidSchema(pointerOf(s.Location), "only JSON Schema draft 2020-12 is understood")
		}

		if g.all = append(g.all, s); len(g.all) > MaxSubschemas {
			return nil, invalidSchema("", fmt.Sprintf("it holds, or refers to, more than %d schemas", MaxSubschemas))
		}

		g.edges[s] = edgesOf(s)
		for _, e := range g.edges[s] {
			queue = append(queue, e.to)
		}
	}

	return g, nil
}

// edgesOf lists the schemas that a schema holds or refers to.
func edgesOf(s *jsonschema.Schema) (edges []edge) {
	add := func(p relation, to *jsonschema.Schema) {
		if to != nil {
			edges = append(edges, edge{relation: p, to: to})
		}
	}
	add(sameValue, s.Ref)
	if s.DynamicRef != nil {
		add(sameValue, s.DynamicRef.Ref)
	}

	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, to := range list {
			add(sameValue, to)
		}
	}

	for _, to := range []*jsonschema.Schema{s.If, s.Then, s.Else} {
		add(sameValue, to)
	}

	for _, to := range s.DependentSchemas {
		add(sameValue, to)
	}

	add(negatedValue, s.Not)
	for name, to := range s.Properties {
		edges = append(edges, edge{relation: namedMember, name: name, to: to})
	}

	for _, to := range s.PatternProperties {
		add(anyMember, to)
	}

	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		add(anyMember, additional)
	}

	add(anyMember, s.UnevaluatedProperties)
	add(memberNames, s.PropertyNames)
	for index, to := range s.PrefixItems {
		edges = append(edges, edge{relation: indexedItem, index: index, to: to})
	}

	for _, to := range []*jsonschema.Schema{s.Items2020, s.Contains, s.UnevaluatedItems} {
		add(anyItem, to)
	}

	add(stringContent, s.ContentSchema)
	return edges
}
