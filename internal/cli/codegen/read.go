package codegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxReads bounds the schemas that are read for one type; one that several references lead to
// may be read several times.
const maxReads = 10_000

// reader reads a schema into shapes.
type reader struct {
	document any
	// named are the places that references lead to. Their shapes are nil until they are read.
	named map[string]*shape
	// active are the places that are being read in the place of a reference.
	active map[string]bool
	reads  int
}

// readSchema reads the schema of an event type: the shape of its payloads, and the shapes that
// it refers to, by their places in the schema. An empty text is the schema of every payload.
func readSchema(schema []byte) (payload *shape, named map[string]*shape, err error) {
	r := &reader{document: true, named: map[string]*shape{}, active: map[string]bool{}}
	if len(schema) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(schema))
		decoder.UseNumber()
		if err := decoder.Decode(&r.document); err != nil {
			return nil, nil, fmt.Errorf("read a schema: %w", err)
		}
	}

	payload = r.readNamed("")
	for {
		unread := slices.DeleteFunc(slices.Sorted(maps.Keys(r.named)), func(at string) bool { return r.named[at] != nil })
		if len(unread) == 0 {
			break
		}

		for _, at := range unread {
			r.named[at] = r.readNamed(at)
		}
	}

	return r.asPayload(payload), r.named, nil
}

// asPayload returns the objects of a shape, because a payload is always an object.
func (r *reader) asPayload(s *shape) *shape {
	isObject := func(one *shape) bool {
		return one.kind == object || one.kind == reference && r.named[one.target].kind == object
	}
	switch {
	case isObject(s):
		return s
	case s.kind == union:
		objects := slices.DeleteFunc(slices.Clone(s.alternatives), func(one *shape) bool { return !isObject(one) && one.kind != reference })
		if slices.ContainsFunc(objects, func(one *shape) bool { return !isObject(one) }) {
			objects = []*shape{anyShape()}
		}

		if met := uniteShapes(objects); met.kind != anything {
			return met.describe(s.description, s.deprecated, s.notes...)
		}
	case s.kind != anything && s.kind != reference:
		return plainShape(nothing)
	}

	return (&shape{kind: object, extra: anyShape(), size: 1}).describe(s.description, s.deprecated, s.notes...)
}

// readNamed reads the schema at a place for its own sake.
func (r *reader) readNamed(at string) *shape {
	target, found := r.follow(at)
	if !found {
		return anyShape()
	}

	r.active = map[string]bool{at: true}
	return r.readPlace(target, position{chain: []string{at}})
}

// position says how a schema is used.
type position struct {
	// chain lists the places of the references that led here without a step into an object or an
	// array; it is empty for a member or an item.
	chain []string
	// isPart marks a schema whose shape is intersected with another one.
	isPart bool
}

// readPlace reads a schema.
func (r *reader) readPlace(p place, at position) *shape {
	r.reads++
	schema, isObject := p.schema.(map[string]any)
	switch {
	case r.reads > maxReads:
		return anyShape(tooLarge)
	case p.schema == false:
		return plainShape(nothing)
	case !isObject:
		return anyShape()
	}

	description, deprecated := readAnnotations(schema)
	read := r.readTypes(p, schema)
	at.isPart = at.isPart || read.kind != anything || countParts(schema) > 1
	if ref, ok := schema["$ref"].(string); ok {
		read = intersectShapes(read, r.readReference(p, ref, at))
	}

	for _, part := range r.readList(p, schema, "allOf", at) {
		read = intersectShapes(read, part)
	}

	for _, keyword := range []string{"anyOf", "oneOf"} {
		if parts := r.readList(p, schema, keyword, at); len(parts) > 0 {
			read = intersectShapes(read, uniteShapes(parts))
		}
	}

	return read.describe(description, deprecated, noteUnread(schema)...)
}

// countParts counts the schemas of a schema that all apply to its value.
func countParts(schema map[string]any) int {
	all, _ := schema["allOf"].([]any)
	count := len(all)
	for _, name := range []string{"$ref", "anyOf", "oneOf"} {
		if schema[name] != nil {
			count++
		}
	}

	return count
}

// readAnnotations returns the description of a schema, and whether its values are deprecated.
func readAnnotations(schema map[string]any) (description string, deprecated bool) {
	description, _ = schema["description"].(string)
	if title, ok := schema["title"].(string); ok && strings.TrimSpace(description) == "" {
		description = title
	}

	return description, schema["deprecated"] == true
}

// noteUnread names the keywords of a schema that no shape expresses, and that change which
// members or items there may be.
func noteUnread(schema map[string]any) []string {
	var notes []string
	for _, name := range []string{
		"$dynamicRef", "contains", "dependentRequired", "dependentSchemas", "if", "not", "patternProperties",
		"propertyNames", "unevaluatedItems",
	} {
		if _, has := schema[name]; has {
			notes = append(notes, "only the service checks "+strconv.Quote(name))
		}
	}

	return notes
}

// readList reads the schemas in the list under a keyword.
func (r *reader) readList(p place, schema map[string]any, keyword string, at position) []*shape {
	list, _ := schema[keyword].([]any)
	parts := make([]*shape, len(list))
	for i, inner := range list {
		parts[i] = r.readPlace(p.child(inner, keyword, strconv.Itoa(i)), at)
	}

	return parts
}

// readReference reads the schema that a $ref leads to. An object gets a name, and so does
// everything below a member or an item. Other schemas are read in the place of the $ref, so that
// no name stands for itself; and so are those that another schema restricts.
func (r *reader) readReference(from place, ref string, at position) *shape {
	target, found := r.findTarget(from, ref)
	pointer := target.pointer
	switch {
	case !found:
		return anyShape("the $ref leads to a place that is not followed")
	case slices.Contains(at.chain, pointer):
		return anyShape("the $ref leads to itself")
	case !at.isPart && (len(at.chain) == 0 || r.active[pointer]):
		return r.referTo(pointer)
	case r.active[pointer]:
		return anyShape("the schema contains itself, with another schema beside it")
	}

	r.active[pointer] = true
	at.chain = append(slices.Clone(at.chain), pointer)
	read := r.readPlace(target, at)
	delete(r.active, pointer)
	if !at.isPart && read.kind == object {
		return r.referTo(pointer)
	}

	return read
}

func (r *reader) referTo(at string) *shape {
	if _, known := r.named[at]; !known {
		r.named[at] = nil
	}

	return &shape{kind: reference, target: at, size: 1}
}

// sortedNames returns the keys of a map in order.
func sortedNames[V any](members map[string]V) []string { return slices.Sorted(maps.Keys(members)) }
