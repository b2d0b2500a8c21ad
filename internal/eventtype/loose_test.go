package eventtype_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// canary is a value that must not be stored.
const canary = "canary"

// closedPlan is a schema that no payload of another shape fits, with marks on properties,
// in arrays, in arrays of arrays, in tuples and in dictionaries.
const closedPlan = `{"type": "object", "additionalProperties": false, "required": ["user", "list", "grid", "pair", "more", "tags"], "properties": {
	"user": {"type": "object", "additionalProperties": false, "required": ["ssn", "born"], "properties": {
		"ssn": {"type": "string", "x-theeye": "drop"}, "born": {"type": "string", "x-theeye": "hash"}, "plain": {"type": "string"},
		"home": {"type": "object", "additionalProperties": false, "required": ["street"], "properties": {"street": {"type": "string", "x-theeye": "mask"}}}}},
	"list": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["p"], "properties": {"p": {"type": "string", "x-theeye": "drop"}, "q": {"type": "string"}}}},
	"grid": {"type": "array", "items": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["cell"], "properties": {"cell": {"type": "string", "x-theeye": "hash"}}}}},
	"pair": {"type": "array", "prefixItems": [{"type": "string", "x-theeye": "mask"}, {"type": "integer"}], "items": false},
	"more": {"type": "object", "additionalProperties": {"type": "string", "x-theeye": "mask"}},
	"tags": {"type": "array", "items": {"type": "string", "x-theeye": "hash"}}},
	"patternProperties": {"^secret_": {"type": "string", "x-theeye": "mask"}}}`

const wellFormed = `{"user": {"ssn": "canary", "born": "canary", "plain": "seen", "home": {"street": "canary"}}, "list": [{"p": "canary", "q": "seen"}, {"p": "canary"}],
	"grid": [[{"cell": "canary"}, {"cell": "canary"}]], "pair": ["canary", 5], "more": {"a": "canary", "b": "canary"}, "tags": ["canary"], "secret_x": "canary"}`

// tree is a well-formed copy of the payload.
func tree(t testing.TB) map[string]any {
	t.Helper()
	var payload map[string]any
	require.NoError(t, json.Unmarshal([]byte(wellFormed), &payload))
	return payload
}

// reshaper gives a payload another shape in which marked values keep their names, or
// stay inside a value that does.
type reshaper struct {
	random *rand.Rand
	// arraysOnly puts values into arrays and removes them from arrays, and does nothing
	// more.
	arraysOnly bool
}

func (r *reshaper) value(v any) any {
	switch inner := v.(type) {
	case map[string]any:
		v = r.object(inner)
	case []any:
		for i := range inner {
			inner[i] = r.value(inner[i])
		}

		v = r.array(inner)
	}

	for r.random.IntN(6) == 0 {
		v = r.wrap(v)
	}

	return v
}

func (r *reshaper) wrap(v any) any {
	if r.arraysOnly || r.random.IntN(2) == 0 {
		return []any{v}
	}

	return map[string]any{"wrapped": v}
}

func (r *reshaper) array(items []any) any {
	switch choice := r.random.IntN(6); {
	case choice == 0 && len(items) > 0:
		return items[0]
	case choice == 1 && !r.arraysOnly:
		byIndex := map[string]any{}
		for i, item := range items {
			byIndex[fmt.Sprint(i)] = item
		}

		return byIndex
	}

	return items
}

func (r *reshaper) object(members map[string]any) map[string]any {
	reshaped := map[string]any{}
	for name, inner := range members {
		inner = r.value(inner)
		switch choice := r.random.IntN(12); {
		case r.arraysOnly || name == "pair" || name == "more" || name == "tags":
		case choice == 0:
			name = strings.ToUpper(name)
		case choice == 1 && !strings.HasPrefix(name, "secret_"):
			name = "Outer." + name[:1] + "_" + name[1:]
		case choice == 2:
			if object, ok := inner.(map[string]any); ok && (name == "user" || name == "home") && object["wrapped"] == nil { // flattened
				maps.Copy(reshaped, object)
				continue
			}
		}

		reshaped[name] = inner
	}

	return reshaped
}

// requireNotKept validates a payload and checks that no canary of it is stored.
func requireNotKept(t testing.TB, d *eventtype.Cache, payload any, late bool) *event.Envelope {
	t.Helper()
	text, err := json.Marshal(payload)
	require.NoError(t, err)
	envelopes := sent(t, string(text))
	if late {
		envelopes[0].Reject("invalid_timestamp", "/timestamp", "it is wrong")
	}

	require.NoError(t, d.ValidatePayloads(envelopes, false))

	e := &envelopes[0]
	told, err := json.Marshal(map[string]any{"violations": e.Violations, "observed": e.Observed})
	require.NoError(t, err)
	for what, kept := range map[string]string{"raw": string(e.Raw), "data": string(e.Event.Data), "told": string(told)} {
		require.NotContains(t, kept, canary, "%s of %s", what, text)
	}

	require.True(t, json.Valid(e.Raw))
	require.False(t, e.Withheld)
	return e
}

