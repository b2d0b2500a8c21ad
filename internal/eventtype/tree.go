package eventtype

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// readTree reads JSON so that the members of objects keep their order: an object, []any,
// json.Number, string, bool or nil. The text was checked before.
func readTree(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := readBranch(decoder)
	if err != nil {
		return nil, fmt.Errorf("read a schema: %w", err)
	}

	return value, nil
}

func readBranch(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err //nolint:wrapcheck // readTree wraps it
	}

	switch token {
	case json.Delim('{'):
		members := orderedObject{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err //nolint:wrapcheck // as above
			}

			value, err := readBranch(decoder)
			if err != nil {
				return nil, err
			}

			text, _ := name.(string) // names in JSON are always strings
			members = append(members, objectMember{text, value})
		}

		_, err = decoder.Token()
		return members, err //nolint:wrapcheck // as above
	case json.Delim('['):
		items := []any{}
		for decoder.More() {
			value, err := readBranch(decoder)
			if err != nil {
				return nil, err
			}

			items = append(items, value)
		}

		_, err = decoder.Token()
		return items, err //nolint:wrapcheck // as above
	}

	return token, nil
}

// get returns the value of a member, nil if there is none.
func (o orderedObject) get(name string) any {
	if i := o.index(name); i >= 0 {
		return o[i].value
	}

	return nil
}

func (o orderedObject) has(name string) bool { return o.index(name) >= 0 }

func (o orderedObject) index(name string) int {
	return slices.IndexFunc(o, func(p objectMember) bool { return p.name == name })
}

// child is a schema inside a schema.
type child struct {
	keyword string
	// name is the member or the index whose value the child is; "" if the keyword's
	// value itself is the schema.
	name   string
	schema any
}

// path returns the place of a child below its parent.
func (c child) path() string {
	if c.name == "" && c.keyword != "" {
		return formatPointer([]string{c.keyword})
	}

	return formatPointer([]string{c.keyword, c.name})
}

// childSchemas lists the schemas directly inside a schema, by the keywords of any
// draft.
func childSchemas(schema orderedObject, known map[string]keyword) (all []child) {
	for _, p := range schema {
		holds := known[p.name].layout
		switch value := p.value.(type) {
		case orderedObject:
			switch holds {
			case oneSchema, schemaOrMany:
				all = append(all, child{p.name, "", value})
			case namedSchemas:
				for _, inner := range value {
					all = append(all, child{p.name, inner.name, inner.value})
				}
			case noSchema, manySchemas:
			}
		case []any:
			if holds == manySchemas || holds == schemaOrMany {
				for i, inner := range value {
					all = append(all, child{p.name, strconv.Itoa(i), inner})
				}
			}
		}
	}

	return all
}

// resolvePointer returns the value that a JSON Pointer leads to.
func resolvePointer(tree any, path string) (value any, found bool) {
	if path == "" {
		return tree, true
	}

	for token := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch v := tree.(type) {
		case orderedObject:
			if !v.has(token) {
				return nil, false
			}

			tree = v.get(token)
		case []any:
			index, err := strconv.Atoi(token)
			if err != nil || index < 0 || index >= len(v) {
				return nil, false
			}

			tree = v[index]
		default:
			return nil, false
		}
	}

	return tree, true
}

// locatedSchema is a schema at its place in a document.
type locatedSchema struct {
	at     string
	schema orderedObject
	// parent is the place of the schema that holds this schema.
	parent string
}

// schemasOf lists the schemas of a document with their places: the schemas under
// keywords, and the schemas in other places that a $ref leads to. Each is listed once,
// the outer ones first.
func schemasOf(tree any, known map[string]keyword) (all []locatedSchema) {
	seen := map[string]bool{}
	visit := func(path string, value any, inside string) {
		if schema, ok := value.(orderedObject); ok && !seen[path] {
			seen[path] = true
			all = append(all, locatedSchema{path, schema, inside})
		}
	}

	visit("", tree, "")
	for i := 0; i < len(all); i++ {
		here := all[i]
		for _, c := range childSchemas(here.schema, known) {
			visit(here.at+c.path(), c.schema, here.at)
		}

		if i+1 < len(all) {
			continue
		}

		for _, each := range slices.Clone(all) { // a copy, because all grows
			if ref, ok := each.schema.get("$ref").(string); ok && strings.HasPrefix(ref, "#/") {
				path := unescapeFragment(ref[1:])
				if target, found := resolvePointer(tree, path); found {
					visit(path, target, "")
				}
			}
		}
	}

	return all
}
