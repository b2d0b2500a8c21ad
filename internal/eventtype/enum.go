package eventtype

import (
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/the-eye-events/the-eye/internal/event"
)

// shortEnum is how many values of an enum are compared one by one.
const shortEnum = 8

// enumeration is a long enum that is looked up: to compare a number with thousands of
// others one by one takes milliseconds.
type enumeration struct {
	values []any
	known  map[string]struct{}
}

// Validate implements jsonschema.SchemaExt.
func (e *enumeration) Validate(ctx *jsonschema.ValidatorContext, value any) {
	if _, found := e.known[identity(value)]; !found {
		ctx.AddError(&kind.Enum{Got: value, Want: e.values})
	}
}

// identity is a text that equal values have in common.
func identity(value any) string {
	if text, ok := value.(string); ok {
		return "text " + text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "" // it cannot be, for it was read from JSON
	}
	return "JSON " + string(event.Canonical(text))
}

// lookUpEnums puts what is looked up into the place of long enums.
func (g *graph) lookUpEnums() {
	for _, s := range g.all {
		if s.Enum == nil || len(s.Enum.Values) <= shortEnum {
			continue
		}
		e := &enumeration{values: s.Enum.Values, known: make(map[string]struct{}, len(s.Enum.Values))}
		for _, value := range s.Enum.Values {
			e.known[identity(value)] = struct{}{}
		}
		s.Enum = nil
		s.Extensions = append(s.Extensions, e)
	}
}
