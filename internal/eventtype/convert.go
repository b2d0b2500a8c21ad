package eventtype

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// schemaURL is the $schema of a converted schema.
const schemaURL = "https://json-schema.org/draft/2020-12/schema"

// ConvertSchema converts a schema of an older draft to a schema of 2020-12 that the
// same payloads fit, with its members in their order. The warnings name members that
// had no effect in the older draft and are left out so that they still have none. A
// schema that cannot be converted is an Invalid fault; CompileSchema decides whether
// the result can be registered.
func ConvertSchema(text []byte, from Draft) ([]byte, []Warning, error) {
	if from == Draft2020 {
		return text, nil, nil
	}

	if !json.Valid(text) {
		return nil, nil, invalidSchema("", "it is not JSON")
	}

	tree, err := readTree(text)
	if err != nil {
		return nil, nil, invalidSchema("", "it is not JSON")
	}

	root, isObject := tree.(orderedObject)
	if !isObject {
		return nil, nil, invalidSchema("", "a schema is a JSON object")
	}

	if root.has("$schema") && draftOf(root) == Draft2020 {
		return text, nil, nil // its $schema is already 2020-12
	}

	c := newConversion(root, from)
	if err := c.checkConvertible(); err != nil {
		return nil, nil, err
	}

	converted, err := c.convertSchema(root, "").MarshalJSON()
	if err != nil {
		return nil, nil, invalidSchema("", "it is not JSON")
	}

	return converted, c.dropped, nil
}

// conversion is the conversion of one schema.
type conversion struct {
	from    Draft
	known   map[string]keyword
	schemas map[string]locatedSchema
	// newLocations holds the new location of each schema, by its old location.
	newLocations map[string]string
	// base is the URL of the resource that a schema belongs to, and roots the place
	// where each resource begins.
	base    map[string]*url.URL
	roots   map[string]string
	dropped []Warning
}

func newConversion(tree any, from Draft) *conversion {
	c := &conversion{
		from:         from,
		known:        allKeywords(),
		schemas:      map[string]locatedSchema{},
		newLocations: map[string]string{},
		base:         map[string]*url.URL{},
		roots:        map[string]string{},
	}
	for name, k := range c.known {
		if !k.existsIn(from) && k.last != "" { // keywords of even older drafts are unknown
			delete(c.known, name)
		}
	}

	for _, p := range schemasOf(tree, c.known) {
		c.schemas[p.at] = p
		c.locateSchema(p)
	}

	return c
}

// locateSchema records the new location of a schema, and the resource it belongs to.
func (c *conversion) locateSchema(p locatedSchema) {
	c.newLocations[p.at] = p.at
	base := &url.URL{Scheme: "root", Opaque: "none"}
	if p.at != "" {
		parent := c.schemas[p.parent]
		rest := strings.TrimPrefix(p.at, p.parent)
		keyword, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		c.newLocations[p.at] = c.newLocations[p.parent] + c.newLocation(parent.schema, keyword, below)
		base = c.base[p.parent]
	}

	if id := c.idOf(p.schema); id != "" && !strings.HasPrefix(id, "#") {
		if reference, err := url.Parse(id); err == nil {
			base = base.ResolveReference(reference)
			base.Fragment = ""
		}
	}

	c.base[p.at] = base
	if _, known := c.roots[base.String()]; !known {
		c.roots[base.String()] = p.at
	}
}

func (c *conversion) idOf(schema orderedObject) string {
	name := "$id"
	if c.from == Draft4 {
		name = "id"
	}

	if c.refAlone(schema) {
		return ""
	}

	id, _ := schema.get(name).(string)
	return id
}

// refAlone reports whether the members beside a $ref have no effect.
func (c *conversion) refAlone(schema orderedObject) bool {
	_, isText := schema.get("$ref").(string)
	return isText && c.from.isBefore(Draft2019)
}

// newLocation returns the place of a schema below its parent, in 2020-12.
func (c *conversion) newLocation(parent orderedObject, keyword, below string) string {
	_, tuple := parent.get("items").([]any)
	place := "/" + keyword
	switch {
	case keyword == "definitions":
		place = "/$defs"
	case keyword == "items" && tuple:
		place = "/prefixItems"
	case keyword == "additionalItems" && tuple:
		place = "/items"
	case keyword == "dependencies":
		place = "/dependentSchemas"
	}

	if below != "" {
		place += "/" + below
	}

	return place
}

// checkConvertible rejects a schema with a member that has no equivalent.
func (c *conversion) checkConvertible() error {
	for at, p := range c.schemas {
		if other, ok := p.schema.get("$schema").(string); ok {
			if d, known := ParseDraft(other); !known || d != c.from {
				return invalidSchema(at+"/$schema", fmt.Sprintf("it says that it is not of %s", c.from))
			}
		}

		if c.from == Draft2019 && p.schema.has("contains") && p.schema.has("unevaluatedItems") {
			return invalidSchema(at+"/contains", "in 2019-09 the items that it finds are unevaluated; 2020-12 has nothing for that")
		}

		if definitions, ok := p.schema.get("definitions").(orderedObject); ok {
			defs, _ := p.schema.get("$defs").(orderedObject)
			for _, d := range definitions {
				if defs.has(d.name) {
					return invalidSchema(at+"/definitions"+formatPointer([]string{d.name}), "it is under $defs, too; rename one of them")
				}
			}
		}
	}

	return nil
}

