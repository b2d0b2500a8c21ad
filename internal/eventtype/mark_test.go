package eventtype_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// registered is a store with types that do not change.
type registered []eventtype.Type

func (r registered) ReadRevision(context.Context) (int64, error) { return 1, nil }

func (r registered) ReadSnapshot(context.Context) (eventtype.Snapshot, error) {
	return eventtype.Snapshot{Revision: 1, Types: r, HashKey: []byte(strings.Repeat("k", 32))}, nil
}

// directory makes a cache whose clock stands still, so that its content does not get
// too old.
func directory(t testing.TB, policy eventtype.Unregistered, types ...eventtype.Type) *eventtype.Cache {
	t.Helper()
	now := time.Now()
	d := eventtype.NewCache(policy, eventtype.CacheDeps{Store: registered(types), Logger: zap.NewNop(), Now: func() time.Time { return now }})
	require.NoError(t, d.Refresh(t.Context()))
	return d
}

func formType(schema string, mode eventtype.Mode) eventtype.Type {
	return eventtype.Type{
		Key: eventtype.Key{Category: "form", Name: "submit"}, Version: 3, Spec: eventtype.Spec{Schema: json.RawMessage(schema), Mode: mode},
	}
}

// sent parses an event of the type with a payload, as it comes in.
func sent(t testing.TB, data string) []event.Envelope {
	t.Helper()
	rules := event.DefaultRules()
	body := `[{"data": ` + data + `, "session_id": "e2085be5-9137-4e4e-80b5-f1ffddc25423", "category": "form", "name": "submit", "timestamp": "2026-01-01T00:00:00Z"}]`
	envelopes, _, err := event.ParseJSON([]byte(body), &rules, time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC))
	require.NoError(t, err)
	return envelopes
}

const marked = `{"type": "object", "required": ["email", "card"], "properties": {
	"email": {"type": "string", "format": "email", "x-theeye": "hash"}, "card": {"type": "string", "x-theeye": "drop"},
	"person": {"$ref": "#/$defs/person"}, "friends": {"items": {"$ref": "#/$defs/person"}},
	"more": {"additionalProperties": {"x-theeye": "mask"}}}, "patternProperties": {"^secret_": {"x-theeye": "mask"}},
	"allOf": [{"if": {"required": ["phone"]}, "then": {"properties": {"phone": {"x-theeye": "mask"}}}}],
	"$defs": {"person": {"properties": {"name": {"x-theeye": "mask"}, "friend": {"$ref": "#/$defs/person"}}}}}`

