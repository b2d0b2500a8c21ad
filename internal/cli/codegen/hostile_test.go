package codegen_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// hostileTexts are names and descriptions that could end a comment or a text, or hide code.
func hostileTexts() []string {
	return []string{
		"", "*/ }{", "/* ", "`", `"; panic("x")`, "a\nb", "a\r\nfunc init() {}", "\u2028\u2029\u0085x", "\ufeffx", "\u202e\u2066x", "a\u0000"[:1],
		"//go:build ignore", "+build ignore", "@ts-ignore", "${x}", "\\", "\\u002a/", "🎉", "🎉🎉", "页面", "página", "ǆ", "1st", "-", "_", "func", "type", "string", "class",
		"constructor", "__proto__", "MarshalJSON", "Additional", "a,b", "a b", "a-b", "a_b", "a.b", "Tracker", "EventMap", "Record", "Object", strings.Repeat("x", 128),
	}
}

// hostileSchemas refer to themselves in every way, or are more than can be written.
func hostileSchemas() []string {
	deep := `{"type": "string"}`
	for range 29 {
		deep = `{"properties": {"a": ` + deep + `}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}`
	}

	chain := []string{`"d0": {"type": "object", "properties": {"x": {"type": "string"}}}`}
	for i := range 20 {
		chain = append(chain, fmt.Sprintf(`"d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, i+1, i, i))
	}

	return []string{
		`{"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#"}}}}}`,
		`{"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#/properties/a"}}, "required": ["a", "b"]}`,
		`{"required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"required": ["b"], "properties": {"b": {"$ref": "#/$defs/b"}}}, "b": {"required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}}}`,
		`{"properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": ["object", "null"], "required": ["next"], "properties": {"next": {"$ref": "#/$defs/n"}}}}}`,
		`{"properties": {"l": {"$ref": "#/$defs/l"}}, "$defs": {"l": {"type": "array", "items": {"$ref": "#/$defs/l"}}}}`,
		`{"properties": {"m": {"$ref": "#/$defs/m"}}, "$defs": {"m": {"type": "object", "additionalProperties": {"$ref": "#/$defs/m"}}}}`,
		`{"properties": {"u": {"$ref": "#/$defs/u"}}, "$defs": {"u": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/u"}}]}}}`,
		`{"properties": {"v": {"$ref": "#/$defs/v"}}, "$defs": {"v": {"oneOf": [{"required": ["a"], "properties": {"a": {"$ref": "#/$defs/v"}}}, {"properties": {"b": {"$ref": "#/$defs/w"}}}]}, "w": {"anyOf": [{"$ref": "#/$defs/v"}, {"type": "null"}]}}}`,
		`{"properties": {"t": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"prefixItems": [{"$ref": "#/$defs/t"}, {"type": ["string", "null"]}], "items": {"type": ["string", "null"]}}}}`,
		`{"allOf": [{"properties": {"a": {"allOf": [{"$ref": "#"}, {"required": ["b"]}]}}}]}`,
		`{"properties": {"e": {"enum": ["", "a", "A", "a-", "*/", "\n", 1, -1, 1.5, 15, 1e300, true, false, null, "1", "页"]}, "f": {"enum": [null]}, "g": {"const": "x"}}, "required": ["e", "f", "g"]}`,
		`{"properties": {"a": {"type": "object", "additionalProperties": false}, "b": {"type": "array", "items": false}, "c": {"type": "array", "items": {"type": "null"}}}, "additionalProperties": false}`,
		`{"properties": {"PageView": {"type": "object", "properties": {"Data": {"enum": [1]}}}, "Data": {"enum": [1, 2]}}, "$defs": {"Data": {"type": "object", "properties": {"x": {}}}}, "$ref": "#/$defs/Data"}`,
		`{"patternProperties": {"^a": {"type": "string"}}, "properties": {"b": {"type": "integer"}}}`,
		deep,
		`{"$ref": "#/$defs/d20", "$defs": {` + strings.Join(chain, ", ") + `}}`,
	}
}

// hostileTypes returns event types with each text as category, name, description and member,
// and with each schema.
func hostileTypes() []eventtype.Type {
	var types []eventtype.Type
	for i, text := range hostileTexts() {
		schema := map[string]any{
			"description":          text,
			"required":             []string{text},
			"properties":           map[string]any{text: map[string]any{"enum": []string{text}, "description": text, "title": text}, text + "2": map[string]any{"$ref": "#/$defs/x"}},
			"$defs":                map[string]any{"x": map[string]any{"type": "object", "properties": map[string]any{text: map[string]any{"type": "array"}}}},
			"additionalProperties": i%2 == 0,
		}
		body, err := json.Marshal(schema)
		if err != nil {
			panic(err)
		}

		for _, key := range []eventtype.Key{{Category: text, Name: "x"}, {Category: "x", Name: text}, {Category: text, Name: text}} {
			types = append(types, eventtype.Type{Key: key, Spec: eventtype.Spec{Schema: body, Description: text}})
		}
	}

	for i, schema := range hostileSchemas() {
		types = append(types, eventtype.Type{Key: eventtype.Key{Category: "page view", Name: fmt.Sprint(i)}, Spec: eventtype.Spec{Schema: json.RawMessage(schema)}})
	}

	return types
}
