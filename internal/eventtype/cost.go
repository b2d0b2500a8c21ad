package eventtype

import (
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/the-eye-events/the-eye/internal/event"
)

// MaxEvaluations bounds how many schemas may be evaluated along one path of values
// through an event, on all of its levels together. Otherwise a schema that refers to
// another one twice on each level would cost two to the power of the levels.
const MaxEvaluations = 2000

// errTooCostly means that a schema exceeds MaxEvaluations, errCircular that it refers
// to itself without a step into the data.
var (
	errTooCostly = errors.New("costly")
	errCircular  = errors.New("circular")
)

// costEstimator computes the worst-case cost of a schema.
type costEstimator struct {
	*graph

	closures map[*jsonschema.Schema]*closure
	known    map[loadKey]load
}

// closure is the set of schemas that are evaluated for one value because of one schema:
// the schema itself and all others that apply to the same value, each with its count.
type closure struct {
	total int
	times map[*jsonschema.Schema]int
	// price is the price of all of them together.
	price price
}

type loadKey struct {
	schema *jsonschema.Schema
	levels int
}

// The bounds of the cost of one payload: about a tenth of a second of work each.
const (
	// MaxPayloadEvaluations bounds the values of one payload times the most schemas
	// that may be evaluated for one value.
	MaxPayloadEvaluations = 500_000
	// MaxPayloadMatching bounds the characters of one payload times the total size of
	// the regular expressions that one text may be matched against. One expression of
	// the largest allowed size can be matched against any event of the usual size.
	MaxPayloadMatching = 70_000_000
)

// price is a cost: in steps, each of which is the evaluation of a schema for a value or
// takes as long; and in instructions of expressions for each character.
type price struct {
	steps int
	match int
}

// lookupsPerStep is how many names can be looked up in an object in the time of a step.
const lookupsPerStep = 4

// priceOf returns the price of a schema by itself, without the schemas inside it.
func priceOf(s *jsonschema.Schema) price {
	names := len(s.Required) + len(s.DependentRequired) + len(s.DependentSchemas)
	for _, required := range s.DependentRequired {
		names += len(required)
	}

	p := price{steps: 1 + names/lookupsPerStep + len(s.PatternProperties)}
	for expression := range s.PatternProperties {
		p.match += programOf(expression)
	}

	if s.Pattern != nil {
		p.match += programOf(s.Pattern)
	}

	if s.Enum != nil {
		for _, value := range s.Enum.Values {
			switch value.(type) {
			case map[string]any, []any: // compared one by one
				p.steps++
			}
		}
	}

	if s.Format != nil && s.Format.Name == "regex" { // the value is compiled
		p.match += maxPatternProgram
	}

	return p
}

func programOf(expression jsonschema.Regexp) int {
	if known, ok := expression.(pattern); ok {
		return known.size
	}

	return 0 // an expression of the schema for schemas
}

// payloadSize is the size of a payload.
type payloadSize struct {
	values     int
	characters int
}

// measurePayload counts the values of a payload, including itself, and the bytes of its
// texts.
func measurePayload(value any) payloadSize {
	n := payloadSize{values: 1}
	add := func(inner any) {
		of := measurePayload(inner)
		n.values += of.values
		n.characters += of.characters
	}
	switch v := value.(type) {
	case string:
		n.characters = len(v)
	case map[string]any:
		for name, inner := range v {
			n.characters += len(name)
			add(inner)
		}
	case []any:
		for _, inner := range v {
			add(inner)
		}
	}

	return n
}

// checkCost rejects a schema that could be too expensive for some event. It returns the
// highest cost of one value.
func (g *graph) checkCost() (widest price, err error) {
	c := costEstimator{graph: g, closures: map[*jsonschema.Schema]*closure{}, known: map[loadKey]load{}}
	for _, s := range g.all { // no matter which part of it is reached
		if _, err := c.computeClosure(s, map[*jsonschema.Schema]bool{}); errors.Is(err, errCircular) {
			return widest, invalidSchema(pointerOf(s.Location), "it refers to itself without a step into the data")
		} else if err != nil {
			return widest, c.tooCostlyFault()
		}
	}

	all, err := c.worstLoad(g.root, event.DefaultRules().Depth)
	if err != nil {
		return widest, c.tooCostlyFault()
	}

	return all.maxPrice, nil
}