// Marked values of an event with another shape than its schema are not kept: not in its
// text, not in its payload if the type only observes, not in the answer to its sender.
func TestMarksHoldInWhateverShape(t *testing.T) {
	t.Parallel()
	const seed, rounds = 13, 400
	r := &reshaper{random: rand.New(rand.NewPCG(seed, seed))}
	enforced := directory(t, eventtype.Accept, formType(closedPlan, eventtype.Enforce))
	observed := directory(t, eventtype.Accept, formType(closedPlan, eventtype.Observe))

	for range rounds {
		payload := map[string]any{"root": nil}
		maps.Copy(payload, r.object(tree(t)))
		e := requireNotKept(t, enforced, payload, false)
		require.False(t, e.Accepted())
		e = requireNotKept(t, observed, payload, false)
		require.True(t, e.Accepted())
		require.NotEmpty(t, e.Observed)
		requireNotKept(t, enforced, payload, true)
	}
}

// A schema without types also fits arrays of the values that it describes, and an
// object in place of an array whose items it describes.
func TestMarksLookThroughArraysOfWhatFits(t *testing.T) {
	t.Parallel()
	const seed, rounds = 17, 300
	open := strings.NewReplacer(`"type": "object", `, "", `"type": "array", `, "", `"type": "string", `, "", `"type": "integer"`, "",
		`"additionalProperties": false, `, "").Replace(closedPlan)
	for _, schema := range []string{open, strings.NewReplacer(`"required": ["ssn", "born"],`, "", `"required": ["p"],`, "").Replace(open)} {
		r := &reshaper{random: rand.New(rand.NewPCG(seed, seed)), arraysOnly: true}
		d := directory(t, eventtype.Accept, formType(strings.ReplaceAll(schema, `"items": false`, `"minItems": 1`), eventtype.Enforce))
		accepted := 0
		for range rounds {
			payload := r.object(tree(t))
			delete(payload, "pair") // of two swapped values the marked one cannot be identified
			payload["pair"] = []any{canary, 5}
			if requireNotKept(t, d, payload, false).Accepted() {
				accepted++
			}
		}

		require.Greater(t, accepted, rounds/10, "it is about events that are stored")
	}
}

func TestMarksInTheWrongShape(t *testing.T) {
	t.Parallel()
	const schema = `{"type": "object", "required": ["user", "list"], "properties": {
		"user": {"type": "object", "properties": {"ssn": {"x-theeye": "drop"}, "id": {"type": "integer"}}},
		"list": {"type": "array", "items": {"type": "object", "properties": {"p": {"x-theeye": "hash"}}}},
		"note": {"type": "string"}, "vat": {"type": "object", "properties": {"id": {"x-theeye": "mask"}}}}}`
	d := directory(t, eventtype.Accept, formType(schema, eventtype.Enforce))
	for data, kept := range map[string]string{
		`{"user": [{"ssn": "canary", "id": 1}], "note": "seen"}`:              `{"note":"seen","user":[{"id":1}]}`,
		`{"list": [[[{"p": "canary"}]]]}`:                                     `"list":[[[{"p":"hmac-sha256:`,
		`{"list": {"p": "canary", "q": "seen"}}`:                              `"q":"seen"`,
		`{"list": {"0": {"p": "canary"}, "1": "canary"}}`:                     `"1":"******"`,
		`{"user": {"x": {"ssn": "canary", "y": 1}}}`:                          `{"user":{"x":{"y":1}}}`,
		`{"user": "canary", "list": ["canary", 5, null]}`:                     `{"list":["******",0,null],"user":"******"}`,
		`{"user": {"SSN": "canary"}, "User.ssn": "canary", "s-sn": "canary"}`: `{"user":{}}`,
		`{"ssn": ["canary"], "event": {"data": {"user": ["canary"]}}}`:        `{"event":{"data":{"user":["******"]}}}`,
		`{"user": {"id": 77, "ssn": "canary"}, "vat": {"id": "canary"}}`:      `{"user":{"id":77},"vat":{"id":"******"}}`,
	} {
		var payload any
		require.NoError(t, json.Unmarshal([]byte(data), &payload))
		e := requireNotKept(t, d, payload, false)
		require.False(t, e.Accepted(), data)
		require.Contains(t, string(e.Event.Data), kept, data)
		require.Contains(t, string(e.Raw), string(e.Event.Data))
	}
}

// A payload that fits its schema is kept with its marks applied and nothing more
// removed, even if the event is rejected for another reason.
func TestOnlyWhatIsMarkedIsTakenOutOfWhatFits(t *testing.T) {
	t.Parallel()
	const schema = `{"properties": {"name": {"x-theeye": "drop"}, "pair": {"prefixItems": [{"x-theeye": "mask"}]}, "who": {"type": ["string", "object"], "properties": {"id": {"x-theeye": "drop"}}}}}`
	for _, late := range []bool{false, true} {
		e := requireNotKept(t, directory(t, eventtype.Accept, formType(schema, eventtype.Enforce)), map[string]any{
			"name": canary, "product": map[string]any{"name": "chair"}, "pair": []any{canary, "seen"}, "who": "somebody",
		}, late)
		require.Equal(t, !late, e.Accepted())
		require.JSONEq(t, `{"product": {"name": "chair"}, "pair": ["******", "seen"], "who": "somebody"}`, string(e.Event.Data))
	}
}
