package eventtype

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// schemaURL is the $schema of what is converted.
const schemaURL = "https://json-schema.org/draft/2020-12/schema"

// Convert returns the schema of an older draft as one of 2020-12 that the same payloads fit,
// its members in their order. The warnings name what did nothing in the older draft, and
// was left out so that it does nothing now. A schema that cannot be converted is an Invalid
// fault; whether what comes out can be registered says Compile.
func Convert(text []byte, from Draft) ([]byte, []Warning, error) {
	if from == Draft2020 {
		return text, nil, nil
	}
	if !json.Valid(text) {
		return nil, nil, wrongSchema("", "it is not JSON")
	}
	tree, err := readTree(text)
	if err != nil {
		return nil, nil, wrongSchema("", "it is not JSON")
	}
	root, isObject := tree.(object)
	if !isObject {
		return nil, nil, wrongSchema("", "a schema is a JSON object")
	}
	if root.has("$schema") && draftOf(root) == Draft2020 {
		return text, nil, nil // it says that it was converted
	}

	c := newConversion(root, from)
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	converted, err := c.schema(root, "").MarshalJSON()
	if err != nil {
		return nil, nil, wrongSchema("", "it is not JSON")
	}
	return converted, c.dropped, nil
}

// conversion is of one schema.
type conversion struct {
	from    Draft
	known   map[string]keyword
	schemas map[string]placed
	// moved says where each schema will be, by where it is.
	moved map[string]string
	// base is the URL of the resource that a schema belongs to, and roots where each begins.
	base    map[string]*url.URL
	roots   map[string]string
	dropped []Warning
}

func newConversion(tree any, from Draft) *conversion {
	c := &conversion{from: from, known: keywords(), schemas: map[string]placed{}, moved: map[string]string{}, base: map[string]*url.URL{}, roots: map[string]string{}}
	for name, k := range c.known {
		if !k.in(from) && k.last != "" { // a keyword that is older still is unknown
			delete(c.known, name)
		}
	}

	for _, p := range schemasOf(tree, c.known) {
		c.schemas[p.at] = p
		c.locate(p)
	}
	return c
}