// convertValue converts the value of a keyword that is not a schema: it converts only
// the schemas inside that a $ref leads to.
func (c *conversion) convertValue(value any, at string) any {
	if schema, ok := value.(orderedObject); ok {
		if _, found := c.schemas[at]; found {
			return c.convertSchema(schema, at)
		}

		kept := orderedObject{}
		for _, p := range schema {
			kept = append(kept, objectMember{p.name, c.convertValue(p.value, at+formatPointer([]string{p.name}))})
		}

		return kept
	}

	if items, ok := value.([]any); ok {
		kept := make([]any, len(items))
		for i, inner := range items {
			kept[i] = c.convertValue(inner, fmt.Sprintf("%s/%d", at, i))
		}

		return kept
	}

	return value
}

// convertSchema converts one schema and all schemas inside it.
func (c *conversion) convertSchema(schema orderedObject, at string) orderedObject {
	converted := orderedObject{}
	if at == "" && !schema.has("$schema") {
		converted = append(converted, objectMember{"$schema", schemaURL})
	}

	for _, member := range schema {
		k, known := c.known[member.name]
		here := at + formatPointer([]string{member.name})
		switch {
		case member.name == "$schema":
			if at == "" {
				converted = append(converted, objectMember{"$schema", schemaURL})
			}
		case known && !k.annotates && member.name != "$ref" && c.refAlone(schema):
			c.recordDropped(here, "beside $ref it did nothing")
		case known && !k.annotates && !k.existsIn(c.from):
			c.recordDropped(here, fmt.Sprintf("it did nothing in %s", c.from))
		default:
			converted = c.convertMember(converted, schema, member, here)
		}
	}

	return converted
}

func (c *conversion) recordDropped(at, why string) {
	c.dropped = append(c.dropped, Warning{Pointer: "/schema" + at, Detail: why + " and is left out"})
}

// convertMember converts one member of a schema into one or more members.
func (c *conversion) convertMember(converted, schema orderedObject, member objectMember, at string) orderedObject {
	add := func(name string, value any) orderedObject { return append(converted, objectMember{name, value}) }
	_, tuple := schema.get("items").([]any)
	switch member.name {
	case "$ref":
		return add("$ref", c.convertReference(member.value, strings.TrimSuffix(at, "/$ref")))
	case "definitions", "$defs":
		defs, _ := c.convertValue(member.value, at).(orderedObject)
		if i := converted.index("$defs"); i >= 0 {
			before, _ := converted[i].value.(orderedObject)
			converted[i].value = slices.Concat(before, defs)
			return converted
		}

		return add("$defs", defs)
	case "id", "$id":
		return c.convertID(converted, member)
	case "items":
		if items, _ := member.value.([]any); tuple && len(items) == 0 {
			return converted // every item is an additional item
		} else if tuple {
			return add("prefixItems", c.convertValue(member.value, at))
		}
	case "additionalItems":
		if tuple {
			return add("items", c.convertValue(member.value, at))
		}

		c.recordDropped(at, "without an array of items it did nothing")
		return converted
	case "dependencies":
		return c.convertDependencies(converted, member, at)
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		return c.convertBound(converted, schema, member)
	case "$recursiveRef":
		root := c.schemas[c.roots[c.base[strings.TrimSuffix(at, "/$recursiveRef")].String()]]
		if anchor, _ := root.schema.get("$recursiveAnchor").(bool); anchor {
			return add("$dynamicRef", "#recursive")
		}

		return add("$ref", "#")
	case "$recursiveAnchor":
		if anchor, _ := member.value.(bool); anchor {
			return add("$dynamicAnchor", "recursive")
		}

		return converted
	}

	if k, known := c.known[member.name]; known && k.layout == noSchema {
		return add(member.name, member.value) // const, enum and default hold any value
	}

	return add(member.name, c.convertValue(member.value, at))
}

// convertID converts the id of a schema to $id and $anchor.
func (c *conversion) convertID(converted orderedObject, member objectMember) orderedObject {
	text, ok := member.value.(string)
	if !ok || member.name == "id" && c.from != Draft4 {
		return append(converted, member)
	}

	location, anchor, _ := strings.Cut(text, "#")
	if location != "" {
		converted = append(converted, objectMember{"$id", location})
	}

	if anchor != "" && c.from.isBefore(Draft2019) {
		converted = append(converted, objectMember{"$anchor", anchor})
	}

	return converted
}

// convertDependencies splits dependencies into those of names and those of schemas.
func (c *conversion) convertDependencies(converted orderedObject, member objectMember, at string) orderedObject {
	dependencies, ok := member.value.(orderedObject)
	if !ok {
		return append(converted, member)
	}

	var names, schemas orderedObject
	for _, d := range dependencies {
		if list, isList := d.value.([]any); isList {
			names = append(names, objectMember{d.name, list})
		} else {
			schemas = append(schemas, objectMember{d.name, c.convertValue(d.value, at+formatPointer([]string{d.name}))})
		}
	}

	if names != nil {
		converted = append(converted, objectMember{"dependentRequired", names})
	}

	if schemas != nil {
		converted = append(converted, objectMember{"dependentSchemas", schemas})
	}

	return converted
}

// convertBound combines the two keywords of a bound in draft-04.
func (c *conversion) convertBound(converted, schema orderedObject, member objectMember) orderedObject {
	if c.from != Draft4 {
		return append(converted, member)
	}

	exclusive := map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}[member.name]
	if exclusive == "" {
		return converted // converted with the bound itself
	}

	if excluded, _ := schema.get(exclusive).(bool); excluded {
		return append(converted, objectMember{exclusive, member.value})
	}

	return append(converted, member)
}
