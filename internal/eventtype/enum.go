package eventtype

import (
	"encoding/json"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/the-eye-events/the-eye/internal/event"
)

// shortEnum is the largest number of values of an enum that are compared one by one.
const shortEnum = 8

// enumeration is a long enum whose values are looked up: comparing a number with
// thousands of others one by one takes milliseconds.
type enumeration struct {
	values  []any
	texts   map[string]struct{}
	scalars map[string]struct{}
	// others are objects and arrays, which are compared one by one.
	others []any
}

// Validate implements jsonschema.SchemaExt.
func (e *enumeration) Validate(ctx *jsonschema.ValidatorContext, value any) {
	var found bool
	switch v := value.(type) {
	case string:
		_, found = e.texts[v]
	case map[string]any, []any:
		found = slices.ContainsFunc(e.others, func(other any) bool {
			same, err := ctx.Equals(v, other)
			return same && err == nil
		})
	default:
		_, found = e.scalars[scalarIdentity(v)]
	}

	if !found {
		ctx.AddError(&kind.Enum{Got: value, Want: e.values})
	}
}

// scalarIdentity returns a text that is the same for equal numbers, equal booleans, or
// nulls.
func scalarIdentity(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "" // impossible, because the value was read from JSON
	}

	return string(event.Canonicalize(text))
}

// lookUpEnums replaces long enums by enumerations.
func (g *graph) lookUpEnums() {
	for _, s := range g.all {
		if s.Enum == nil || len(s.Enum.Values) <= shortEnum {
			continue
		}

		e := &enumeration{values: s.Enum.Values, texts: map[string]struct{}{}, scalars: map[string]struct{}{}}
		for _, value := range s.Enum.Values {
			switch v := value.(type) {
			case string:
				e.texts[v] = struct{}{}
			case map[string]any, []any:
				e.others = append(e.others, v)
			default:
				e.scalars[scalarIdentity(v)] = struct{}{}
			}
		}

		s.Enum = nil
		s.Extensions = append(s.Extensions, e)
	}
}