// locate notes where a schema will be, and which resource it belongs to.
func (c *conversion) locate(p placed) {
	c.moved[p.at] = p.at
	base := &url.URL{Scheme: "root", Opaque: "none"}
	if p.at != "" {
		parent := c.schemas[p.inside]
		rest := strings.TrimPrefix(p.at, p.inside)
		keyword, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		c.moved[p.at] = c.moved[p.inside] + c.newPlace(parent.schema, keyword, below)
		base = c.base[p.inside]
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

func (c *conversion) idOf(schema object) string {
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

// refAlone tells whether all that stands beside a $ref does nothing.
func (c *conversion) refAlone(schema object) bool {
	_, isText := schema.get("$ref").(string)
	return isText && c.from.before(Draft2019)
}

// newPlace is the place of a schema below its parent, in 2020-12.
func (c *conversion) newPlace(parent object, keyword, below string) string {
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

// check refuses what has nothing that means the same.
func (c *conversion) check() error {
	for at, p := range c.schemas {
		if other, ok := p.schema.get("$schema").(string); ok {
			if d, known := ParseDraft(other); !known || d != c.from {
				return wrongSchema(at+"/$schema", fmt.Sprintf("it says that it is not of %s", c.from))
			}
		}
		if c.from == Draft2019 && p.schema.has("contains") && p.schema.has("unevaluatedItems") {
			return wrongSchema(at+"/contains", "in 2019-09 the items that it finds are unevaluated; 2020-12 has nothing for that")
		}
		if definitions, ok := p.schema.get("definitions").(object); ok {
			defs, _ := p.schema.get("$defs").(object)
			for _, d := range definitions {
				if defs.has(d.name) {
					return wrongSchema(at+"/definitions"+pointer([]string{d.name}), "it is under $defs, too; rename one of them")
				}
			}
		}
	}
	return nil
}

// value converts what is not a schema itself: the schemas in it that a $ref leads to.
func (c *conversion) value(value any, at string) any {
	if schema, ok := value.(object); ok {
		if _, found := c.schemas[at]; found {
			return c.schema(schema, at)
		}
		kept := object{}
		for _, p := range schema {
			kept = append(kept, part{p.name, c.value(p.value, at+pointer([]string{p.name}))})
		}
		return kept
	}
	if items, ok := value.([]any); ok {
		kept := make([]any, len(items))
		for i, inner := range items {
			kept[i] = c.value(inner, fmt.Sprintf("%s/%d", at, i))
		}
		return kept
	}
	return value
}

// schema converts one schema and all that is in it.
func (c *conversion) schema(schema object, at string) object {
	converted := object{}
	if at == "" && !schema.has("$schema") {
		converted = append(converted, part{"$schema", schemaURL})
	}
	for _, member := range schema {
		k, known := c.known[member.name]
		here := at + pointer([]string{member.name})
		switch {
		case member.name == "$schema":
			if at == "" {
				converted = append(converted, part{"$schema", schemaURL})
			}
		case known && !k.annotates && member.name != "$ref" && c.refAlone(schema):
			c.drop(here, "beside $ref it did nothing")
		case known && !k.annotates && !k.in(c.from):
			c.drop(here, fmt.Sprintf("it did nothing in %s", c.from))
		default:
			converted = c.member(converted, schema, member, here)
		}
	}
	return converted
}

func (c *conversion) drop(at, why string) {
	c.dropped = append(c.dropped, Warning{Pointer: "/schema" + at, Detail: why + " and is left out"})
}

// member converts one member of a schema into as many as it takes.
func (c *conversion) member(converted, schema object, member part, at string) object {
	add := func(name string, value any) object { return append(converted, part{name, value}) }
	_, tuple := schema.get("items").([]any)
	switch member.name {
	case "$ref":
		return add("$ref", c.reference(member.value, strings.TrimSuffix(at, "/$ref")))
	case "definitions", "$defs":
		defs, _ := c.value(member.value, at).(object)
		if i := converted.index("$defs"); i >= 0 {
			before, _ := converted[i].value.(object)
			converted[i].value = slices.Concat(before, defs)
			return converted
		}
		return add("$defs", defs)
	case "id", "$id":
		return c.identity(converted, member)
	case "items":
		if items, _ := member.value.([]any); tuple && len(items) == 0 {
			return converted // every item is an additional one
		} else if tuple {
			return add("prefixItems", c.value(member.value, at))
		}
	case "additionalItems":
		if tuple {
			return add("items", c.value(member.value, at))
		}
		c.drop(at, "without an array of items it did nothing")
		return converted
	case "dependencies":
		return c.dependencies(converted, member, at)
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		return c.bound(converted, schema, member)
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
	if k, known := c.known[member.name]; known && k.holds == noSchema {
		return add(member.name, member.value) // const, enum, default: whatever they hold
	}
	return add(member.name, c.value(member.value, at))
}

// identity makes $id and $anchor of the name of a schema.
func (c *conversion) identity(converted object, member part) object {
	text, ok := member.value.(string)
	if !ok || member.name == "id" && c.from != Draft4 {
		return append(converted, member)
	}
	location, anchor, _ := strings.Cut(text, "#")
	if location != "" {
		converted = append(converted, part{"$id", location})
	}
	if anchor != "" && c.from.before(Draft2019) {
		converted = append(converted, part{"$anchor", anchor})
	}
	return converted
}

// dependencies takes names and schemas apart.
func (c *conversion) dependencies(converted object, member part, at string) object {
	dependencies, ok := member.value.(object)
	if !ok {
		return append(converted, member)
	}
	var names, schemas object
	for _, d := range dependencies {
		if list, isList := d.value.([]any); isList {
			names = append(names, part{d.name, list})
		} else {
			schemas = append(schemas, part{d.name, c.value(d.value, at+pointer([]string{d.name}))})
		}
	}
	if names != nil {
		converted = append(converted, part{"dependentRequired", names})
	}
	if schemas != nil {
		converted = append(converted, part{"dependentSchemas", schemas})
	}
	return converted
}

// bound puts the two keywords that a bound had in draft-04 together.
func (c *conversion) bound(converted, schema object, member part) object {
	if c.from != Draft4 {
		return append(converted, member)
	}
	exclusive := map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}[member.name]
	if exclusive == "" {
		return converted // said with the bound itself
	}
	if excluded, _ := schema.get(exclusive).(bool); excluded {
		return append(converted, part{exclusive, member.value})
	}
	return append(converted, member)
}

// reference is a $ref to where that will be.
func (c *conversion) reference(value any, at string) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	location, fragment, found := strings.Cut(text, "#")
	if !found || !strings.HasPrefix(fragment, "/") {
		return value
	}
	reference, err := url.Parse(location)
	if err != nil {
		return value
	}

	resource := c.base[at]
	if location != "" {
		resource = resource.ResolveReference(reference)
	}
	root, known := c.roots[resource.String()]
	if !known {
		return value
	}
	target := c.placeOf(root + unescapeFragment(fragment))
	return location + "#" + (&url.URL{Fragment: strings.TrimPrefix(target, c.moved[root])}).EscapedFragment()
}

// placeOf is where what was at a place will be: a schema, or something below one, as true is.
func (c *conversion) placeOf(at string) string {
	for outer := at; ; outer = outer[:strings.LastIndexByte(outer, '/')] {
		if moved, known := c.moved[outer]; known {
			if outer == at {
				return moved
			}
			keyword, below, _ := strings.Cut(at[len(outer)+1:], "/")
			return moved + c.newPlace(c.schemas[outer].schema, keyword, below)
		}
		if outer == "" {
			return at
		}
	}
}