func (c *costEstimator) tooCostlyFault() error {
	return invalidSchema("", fmt.Sprintf("a value could have to be validated against more than %d schemas; use fewer alternatives, and refer to a schema once on each level", MaxEvaluations))
}

// computeClosure returns the schemas that apply to the same value as s.
func (c *costEstimator) computeClosure(s *jsonschema.Schema, open map[*jsonschema.Schema]bool) (*closure, error) {
	if known := c.closures[s]; known != nil {
		return known, nil
	}

	if open[s] {
		return nil, errCircular
	}

	open[s] = true
	defer delete(open, s)

	all := &closure{total: 1, times: map[*jsonschema.Schema]int{s: 1}}
	all.price = priceOf(s)
	for _, e := range c.edges[s] {
		if e.relation != sameValue && e.relation != negatedValue {
			continue
		}

		inner, err := c.computeClosure(e.to, open)
		if err != nil {
			return nil, err
		}

		if all.total += inner.total; all.total > MaxEvaluations {
			return nil, errTooCostly
		}

		all.price = all.price.plus(inner.price)
		for schema, n := range inner.times {
			all.times[schema] += n
		}
	}

	c.closures[s] = all
	return all, nil
}

// load is the cost of a schema for a value and all values inside it.
type load struct {
	// path is the number of evaluations along the most expensive path of values, and
	// maxPrice the price of the most expensive value.
	path     int
	maxPrice price
}

func (p price) plus(q price) price {
	return price{steps: p.steps + q.steps, match: p.match + q.match}
}

func (p price) max(q price) price {
	return price{steps: max(p.steps, q.steps), match: max(p.match, q.match)}
}

func (l load) plus(m load) load {
	return load{path: l.path + m.path, maxPrice: l.maxPrice.plus(m.maxPrice)}
}

func (l load) max(m load) load {
	return load{path: max(l.path, m.path), maxPrice: l.maxPrice.max(m.maxPrice)}
}

func (l load) times(n int) load {
	return load{path: n * l.path, maxPrice: price{steps: n * l.maxPrice.steps, match: n * l.maxPrice.match}}
}

// worstLoad returns the load of a schema for a value with this many levels. The loads
// of several schemas for one child add up.
func (c *costEstimator) worstLoad(s *jsonschema.Schema, levels int) (load, error) {
	if known, found := c.known[loadKey{s, levels}]; found {
		return known, nil
	}

	all, err := c.computeClosure(s, map[*jsonschema.Schema]bool{})
	if err != nil || levels == 0 {
		return load{}, err
	}

	var members, items childLoads
	for schema, times := range all.times {
		for _, e := range c.edges[schema] {
			if e.relation == sameValue || e.relation == negatedValue || e.relation == stringContent {
				continue
			}

			inner, err := c.worstLoad(e.to, levels-1)
			if err != nil {
				return load{}, err
			}

			switch inner = inner.times(times); e.relation {
			case namedMember:
				members.addLoad(e.name, inner)
			case indexedItem:
				items.addLoad(fmt.Sprint(e.index), inner)
			case anyItem:
				items.all = items.all.plus(inner)
			default:
				members.all = members.all.plus(inner)
			}
		}
	}

	child := members.maxLoad().max(items.maxLoad())
	total := load{path: all.total + child.path, maxPrice: all.price.max(child.maxPrice)}
	if total.path > MaxEvaluations {
		return load{}, errTooCostly
	}

	c.known[loadKey{s, levels}] = total
	return total, nil
}

// childLoads adds up the loads for each child of a value.
type childLoads struct {
	all   load
	named map[string]load
}

func (s *childLoads) addLoad(name string, l load) {
	if s.named == nil {
		s.named = map[string]load{}
	}

	s.named[name] = s.named[name].plus(l)
}

// maxLoad returns the load for the most expensive child.
func (s *childLoads) maxLoad() load {
	var most load
	for _, l := range s.named {
		most = most.max(l)
	}

	return s.all.plus(most)
}
