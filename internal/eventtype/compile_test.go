package eventtype_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

func compile(t testing.TB, schema string) *eventtype.Schema {
	t.Helper()
	compiled, err := eventtype.CompileSchema([]byte(schema))
	require.NoError(t, err)
	return compiled
}

// found returns the violations of a payload: pointers with details.
func found(t testing.TB, schema, data string) map[string]string {
	t.Helper()
	violations, err := compile(t, schema).CheckPayload([]byte(data), false)
	require.NoError(t, err)
	all := map[string]string{}
	for _, v := range violations {
		require.Equal(t, fault.CodeSchemaViolation, v.Code)
		require.True(t, strings.HasPrefix(v.Detail, v.Pointer+" "), v.Detail)
		all[v.Pointer] = strings.TrimPrefix(v.Detail, v.Pointer+" ")
	}

	return all
}

func TestFindingsPointIntoThePayload(t *testing.T) {
	t.Parallel()
	const schema = `{"type": "object", "required": ["form", "a/b"], "additionalProperties": false, "properties": {
		"a/b": {}, "kind": {"enum": ["x", "y"]}, "one": {"const": 1},
		"form": {"type": "object", "required": ["email"], "properties": {
			"email": {"type": "string", "format": "email", "minLength": 6}, "age": {"type": "integer", "minimum": 18},
			"tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}}}}}}`
	for data, want := range map[string]map[string]string{
		`{"form": {"email": "jane@example.com"}, "a/b": 1}`: {},
		`{"form": {}}`: {"/data/form/email": "is required and missing", "/data/a~1b": "is required and missing"},
		`{"form": {"email": 5, "age": 17.5, "tags": ["ok", "NO", 3]}, "a/b": 1}`: {
			"/data/form/email": "is a number; expected a string", "/data/form/age": "is a number; expected an integer",
			"/data/form/tags/1": `is "NO"; expected a match of "^[a-z]+$"`, "/data/form/tags/2": "is a number; expected a string",
		},
		`{"form": {"email": "a@b.c", "age": 17, "more": "x"}, "a/b": 1}`: {
			"/data/form/age": "is 17; expected at least 18", "/data/form/email": "has 5 characters; expected at least 6",
		},
		`{"form": {"email": "nobody"}, "a/b": 1, "kind": "z", "one": 2, "extra": 1}`: {
			"/data/form/email": `is "nobody"; expected the format email`, "/data/kind": `is "z"; expected "x" or "y"`,
			"/data/one": "is 2; expected 1", "/data/extra": "is a member that the schema does not know",
		},
	} {
		require.Equal(t, want, found(t, schema, data), data)
	}
}

// People read messages: what they wrote is shown as they wrote it, without escapes for HTML.
func TestMessagesShowCharactersAsTheyAre(t *testing.T) {
	t.Parallel()
	const schema = `{"properties": {"a": {"pattern": "^<b>&x$"}, "b": {"const": "<&>"}, "c": {"enum": ["R&D"]}}}`
	require.Equal(t, map[string]string{
		"/data/a": `is "Q&A"; expected a match of "^<b>&x$"`,
		"/data/b": `is "a<b"; expected "<&>"`,
		"/data/c": `is ">"; expected "R&D"`,
	}, found(t, schema, `{"a": "Q&A", "b": "a<b", "c": ">"}`))

	_, err := eventtype.CompileSchema([]byte(`{"pattern": "<&(?=x)"}`))
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Contains(t, fmt.Sprint(f.Violations), `is "<&(?=x)"; expected a regular expression`)
}

func TestTheNearestAlternativeIsExplained(t *testing.T) {
	t.Parallel()
	const schema = `{"oneOf": [
		{"properties": {"kind": {"const": "card"}, "card": {"type": "object", "required": ["number"]}}, "required": ["kind", "card"]},
		{"properties": {"kind": {"const": "cash"}}, "required": ["kind"]}]}`
	all := found(t, schema, `{"kind": "card", "card": {}}`)
	require.Contains(t, all["/data"], "fits none of the 2 alternatives")
	require.Equal(t, "is required and missing", all["/data/card/number"])
}

func TestAtMostTwentyFindings(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 50 {
		members = append(members, fmt.Sprintf(`"m%d": 1`, i))
	}

	violations, err := compile(t, `{"additionalProperties": {"type": "string"}}`).CheckPayload([]byte("{"+strings.Join(members, ",")+"}"), false)
	require.NoError(t, err)
	require.Len(t, violations, 20)
}

