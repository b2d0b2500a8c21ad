package eventtype_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// FuzzCompile checks that any schema is either rejected with a fault or validates every
// payload, applies its marks, and is not expensive.
func FuzzCompile(f *testing.F) {
	const data = `{"a": {"b": [1, "x", {"c": null}], "email": "a@example.com"}, "value": 1.5, "x/y": true, "": "é"}`
	for _, schema := range []string{
		`{}`, marked, `{"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#"}}}}}`,
		`{"oneOf": [{"required": ["a"]}, {"not": {"$dynamicRef": "#x"}}], "$dynamicAnchor": "x"}`,
		`{"unevaluatedProperties": {"x-theeye": ["indexed", "mask"]}, "if": {"properties": {"a": {}}}, "then": {"dependentSchemas": {"a": {"maxProperties": 1}}}}`,
		`{"$id": "https://example.com/", "$anchor": "a", "patternProperties": {"^.{1,3}$": {"format": "uri", "pattern": "[a-z]+\\d{2}"}}}`,
		`{"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{}], "contentSchema": {"x-theeye": "hash"}, "multipleOf": 1e-308}`,
		`{"allOf": [{"properties": {"a": {"x-theeye": "drop"}}}, {"properties": {"a": {"x-theeye": "mask"}}}], "required": ["a"]}`,
	} {
		f.Add(schema, data)
	}

	f.Fuzz(func(t *testing.T, text, data string) {
		const long = 5 * time.Second // in the race detector, on a busy machine; it is for what would never end
		start := time.Now()
		schema, err := eventtype.CompileSchema([]byte(text))
		if err != nil {
			found, ok := fault.As(err)
			require.True(t, ok, "%v", err)
			require.Equal(t, fault.CodeInvalidSchema, found.Code)
			require.NotEmpty(t, found.Violations)
			for _, v := range found.Violations {
				require.True(t, strings.HasPrefix(v.Pointer, "/schema"), v.Pointer)
			}

			return
		}

		rules := event.DefaultRules()
		if event.CheckObject([]byte(data), &rules) != nil || len(data) > 4096 {
			data = `{"a": 1}`
		}

		for _, kept := range []bool{false, true} {
			violations, err := schema.CheckPayload([]byte(data), kept)
			require.NoError(t, err)
			require.LessOrEqual(t, len(violations), event.MaxViolations)
		}

		envelopes := sent(t, data)
		require.NoError(t, directory(t, eventtype.Accept, formType(text, eventtype.Observe)).ValidatePayloads(envelopes, false))
		require.True(t, json.Valid(envelopes[0].Event.Data))
		require.True(t, json.Valid(envelopes[0].Raw))
		require.Less(t, time.Since(start), long)
	})
}

// FuzzConvert checks that a schema of any draft is either rejected with a fault, or
// becomes one of 2020-12 that needs no further conversion.
func FuzzConvert(f *testing.F) {
	drafts := []eventtype.Draft{eventtype.Draft4, eventtype.Draft6, eventtype.Draft7, eventtype.Draft2019}
	for _, schema := range []string{
		`{}`, marked, oldSchema, `{"$id": "http://a/b#c", "definitions": {"a": true, "b": {"$id": "#x", "items": [{"$ref": "#/definitions/a"}]}}, "dependencies": {"a": ["b"], "c": {}}}`,
		`{"id": "a", "minimum": 1, "exclusiveMinimum": true, "additionalItems": {"$ref": "#"}, "properties": {"a": {"id": "b/", "$ref": "a#/x/0/y"}}, "x": [{"y": {}}]}`,
		`{"$recursiveAnchor": true, "items": {"$recursiveRef": "#"}, "$defs": {"a": {"$id": "b", "$recursiveRef": "#"}}}`, `{"$ref": "#/~1/%25/$ref", "/": {"%": {"$ref": 1}}}`,
	} {
		f.Add(schema, uint8(2))
	}

	f.Fuzz(func(t *testing.T, text string, which uint8) {
		converted, _, err := eventtype.ConvertSchema([]byte(text), drafts[int(which)%len(drafts)])
		if err != nil {
			_, ok := fault.As(err)
			require.True(t, ok, "%v", err)
			return
		}

		require.True(t, json.Valid(converted), "%s", converted)
		for _, from := range drafts {
			again, _, err := eventtype.ConvertSchema(converted, from)
			require.NoError(t, err)
			require.Equal(t, string(converted), string(again))
		}

		require.LessOrEqual(t, len(eventtype.Spec{Schema: converted}.Warnings()), 100)
	})
}
