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
	known    map[visit]int
}

// closure is what one value is held against because of one schema: the schema and all
// that apply to the same value, each with how often.
type closure struct {
	total int
	times map[*jsonschema.Schema]int
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
	c := cost{graph: g, closures: map[*jsonschema.Schema]*closure{}, known: map[visit]int{}}
	for _, s := range g.all { // whatever part of it is reached
		if _, err := c.close(s, map[*jsonschema.Schema]bool{}); errors.Is(err, errCircular) {
			return widest, wrongSchema(pointerOf(s.Location), "it refers to itself without a step into the data")
		} else if err != nil {
			return widest, c.costly()
		}
		of := price{}
		for applied, times := range c.closures[s].times {
			own := priceOf(applied)
			of.steps += times * own.steps
			of.match += times * own.match
		}
		widest = price{steps: max(widest.steps, of.steps), match: max(widest.match, of.match)}
	}
	if _, err := c.worst(g.root, event.DefaultRules().Depth); err != nil {
		return widest, c.costly()
	}
	return widest, nil
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
		for schema, n := range inner.times {
			all.times[schema] += n
		}
	}
	c.closures[s] = all
	return all, nil
}

// worst is the number of evaluations along the most expensive path of values that is so
// many levels long.
func (c *cost) worst(s *jsonschema.Schema, levels int) (int, error) {
	if known, found := c.known[visit{s, levels}]; found {
		return known, nil
	}
	all, err := c.close(s, map[*jsonschema.Schema]bool{})
	if err != nil || levels == 0 {
		return 0, err
	}
	var members, items shares
	for schema, times := range all.times {
		for _, e := range c.edges[schema] {
			if e.place == here || e.place == negated || e.place == content {
				continue
			}
			inner, err := c.worst(e.to, levels-1)
			if err != nil {
				return 0, err
			}
			switch e.place {
			case member:
				members.add(e.name, times*inner)
			case item:
				items.add(fmt.Sprint(e.index), times*inner)
			case someItem:
				items.all += times * inner
			default:
				members.all += times * inner
			}
		}
	}
	total := all.total + max(members.most(), items.most())
	if total > MaxEvaluations {
		return 0, errCostly
	}
	c.known[visit{s, levels}] = total
	return total, nil
}

// shares adds up what applies to each child of a value.
type shares struct {
	all   int
	named map[string]int
}

func (s *shares) add(name string, n int) {
	if s.named == nil {
		s.named = map[string]int{}
	}
	s.named[name] += n
}

// most is what applies to the child that most applies to.
func (s *shares) most() int {
	most := 0
	for _, n := range s.named {
		most = max(most, n)
	}
	return s.all + most
}
