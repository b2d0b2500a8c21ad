package eventtype

import (
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/the-eye-events/the-eye/internal/event"
)

// MaxEvaluations bounds how many schemas one path of values through an event may be
// held against, all of its levels together. A schema that refers to another one twice on
// each level would otherwise cost two to the power of the levels.
const MaxEvaluations = 2000

// errCostly tells that a schema goes beyond MaxEvaluations, errCircular that it refers
// to itself without a step into the data.
var (
	errCostly   = errors.New("costly")
	errCircular = errors.New("circular")
)

// cost works out the worst case of a schema.
type cost struct {
	*graph

	closures map[*jsonschema.Schema]*closure
	known    map[visit]load
}

// closure is what one value is held against because of one schema: the schema and all
// that apply to the same value, each with how often.
type closure struct {
	total int
	times map[*jsonschema.Schema]int
	// price is that of all of them together.
	price price
}

type visit struct {
	schema *jsonschema.Schema
	levels int
}

// The bounds of what one payload may cost: a tenth of a second's work or so each.
const (
	// MaxPayloadEvaluations bounds the values of one payload times the schemas that one
	// value may have to be held against.
	MaxPayloadEvaluations = 500_000
	// MaxPayloadMatching bounds the characters of one payload times the size of the regular
	// expressions that one text may have to be held against. One expression that is as
	// large as may be can be held against any event of the usual size.
	MaxPayloadMatching = 70_000_000
)

// price is what something costs: in steps, each of which is a schema that is held against
// a value, or takes as long; and in instructions of expressions for each character.
type price struct {
	steps int
	match int
}

// lookups is how many names an object is asked for in the time of a step.
const lookups = 4

// priceOf is what a schema costs by itself, those inside of it apart.
func priceOf(s *jsonschema.Schema) price {
	names := len(s.Required) + len(s.DependentRequired) + len(s.DependentSchemas)
	for _, required := range s.DependentRequired {
		names += len(required)
	}
	p := price{steps: 1 + names/lookups + len(s.PatternProperties)}
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
	return 0 // of the schema for schemas
}

// size is how large a payload is.
type size struct {
	values     int
	characters int
}

// sizeOf counts the values of a payload, itself included, and the bytes of its texts.
func sizeOf(value any) size {
	n := size{values: 1}
	add := func(inner any) {
		of := sizeOf(inner)
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

// checkCost refuses a schema that could be too expensive for some event. It returns the
// most that one value may cost.
func (g *graph) checkCost() (widest price, err error) {
	c := cost{graph: g, closures: map[*jsonschema.Schema]*closure{}, known: map[visit]load{}}
	for _, s := range g.all { // whatever part of it is reached
		if _, err := c.close(s, map[*jsonschema.Schema]bool{}); errors.Is(err, errCircular) {
			return widest, wrongSchema(pointerOf(s.Location), "it refers to itself without a step into the data")
		} else if err != nil {
			return widest, c.costly()
		}
	}
	all, err := c.worst(g.root, event.DefaultRules().Depth)
	if err != nil {
		return widest, c.costly()
	}
	return all.dearest, nil
}

func (c *cost) costly() error {
	return wrongSchema("", fmt.Sprintf("a value could have to be held against more than %d schemas; use fewer alternatives, and refer to a schema once on each level", MaxEvaluations))
}

// close returns what applies to the same value as s does.
func (c *cost) close(s *jsonschema.Schema, open map[*jsonschema.Schema]bool) (*closure, error) {
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
		if e.place != here && e.place != negated {
			continue
		}
		inner, err := c.close(e.to, open)
		if err != nil {
			return nil, err
		}
		if all.total += inner.total; all.total > MaxEvaluations {
			return nil, errCostly
		}
		all.price = all.price.plus(inner.price)
		for schema, n := range inner.times {
			all.times[schema] += n
		}
	}
	c.closures[s] = all
	return all, nil
}

// load is what a schema costs for a value with all that is inside of it.
type load struct {
	// path is the number of evaluations along the most expensive path of values, and
	// dearest the price of the value that costs most.
	path    int
	dearest price
}

func (p price) plus(q price) price {
	return price{steps: p.steps + q.steps, match: p.match + q.match}
}

func (p price) max(q price) price {
	return price{steps: max(p.steps, q.steps), match: max(p.match, q.match)}
}

func (l load) plus(m load) load {
	return load{path: l.path + m.path, dearest: l.dearest.plus(m.dearest)}
}

func (l load) max(m load) load {
	return load{path: max(l.path, m.path), dearest: l.dearest.max(m.dearest)}
}

func (l load) times(n int) load {
	return load{path: n * l.path, dearest: price{steps: n * l.dearest.steps, match: n * l.dearest.match}}
}

// worst is the load of a schema for a value that is so many levels deep. What is said of
// one child by several schemas adds up.
func (c *cost) worst(s *jsonschema.Schema, levels int) (load, error) {
	if known, found := c.known[visit{s, levels}]; found {
		return known, nil
	}
	all, err := c.close(s, map[*jsonschema.Schema]bool{})
	if err != nil || levels == 0 {
		return load{}, err
	}
	var members, items shares
	for schema, times := range all.times {
		for _, e := range c.edges[schema] {
			if e.place == here || e.place == negated || e.place == content {
				continue
			}
			inner, err := c.worst(e.to, levels-1)
			if err != nil {
				return load{}, err
			}
			switch inner = inner.times(times); e.place {
			case member:
				members.add(e.name, inner)
			case item:
				items.add(fmt.Sprint(e.index), inner)
			case someItem:
				items.all = items.all.plus(inner)
			default:
				members.all = members.all.plus(inner)
			}
		}
	}
	child := members.most().max(items.most())
	total := load{path: all.total + child.path, dearest: all.price.max(child.dearest)}
	if total.path > MaxEvaluations {
		return load{}, errCostly
	}
	c.known[visit{s, levels}] = total
	return total, nil
}

// shares adds up what applies to each child of a value.
type shares struct {
	all   load
	named map[string]load
}

func (s *shares) add(name string, l load) {
	if s.named == nil {
		s.named = map[string]load{}
	}
	s.named[name] = s.named[name].plus(l)
}

// most is what applies to the child that most applies to.
func (s *shares) most() load {
	var most load
	for _, l := range s.named {
		most = most.max(l)
	}
	return s.all.plus(most)
}