// Marked values are neither in the event nor in the stored text of a rejected one.
func TestMarksAreAppliedBeforeAnythingIsKept(t *testing.T) {
	t.Parallel()
	const data = `{"email": "canary@example.com", "card": "canary 4111", "plain": 1.50, "phone": "+49 170 canary",
		"secret_x": "canary!", "secret_n": 12.5, "secret_b": true, "secret_o": {"a": ["canary", null]},
		"person": {"name": "Canary", "age": 5, "friend": {"name": "canary", "friend": {"name": "canary"}}},
		"friends": [{"name": "canary"}, {"name": "canary two"}], "more": {"a": "canary", "b": "canary"}}`
	for name, broken := range map[string]string{"taken": data, "refused": strings.Replace(data, `"canary@example.com"`, `"canary no address"`, 1)} {
		envelopes := sent(t, broken)
		require.NoError(t, directory(t, eventtype.Accept, formType(marked, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		e := envelopes[0]
		require.Equal(t, name == "taken", e.Accepted(), "%v", e.Violations)
		require.EqualValues(t, 3, e.TypeVersion)
		require.False(t, e.Withheld)
		for what, text := range map[string]string{"data": string(e.Event.Data), "raw": string(e.Raw)} {
			require.NotContains(t, strings.ToLower(text), "canary", "%s of %s", what, name)
			require.True(t, json.Valid([]byte(text)), text)
			require.Contains(t, text, `"plain":1.50`)
			require.Contains(t, text, `"email":"hmac-sha256:`)
			require.NotContains(t, text, "card")
			require.Contains(t, text, `"phone":"+** *** ******"`)
			require.Contains(t, text, `"secret_n":0`)
			require.Contains(t, text, `"secret_o":{"a":["******",null]}`)
			require.Contains(t, text, `"friend":{"name":"******"}`)
		}

		for _, v := range e.Violations {
			require.NotContains(t, v.Detail, "canary")
			require.Equal(t, "/data/email", v.Pointer)
		}

		// A redacted value stays unchanged when it is validated again: by an edit, or a
		// replay.
		before := string(e.Event.Data)
		again := []event.Envelope{{Event: e.Event, Known: e.Known, Raw: e.Event.Data}}
		require.NoError(t, directory(t, eventtype.Accept, formType(marked, eventtype.Enforce)).ValidatePayloads(again, true))
		require.Empty(t, again[0].Violations, "the form of what was hashed is not asked for again, nor what was dropped")
		require.Equal(t, before, string(again[0].Event.Data))
	}
}

// Equal values have equal hashes, whatever their form, and others have others.
func TestHashesOfEqualValuesAreEqual(t *testing.T) {
	t.Parallel()
	const schema = `{"properties": {"a": {"x-theeye": "hash"}}}`
	hash := func(value string) string {
		envelopes := sent(t, `{"a": `+value+`}`)
		require.NoError(t, directory(t, eventtype.Accept, formType(schema, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		return string(envelopes[0].Event.Data)
	}
	require.Equal(t, hash(`"jane"`), hash(`"j\u0061ne"`))
	require.Equal(t, hash(`{"x": 1, "y": 100}`), hash(`{"y": 1e2, "x": 1.0}`))
	require.NotEqual(t, hash(`"jane"`), hash(`"Jane"`))
	require.NotEqual(t, hash(`"5"`), hash(`5`))
}

// Marked values cannot be removed from a text that cannot be read, so such a text is
// not kept.
func TestTextThatCannotBeReadIsWithheld(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	for body, withheld := range map[string]bool{
		`{"category": "form", "name": "submit", "data": {"email": "a", "email": "b"}}`: true,
		`{"category": "form", "data": {"email": 1}}`:                                   true,
		`{"data": {"email": "x"`:                                                       true,
		`{"category": "other", "data": {"a": 1, "a": 2}}`:                              false,
		`{"category": "form", "name": "other", "data": []}`:                            false,
		`{"category": "form", "name": "submit", "data": {"email": "x", "card": "y"}}`:  false,
	} {
		envelopes, _, err := event.ParseJSON([]byte(body), &rules, time.Now())
		require.NoError(t, err)
		require.False(t, envelopes[0].Accepted())
		require.NoError(t, directory(t, eventtype.Accept, formType(marked, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		require.Equal(t, withheld, envelopes[0].Withheld, body)
	}
}

func TestModesAndPolicies(t *testing.T) {
	t.Parallel()
	const schema = `{"required": ["email"]}`
	judged := func(policy eventtype.Unregistered, data string, types ...eventtype.Type) event.Envelope {
		envelopes := sent(t, data)
		require.NoError(t, directory(t, policy, types...).ValidatePayloads(envelopes, false))
		return envelopes[0]
	}
	refused := judged(eventtype.Accept, `{}`, formType(schema, eventtype.Enforce))
	require.Equal(t, fault.CodeSchemaViolation, refused.Violations[0].Code)
	observed := judged(eventtype.Accept, `{}`, formType(schema, eventtype.Observe))
	require.True(t, observed.Accepted())
	require.Equal(t, "/data/email", observed.Observed[0].Pointer)
	require.EqualValues(t, 3, observed.TypeVersion)
	require.True(t, judgedClean(judged(eventtype.Reject, `{"email": 1}`, formType(schema, eventtype.Enforce))))
	require.Zero(t, judged(eventtype.Accept, `{}`).TypeVersion)
	require.Equal(t, fault.CodeUnknownEventType, judged(eventtype.Reject, `{}`).Violations[0].Code)
	require.True(t, judgedClean(judged(eventtype.Reject, `{}`, formType("", eventtype.Enforce))), "registered without a schema")
}

func judgedClean(e event.Envelope) bool {
	return e.Accepted() && e.Observed == nil && e.TypeVersion == 3
}

// An event is not validated against schemas that are too old.
func TestNothingIsJudgedByAnOldView(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d := eventtype.NewCache(eventtype.Accept, eventtype.CacheDeps{
		Store: registered{formType("", eventtype.Enforce)}, Logger: zap.NewNop(), Now: func() time.Time { return now },
	})
	unavailable := func() {
		f, ok := fault.As(d.ValidatePayloads(sent(t, `{}`), false))
		require.True(t, ok)
		require.Equal(t, fault.Unavailable, f.Kind)
		require.Error(t, d.Ready())
	}
	unavailable()
	require.NoError(t, d.Refresh(t.Context()))
	require.NoError(t, d.ValidatePayloads(sent(t, `{}`), false))
	now = now.Add(5 * time.Second)
	unavailable()
}

// An accepted event is accepted again after the marks were applied, wherever the schema
// refers to marked values; all other values are validated as usual.
func TestWhatWasKeptIsJudgedWithoutItsMarks(t *testing.T) {
	t.Parallel()
	const data = `{"kind": "card", "email": "jane@example.com", "card": "4111 1111", "cvc": "123", "tags": ["ab", "cd"], "plain": 1, "by": {"id": "e2085be5-9137-4e4e-80b5-f1ffddc25423"}}`
	for name, schema := range map[string]string{
		"asked for elsewhere":   `{"properties": {"email": {"x-theeye": "hash"}}, "allOf": [{"properties": {"email": {"format": "email", "maxLength": 20}}}]}`,
		"one of":                `{"oneOf": [{"properties": {"email": {"format": "email", "x-theeye": "hash"}}}, {"properties": {"email": {"pattern": "^[+]", "x-theeye": "hash"}}}]}`,
		"any of":                `{"properties": {"card": {"x-theeye": "mask"}}, "anyOf": [{"properties": {"card": {"pattern": "^4"}}}, {"properties": {"card": {"pattern": "^5"}}}]}`,
		"not":                   `{"properties": {"card": {"x-theeye": "drop"}}, "not": {"properties": {"card": {"pattern": "^5"}}}}`,
		"not without":           `{"properties": {"card": {"x-theeye": "drop"}}, "not": {"not": {"required": ["card"]}}}`,
		"required":              `{"properties": {"card": {"x-theeye": "drop"}}, "required": ["card", "cvc"], "dependentRequired": {"cvc": ["card"]}, "minProperties": 7}`,
		"a condition":           `{"properties": {"card": {"x-theeye": "drop"}}, "if": {"required": ["card"]}, "then": {"required": ["cvc"]}, "else": {"required": ["iban"]}}`,
		"a condition on form":   `{"properties": {"email": {"x-theeye": "mask"}}, "if": {"properties": {"email": {"format": "email"}}}, "else": {"required": ["phone"]}}`,
		"a condition elsewhere": `{"if": {"properties": {"kind": {"const": "card"}}}, "then": {"properties": {"card": {"pattern": "^4", "x-theeye": "drop"}}, "required": ["card"]}}`,
		"unique":                `{"properties": {"tags": {"uniqueItems": true, "contains": {"const": "ab"}, "items": {"x-theeye": "mask"}}}}`,
		"within":                `{"properties": {"by": {"const": {"id": "e2085be5-9137-4e4e-80b5-f1ffddc25423"}, "properties": {"id": {"x-theeye": "hash"}}}}}`,
		"by reference":          `{"properties": {"by": {"$ref": "#/$defs/by"}}, "$defs": {"by": {"properties": {"id": {"$ref": "#/$defs/id", "x-theeye": "mask"}}}, "id": {"format": "uuid"}}}`,
	} {
		d := directory(t, eventtype.Accept, formType(strings.TrimSuffix(schema, "}")+`, "dependentSchemas": {"plain": {"properties": {"plain": {"type": "integer"}}}}}`, eventtype.Enforce))
		envelopes := sent(t, data)
		require.NoError(t, d.ValidatePayloads(envelopes, false))
		require.Empty(t, envelopes[0].Violations, name)
		kept := envelopes[0].Event
		validate := func(data string) []fault.Violation {
			of := kept
			of.Data = json.RawMessage(data)
			again := []event.Envelope{{Event: of, Known: envelopes[0].Known, Raw: of.Data}}
			require.NoError(t, d.ValidatePayloads(again, true))
			return again[0].Violations
		}
		require.NotEqual(t, data, string(kept.Data), name)
		require.Empty(t, validate(string(kept.Data)), name)
		wrong := validate(strings.Replace(string(kept.Data), `"plain":1`, `"plain":"x"`, 1))
		require.Len(t, wrong, 1, name)
		require.Equal(t, "/data/plain", wrong[0].Pointer, name)
	}
}

// Marks apply wherever a schema leads to them, and violations do not reveal the values.
func TestMarksInOddPlaces(t *testing.T) {
	t.Parallel()
	for schema, data := range map[string]string{
		`{"properties": {"email": {"x-theeye": "drop"}, "all": {"items": {"$ref": "#/properties/email"}}}}`:                         `{"all": ["canary", "canary"]}`,
		`{"properties": {"properties": {"items": {"x-theeye": "drop"}}}}`:                                                           `{"properties": ["canary"]}`,
		`{"properties": {"a": {"format": "regex", "x-theeye": "hash"}}}`:                                                            `{"a": "canary("}`,
		`{"properties": {"a": {"x-theeye": "hash", "additionalProperties": {"type": "string"}}}}`:                                   `{"a": {"canary": 5}}`,
		`{"properties": {"a": {"x-theeye": "hash", "additionalProperties": false}}}`:                                                `{"a": {"canary": 5}}`,
		`{"properties": {"a": {"x-theeye": "drop", "propertyNames": {"pattern": "^x"}}}}`:                                           `{"a": {"canary": 5}}`,
		`{"properties": {"a": {"x-theeye": "drop", "anyOf": [{"required": ["x"]}, {"properties": {"canary": {"type": "null"}}}]}}}`: `{"a": {"canary": 5}}`,
	} {
		envelopes := sent(t, data)
		require.NoError(t, directory(t, eventtype.Accept, formType(schema, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		e := envelopes[0]
		require.NotContains(t, string(e.Event.Data)+string(e.Raw), "canary", schema)
		for _, v := range e.Violations {
			require.NotContains(t, v.Pointer+v.Detail, "canary", schema)
		}
	}

	for _, schema := range []string{`{"allOf": [{"x-theeye": "hash"}]}`, `{"$ref": "#/$defs/a", "$defs": {"a": {"x-theeye": "mask"}}}`} {
		_, err := eventtype.CompileSchema([]byte(schema))
		require.ErrorContains(t, err, "whole payload", schema)
	}
}

// With a schema that this release cannot use, no value that it may have marked is
// stored.
func TestASchemaWithMarksThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	d := directory(t, eventtype.Accept, formType(`{"properties": {"a": {"type": "nonsense", "x-theeye": "hash"}}}`, eventtype.Enforce))
	f, ok := fault.As(d.ValidatePayloads(sent(t, `{"a": "canary"}`), false))
	require.True(t, ok)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.NoError(t, directory(t, eventtype.Accept, formType(`{"type": "nonsense"}`, eventtype.Enforce)).ValidatePayloads(sent(t, `{}`), false))
}

// The violations of a large payload are reported without describing all of it, and a
// validation that would take too long is not begun.
func TestALargePayloadIsJudgedInBounds(t *testing.T) {
	t.Parallel()
	var constants []string
	for i := range 60 {
		constants = append(constants, fmt.Sprintf(`{"const": %d}`, i))
	}

	schema := compile(t, `{"properties": {"all": {"items": {"oneOf": [`+strings.Join(constants, ",")+`]}}}}`)
	payload := func(n int) []byte { return []byte(`{"all": [99` + strings.Repeat(",99", n-1) + `]}`) }
	violations, err := schema.CheckPayload(payload(5000), false)
	require.NoError(t, err)
	require.Len(t, violations, 20)
	require.Contains(t, violations[0].Detail, "fits none of the 60 alternatives")
	violations, err = schema.CheckPayload(payload(16_000), false)
	require.NoError(t, err)
	require.Len(t, violations, 1)
	require.Contains(t, violations[0].Detail, "send less, or simplify the schema")
}

// A text that can be read in more than one way is not kept if one of them is an event
// of a type with marks: its marked values might not be the ones that would be removed.
func TestAmbiguousTextIsWithheld(t *testing.T) {
	t.Parallel()
	const (
		session  = `"session_id": "e2085be5-9137-4e4e-80b5-f1ffddc25423", "timestamp": "2026-01-01T00:00:00Z", `
		other    = `"category": "page", "name": "view", `
		form     = `"category": "form", "name": "submit", `
		harmless = `"data": {"email": "jane@example.com", "card": "1"}`
		secret   = `"data": {"email": "canary@example.com", "card": "canary"}`
	)
	rules := event.DefaultRules()
	for name, body := range map[string]string{
		"data twice":                               `{` + session + form + harmless + `, ` + secret + `}`,
		"data twice, the other way":                `{` + session + form + secret + `, ` + harmless + `}`,
		"a member of data twice":                   `{` + session + form + `"data": {"email": "canary@example.com", "email": "jane@example.com", "card": "1"}}`,
		"an inner member twice":                    `{` + session + form + `"data": {"email": "jane@example.com", "card": "1", "person": {"name": "canary", "name": "x"}}}`,
		"category twice":                           `{` + session + `"category": "page", ` + form + secret + `}`,
		"category twice, the other way":            `{` + session + form + `"category": "page", ` + secret + `}`,
		"name twice":                               `{` + session + `"category": "form", "name": "view", "name": "submit", ` + secret + `}`,
		"name twice, the other way":                `{` + session + `"category": "form", "name": "submit", "name": "view", ` + secret + `}`,
		"another event behind it":                  `{` + session + other + harmless + `} {` + session + form + secret + `}`,
		"another event behind it, unclosed":        `{` + session + other + harmless + `, {` + session + form + secret,
		"not read to its end":                      `{` + session + other + `"data": {"a": 01, "b": {` + form + secret + `}}}`,
		"category twice, after many other members": `{` + strings.Repeat(`"more": 1, `, 30) + session + form + `"category": "page", ` + secret + `}`,
		"an unknown member":                        `{` + session + form + harmless + `, "payload": {"email": "canary@example.com"}}`,
	} {
		envelopes, _, err := event.ParseJSON([]byte(body), &rules, time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC))
		require.NoError(t, err, name)
		require.Len(t, envelopes, 1, name)
		e := &envelopes[0]
		require.False(t, e.Accepted(), name)
		require.Contains(t, string(e.Raw), "canary", "%s: or there is nothing to hold back", name)
		require.NoError(t, directory(t, eventtype.Accept, formType(marked, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		require.True(t, e.Withheld, "%s: %v", name, e.Violations)
	}
}
