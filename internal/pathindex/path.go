package pathindex

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Path is a value in the payloads of an event type.
type Path struct {
	Category, Name string
	// Steps are the names of the members that lead to the value.
	Steps []string
}

// The name of the mark in a schema, and the value that asks for an index.
const (
	markKeyword = "x-theeye"
	markIndexed = "indexed"
)

// MarkedPaths returns the paths that a schema marks with `properties` within
// `properties`, in a fixed order. Marks in other places, for instance in elements of
// arrays, do not lead to a single value and are ignored.
func MarkedPaths(schema []byte) ([][]string, error) {
	var root any
	if err := json.Unmarshal(schema, &root); err != nil {
		return nil, fmt.Errorf("read a schema: %w", err)
	}

	var found [][]string
	var walk func(node any, steps []string)
	walk = func(node any, steps []string) {
		object, _ := node.(map[string]any) // a schema may be true or false
		if len(steps) > 0 && asksForIndex(object[markKeyword]) {
			found = append(found, slices.Clone(steps))
		}

		properties, _ := object["properties"].(map[string]any)
		for name, inner := range properties {
			walk(inner, append(steps, name))
		}
	}
	walk(root, nil)
	slices.SortFunc(found, slices.Compare[[]string])
	return found, nil
}

// asksForIndex reports whether a mark, or one of several, asks for an index.
func asksForIndex(mark any) bool {
	if several, ok := mark.([]any); ok {
		return slices.Contains(several, any(markIndexed))
	}

	return mark == markIndexed
}
