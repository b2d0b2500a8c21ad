package codegen

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
)

// readTypes reads what a schema itself says of its values: type, enum, const, and what objects
// and arrays hold.
func (r *reader) readTypes(p place, schema map[string]any) *shape {
	read := readLiterals(schema)
	names := typeNames(schema)
	if len(names) == 0 {
		return read
	}

	parts := make([]*shape, len(names))
	for i, name := range names {
		parts[i] = r.readType(p, schema, name)
	}

	return intersectShapes(read, uniteShapes(parts))
}

// typeNames returns the types of a schema's values. A schema that describes only objects, or
// only arrays, is taken to be of that type: it has no meaning for other values.
func typeNames(schema map[string]any) []string {
	switch value := schema["type"].(type) {
	case string:
		return []string{value}
	case []any:
		names := make([]string, len(value))
		for i, name := range value {
			names[i], _ = name.(string)
		}

		return names
	}

	if schema["enum"] != nil {
		return nil
	}

	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return schema[name] != nil })
	}
	ofObjects := has("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties")
	ofArrays := has("items", "prefixItems", "minItems", "maxItems", "uniqueItems")
	switch {
	case ofObjects && !ofArrays:
		return []string{"object"}
	case ofArrays && !ofObjects:
		return []string{"array"}
	}

	return nil
}

// readType reads the values of one type.
func (r *reader) readType(p place, schema map[string]any, name string) *shape {
	switch name {
	case "null":
		return plainShape(null)
	case "boolean":
		return plainShape(boolean)
	case "integer":
		return plainShape(integer)
	case "number":
		return plainShape(number)
	case "string":
		read := plainShape(text)
		read.isTime = schema["format"] == "date-time"
		for _, keyword := range []string{"pattern", "minLength", "maxLength"} {
			read.isBounded = read.isBounded || schema[keyword] != nil
		}

		return read
	case "array":
		return r.readArray(p, schema)
	case "object":
		return r.readObject(p, schema)
	}

	return anyShape()
}

// readLiterals reads enum and const.
func readLiterals(schema map[string]any) *shape {
	read := anyShape()
	if values, ok := schema["enum"].([]any); ok {
		read = makeLiteral(values)
	}

	if value, has := schema["const"]; has {
		read = intersectShapes(read, makeLiteral([]any{value}))
	}

	return read
}

// makeLiteral returns the shape of listed values.
func makeLiteral(values []any) *shape {
	all := make([]*shape, 0, len(values))
	one := &shape{kind: literal, size: 1}
	for _, value := range values {
		switch value.(type) {
		case nil:
			all = append(all, plainShape(null))
		case string, bool, json.Number:
			one.literals = append(one.literals, renderLiteral(value))
		default:
			return anyShape("it is one of listed objects or arrays")
		}
	}

	if len(one.literals) > 0 {
		all = append(all, one)
	}

	return uniteShapes(all)
}

// renderLiteral returns the JSON text of a text, a number or a boolean.
func renderLiteral(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "null"
	}

	return string(bytes.TrimSpace(b.Bytes()))
}

// isWhole reports whether the JSON text of a number is a whole number.
func isWhole(value string) bool {
	const precision = 2000 // bits; an exponent cannot make it slow
	parsed, _, err := big.ParseFloat(value, 10, precision, big.ToNearestEven)
	return err == nil && parsed.IsInt()
}

func (r *reader) readArray(p place, schema map[string]any) *shape {
	read := &shape{kind: array, items: anyShape()}
	if items, has := schema["items"]; has {
		read.items = r.readPlace(p.child(items, "items"), position{})
	}

	read.prefix = r.readList(p, schema, "prefixItems", position{})
	if least, ok := schema["minItems"].(json.Number); ok {
		if count, err := least.Float64(); err == nil {
			read.least = int(min(count, float64(len(read.prefix))))
		}
	}

	return boundSize(read)
}

func (r *reader) readObject(p place, schema map[string]any) *shape {
	read := &shape{kind: object}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	all := map[string]any{}
	for name := range properties {
		all[name] = nil
	}

	for _, name := range required {
		if name, ok := name.(string); ok {
			all[name] = true
		}
	}

	for _, name := range sortedNames(all) {
		value := anyShape()
		if inner, has := properties[name]; has {
			value = r.readPlace(p.child(inner, "properties", name), position{})
		}

		read.members = append(read.members, member{name, all[name] == true, value})
	}

	if schema["patternProperties"] != nil {
		read.extra = anyShape()
	} else if extra, has := schema["additionalProperties"]; has {
		read.extra = r.readPlace(p.child(extra, "additionalProperties"), position{})
	}

	return boundSize(read)
}
