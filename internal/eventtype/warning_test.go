package eventtype_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// Parts without effect are reported, with the name that was probably meant, and do not
// make the schema invalid.
func TestWhatDoesNothingIsNamed(t *testing.T) {
	t.Parallel()
	const schema = `{"type": "object", "propertis": {}, "requierd": ["a"], "properties": {
		"requierd": {"type": "string", "format": "e-mail", "nullable": true},
		"list": {"type": "array", "items": {"minimun": 1, "frobnicate": {"nested": 1}, "format": "datetime"}, "additionalItems": false},
		"any": {"anyOf": [{"Type": "string"}, {"const": {"propertis": 1}}]}}, "$defs": {"a/b": {"format": "colour"}},
		"dependencies": {"a": ["b"]}}`
	spec := eventtype.Spec{Schema: json.RawMessage(schema)}
	_, _, err := spec.Validate()
	require.NoError(t, err)

	var told []string
	for _, w := range spec.Warnings() {
		told = append(told, w.Pointer+" "+w.Suggestion)
		require.NotEmpty(t, w.Detail)
	}

	require.ElementsMatch(t, []string{
		"/schema/propertis properties", "/schema/requierd required", "/schema/properties/requierd/format email",
		`/schema/properties/requierd/nullable "type": ["…", "null"]`, "/schema/properties/list/items/minimun minimum",
		"/schema/properties/list/items/frobnicate ", "/schema/properties/list/items/format date-time",
		"/schema/properties/list/additionalItems items, after prefixItems", "/schema/properties/any/anyOf/0/Type type",
		"/schema/$defs/a~1b/format ", "/schema/dependencies dependentRequired or dependentSchemas",
	}, told)
	require.Equal(t, `/schema/propertis: the keyword "propertis" is unknown and does nothing; did you mean properties?`, spec.Warnings()[0].String())
}

func TestWhatIsKnownIsNoWarning(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		``, `{}`, marked, closedPlan,
		`{"title": "t", "description": "d", "$comment": "c", "examples": [{"propertis": 1}], "default": {"requierd": 1}, "deprecated": true, "readOnly": true, "writeOnly": true,
			"contentEncoding": "base64", "contentMediaType": "text/plain", "contentSchema": {}, "x-owner": "us", "x-theeye-note": 1, "definitions": {}, "$anchor": "a", "enum": [{"nullable": 1}]}`,
		`{"$schema": "http://json-schema.org/draft-04/schema#", "id": "http://example.com/a", "definitions": {"a": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/a"}}}`,
	} {
		require.Empty(t, eventtype.Spec{Schema: json.RawMessage(schema)}.Warnings(), schema)
	}

	for _, format := range eventtype.Formats() {
		require.Empty(t, eventtype.Spec{Schema: json.RawMessage(`{"format": "` + format + `"}`)}.Warnings(), format)
	}

	many := `{"properties": {` + strings.TrimSuffix(strings.Repeat(`"@": {"a": 1},`, 300), ",") + `}}`
	for i := range 300 {
		many = strings.Replace(many, "@", strings.Repeat("x", i+1), 1)
	}

	require.Len(t, eventtype.Spec{Schema: json.RawMessage(many)}.Warnings(), 100)
}

// Schemas of registries are accepted unchanged if they mean the same, and validate
// correctly.
func TestSchemasOfOlderDraftsAreTaken(t *testing.T) {
	t.Parallel()
	for _, draft := range []string{
		"http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema", "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft-07/schema#",
		"https://json-schema.org/draft/2019-09/schema", "http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#",
	} {
		schema := `{"$schema": "` + draft + `", "type": "object", "required": ["a"], "additionalProperties": false, "definitions": {"a": {"$schema": "` + draft + `", "type": "string", "maxLength": 3}},
			"properties": {"a": {"$ref": "#/definitions/a"}, "list": {"items": {"type": "integer"}, "additionalItems": false}}}`
		require.Empty(t, found(t, schema, `{"a": "abc", "list": [1, 2]}`), draft)
		require.Equal(t, map[string]string{"/data/a": "has 4 characters; expected at most 3"}, found(t, schema, `{"a": "abcd"}`), draft)
	}
}

const oldSchema = `{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type": "string"}},
	"properties": {"pair": {"items": [{"type": "string"}]}, "secret": {"$ref": "#/definitions/a", "x-theeye": "drop", "maxLength": 1}}}`

// Marks apply in a converted schema, and in one that was accepted unchanged.
func TestMarksOfOlderDrafts(t *testing.T) {
	t.Parallel()
	const schema = oldSchema
	_, err := eventtype.CompileSchema([]byte(schema))
	require.ErrorContains(t, err, "--from draft-07")

	converted, dropped, err := eventtype.ConvertSchema([]byte(schema), eventtype.Draft7)
	require.NoError(t, err)
	//nolint:testifylint // the order of members is kept, too
	require.Equal(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"a":{"type":"string"}},`+
		`"properties":{"pair":{"prefixItems":[{"type":"string"}]},"secret":{"$ref":"#/$defs/a","x-theeye":"drop"}}}`, string(converted))
	require.Len(t, dropped, 1)
	require.Equal(t, "/schema/properties/secret/maxLength", dropped[0].Pointer)

	for _, text := range []string{string(converted), strings.NewReplacer(`"items": [{"type": "string"}]`, "", `, "maxLength": 1`, "").Replace(schema)} {
		envelopes := sent(t, `{"secret": "canary"}`)
		require.NoError(t, directory(t, eventtype.Accept, formType(text, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		require.NotContains(t, string(envelopes[0].Event.Data), canary)
	}
}

func TestWhatCannotBeConverted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, detail string }{
		"no schema":     {`[]`, "JSON object"},
		"no JSON":       {`{`, "not JSON"},
		"another draft": {`{"$schema": "http://json-schema.org/draft-04/schema#"}`, "not of 2019-09"},
		"found items":   {`{"contains": {}, "unevaluatedItems": false}`, "2020-12 has nothing"},
		"twice":         {`{"definitions": {"a": {}}, "$defs": {"a": {}}}`, "rename"},
	} {
		_, _, err := eventtype.ConvertSchema([]byte(c.schema), eventtype.Draft2019)
		require.ErrorContains(t, err, c.detail, name)
	}
}