// An unusable schema is rejected with its place, and nothing is fetched.
func TestSchemasThatAreRefused(t *testing.T) {
	t.Parallel()
	double := func(n int) string { // each level refers to the next one twice
		var defs []string
		for i := range n {
			defs = append(defs, fmt.Sprintf(`"d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, i, i+1, i+1))
		}

		defs = append(defs, fmt.Sprintf(`"d%d": {"type": "object"}`, n))
		return `{"$ref": "#/$defs/d0", "$defs": {` + strings.Join(defs, ",") + `}}`
	}
	for name, c := range map[string]struct{ schema, pointer, detail string }{
		"no JSON":             {`{`, "/schema", "cannot be read"},
		"twice":               {`{"type": "object", "type": "string"}`, "/schema/type", "cannot be read"},
		"a wrong type":        {`{"properties": {"a": {"type": "strin"}}}`, "/schema/properties/a/type", "expected"},
		"a wrong pattern":     {`{"properties": {"a": {"pattern": "(?=x)"}}}`, "/schema/properties/a/pattern", "regular expression"},
		"a slow pattern":      {`{"properties": {"a": {"pattern": "(a{1,100}){1,100}"}}}`, "/schema/properties/a/pattern", ""},
		"a long pattern":      {`{"pattern": "` + strings.Repeat("a", 1001) + `"}`, "/schema/pattern", "at most 1000"},
		"http":                {`{"$ref": "http://example.com/s.json"}`, "/schema", "nothing is fetched"},
		"https":               {`{"$ref": "https://example.com/s.json"}`, "/schema", "nothing is fetched"},
		"file":                {`{"$ref": "file:///etc/passwd"}`, "/schema", "nothing is fetched"},
		"relative":            {`{"$ref": "other.json"}`, "/schema", "nothing is fetched"},
		"a base":              {`{"$id": "https://example.com/x/", "$ref": "other.json"}`, "/schema", "nothing is fetched"},
		"dynamic":             {`{"$dynamicRef": "https://example.com/s.json#a"}`, "/schema", "nothing is fetched"},
		"a metaschema":        {`{"$schema": "https://example.com/schema"}`, "/schema/$schema", "does not name a known draft"},
		"an unknown draft":    {`{"$schema": "http://json-schema.org/draft-03/schema#"}`, "", "2020-12"},
		"a tuple of draft-07": {`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{}]}}}`, "/schema/properties/a/items", "convert --from draft-07"},
		"a tuple":             {`{"properties": {"a": {"items": [{}]}}}`, "/schema/properties/a/items", "--from draft-07"},
		"a bound of draft-04": {`{"properties": {"a": {"minimum": 1, "exclusiveMinimum": true}}}`, "/schema/properties/a/exclusiveMinimum", "--from draft-04"},
		"nowhere":             {`{"$ref": "#/$defs/none"}`, "/schema", "leads nowhere"},
		"an anchor":           {`{"$ref": "#none"}`, "/schema", ""},
		"itself":              {`{"$ref": "#"}`, "/schema", "itself"},
		"in a circle":         {`{"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}`, "", "itself"},
		"a bomb":              {double(20), "/schema", "2000"},
		"a deep bomb": {
			`{"$ref": "#/$defs/n", "$defs": {"n": {"allOf": [{"properties": {"n": {"$ref": "#/$defs/n"}}}, {"properties": {"n": {"$ref": "#/$defs/n"}}}]}}}`,
			"/schema", "2000",
		},
		"many":        {`{"anyOf": [` + strings.TrimSuffix(strings.Repeat(`{"type":"object"},`, 2100), ",") + `]}`, "/schema", "2000"},
		"a large one": {`{"description": "` + strings.Repeat("x", 70_000) + `"}`, "", ""},
		"a deep one":  {strings.Repeat(`{"not":`, 70) + `{}` + strings.Repeat(`}`, 70), "", ""},
		"a mark":      {`{"properties": {"a": {"x-theeye": "encrypt"}}}`, "/schema/properties/a/x-theeye", "drop, hash, mask"},
		"two marks":   {`{"properties": {"a": {"x-theeye": ["drop", "hash"]}}}`, "/schema/properties/a/x-theeye", "not two"},
		"all marked":  {`{"x-theeye": "drop"}`, "/schema/x-theeye", "properties"},
		"a drop in items": {
			`{"properties": {"a": {"items": {"x-theeye": "drop"}}}}`, "/schema/properties/a/items/x-theeye", "properties",
		},
		"a mark in not": {`{"not": {"properties": {"a": {"x-theeye": "mask"}}}}`, "", "not"},
	} {
		_, err := eventtype.CompileSchema([]byte(c.schema))
		require.Error(t, err, name)
		f, ok := fault.As(err)
		require.True(t, ok, "%s: %v", name, err)
		require.Equal(t, fault.Invalid, f.Kind, name)
		require.Equal(t, fault.CodeInvalidSchema, f.Code, name)
		require.NotEmpty(t, f.Violations, name)
		if c.pointer != "" {
			require.Equal(t, c.pointer, f.Violations[0].Pointer, "%s: %v", name, f.Violations)
		}

		text, err := json.Marshal(f.Violations)
		require.NoError(t, err)
		require.Contains(t, f.Detail+string(text), c.detail, name)
	}
}

// Schemas that users write are not rejected for their cost.
func TestSchemasThatAreTaken(t *testing.T) {
	t.Parallel()
	var alternatives []string
	for i := range 60 {
		alternatives = append(alternatives, fmt.Sprintf(`{"properties": {"kind": {"const": "k%d"}, "value": {"type": "object", "properties": {"a": {"type": "string"}}}}}`, i))
	}

	for name, schema := range map[string]string{
		"nothing":              `{}`,
		"a tree":               `{"$ref": "#/$defs/node", "$defs": {"node": {"properties": {"left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}, "all": {"items": {"$ref": "#/$defs/node"}}}}}}`,
		"itself a level below": `{"properties": {"inner": {"$ref": "#"}}}`,
		"alternatives":         `{"oneOf": [` + strings.Join(alternatives, ",") + `]}`,
		"the draft named":      `{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}`,
		"the metaschema":       `{"properties": {"schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}`,
		"an anchor":            `{"properties": {"a": {"$ref": "#here"}}, "$defs": {"x": {"$anchor": "here", "type": "string"}}}`,
		"marks":                `{"properties": {"a": {"x-theeye": ["indexed", "hash"]}, "b": {"x-theeye": "indexed"}}}`,
	} {
		_, err := eventtype.CompileSchema([]byte(schema))
		require.NoError(t, err, name)
	}
}
