package eventtype_test

import (
	"context"
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

// list writes n texts with commas between them.
func list(n int, one func(i int) string) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = one(i)
	}

	return strings.Join(texts, ",")
}

// A schema validates the ten thousandth payload like the first.
func TestTheFormatRegexDoesNotWearOut(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"properties": {"a": {"format": "regex"}}}`)
	for range 10_000 {
		found, err := s.CheckPayload([]byte(`{"a": "ab+c"}`), false)
		require.NoError(t, err)
		require.Empty(t, found)
	}

	found, err := s.CheckPayload([]byte(`{"a": "("}`), false)
	require.NoError(t, err)
	require.Len(t, found, 1)
}

func TestLongEnums(t *testing.T) {
	t.Parallel()
	schema := `{"properties": {"a": {"enum": [100, 1.50, "100", "text", true, null, {"x": [1, {"y": "z"}], "n": 2}, [1, 2], ` +
		list(1000, func(i int) string { return fmt.Sprint(i + 1000) }) + `]}}}`
	for _, same := range []string{
		"100", "1e2", "100.0", "1.5", "15e-1", `"100"`, `"te\u0078t"`, "true", "null", `{"n": 2.0, "x": [1, {"y": "z"}]}`, "[1, 2]", "1999", "1.999e3",
	} {
		require.Empty(t, found(t, schema, `{"a": `+same+`}`), same)
	}

	for _, other := range []string{"101", `"1.5"`, `"true"`, "false", `"null"`, `{"n": 2}`, "[2, 1]", "[]", "{}", `""`, "1999.5"} {
		require.Contains(t, found(t, schema, `{"a": `+other+`}`)["/data/a"], `; expected 100 or 1.50 or "100"`, other)
	}
}

// The possible cost of a payload is known before it is validated.
func TestCostlyPayloadsAreNotHeldAgainstTheirSchema(t *testing.T) {
	t.Parallel()
	items := func(schema string) string { return `{"properties": {"a": {"items": ` + schema + `}}}` }
	quoted := func(i int) string { return fmt.Sprintf(`"name%d"`, i) }
	for what, c := range map[string]struct{ schema, data, refused string }{
		"required": {
			items(`{"required": [` + list(4000, quoted) + `]}`),
			`{"a": [` + list(2000, func(int) string { return "{}" }) + `]}`, "/data holds 2002 values",
		},
		"dependentRequired": {
			items(`{"dependentRequired": {` + list(4000, func(i int) string { return quoted(i) + ": []" }) + `}}`),
			`{"a": [` + list(2000, func(int) string { return "{}" }) + `]}`, "/data holds 2002 values",
		},
		"patternProperties": {
			`{"patternProperties": {` + list(100, func(i int) string { return quoted(i) + ": true" }) + `}}`,
			`{` + list(6000, func(i int) string { return quoted(i) + ": 0" }) + `}`, "/data holds 6001 values",
		},
		"patterns": {
			`{"properties": {"a": {"allOf": [` + list(4, func(i int) string { return fmt.Sprintf(`{"pattern": "[a-z]{0,450}%d"}`, i) }) + `]}}}`,
			`{"a": "` + strings.Repeat("x", 60_000) + `"}`, "/data holds texts of 60001 bytes",
		},
		"one pattern, by many": {
			`{"$defs": {"p": {"pattern": "[a-z]{0,450}1"}}, "allOf": [` + list(100, func(int) string { return `{"properties": {"a": {"$ref": "#/$defs/p"}}}` }) + `]}`,
			`{"a": "` + strings.Repeat("x", 60_000) + `"}`, "/data holds texts of 60001 bytes",
		},
		"enum of objects": {
			items(`{"enum": [` + list(2000, func(i int) string { return fmt.Sprintf(`{"a": %d}`, i) }) + `]}`),
			`{"a": [` + list(2000, func(int) string { return "{}" }) + `]}`, "/data holds 2002 values",
		},
	} {
		details := found(t, c.schema, c.data)
		require.Len(t, details, 1, what)
		require.Contains(t, "/data "+details["/data"], c.refused, what)
	}

	// A single large payload is accepted.
	require.Empty(t, found(t, `{"properties": {"a": {"pattern": "[a-z]{0,450}1"}}}`, `{"a": "`+strings.Repeat("x", 60_000)+`1"}`))
	require.Empty(t, found(t, `{"required": [`+list(1000, quoted)+`]}`, `{`+list(1000, func(i int) string { return quoted(i) + ": 0" })+`}`))
}

// Compiling an expression can cost more than using it.
func TestLargeExpressionsAreNotCompiled(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"(" + strings.Repeat("a", 900) + "){1000}", "((ab?c*){0,30}){2,30}", "(x|yy|z{20}){300}"} {
		_, err := eventtype.CompileSchema([]byte(`{"pattern": "` + pattern + `"}`))
		require.ErrorContains(t, err, "invalid_schema", pattern)
	}

	compile(t, `{"pattern": "^[a-z]{2,60}@([a-z0-9-]{1,20}[.]){1,4}[a-z]{2,63}$"}`)
}

// oneType is a registry of one type.
type oneType struct{ schema string }

func (o oneType) ReadRevision(context.Context) (int64, error) { return 1, nil }

func (o oneType) ReadSnapshot(context.Context) (eventtype.Snapshot, error) {
	t := eventtype.Type{Key: eventtype.Key{Category: "c", Name: "n"}, Version: 1, Spec: eventtype.Spec{Schema: []byte(o.schema), Mode: eventtype.Enforce}}
	return eventtype.Snapshot{Revision: 1, Types: []eventtype.Type{t}}, nil
}

// The validation of a batch leaves time to answer.
func TestJudgingEndsInTime(t *testing.T) {
	t.Parallel()
	now, step := time.Unix(1e9, 0), time.Duration(0)
	d := eventtype.NewCache(eventtype.Accept, eventtype.CacheDeps{
		Store: oneType{`{"required": ["a"]}`}, Logger: zap.NewNop(),
		Now: func() time.Time {
			now = now.Add(step)
			return now
		},
	})
	require.NoError(t, d.Refresh(t.Context()))
	rules := event.DefaultRules()
	body := `{"session_id": "e2085be5-9137-4e4e-80b5-f1ffddc25423", "category": "c", "name": "n", "data": {}, "timestamp": "2001-09-09T01:46:40Z"}`
	batch, err := event.ParseNDJSON([]byte(strings.Repeat(body+"\n", 10)), &rules, now)
	require.NoError(t, err)
	require.NoError(t, d.ValidatePayloads(batch, false))
	require.Equal(t, fault.CodeSchemaViolation, batch[9].Violations[0].Code)

	step = time.Second
	f, ok := fault.As(d.ValidatePayloads(batch, false))
	require.True(t, ok)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.Equal(t, fault.CodeOverloaded, f.Code)
	require.NoError(t, d.Refresh(t.Context()))
	require.NoError(t, d.ValidatePayloads(batch[:1], false), "one event is judged in any case")
}

// Names in a payload may be as long as the payload, and there may be many violations
// below them.
func TestPointersIntoAPayloadAreCut(t *testing.T) {
	t.Parallel()
	const schema = `{"additionalProperties": {"additionalProperties": {"type": "string"}}}`
	long := strings.Repeat("x", 10_000)
	s := compile(t, schema)
	found, err := s.CheckPayload([]byte(`{"`+long+`": {`+list(30, func(i int) string { return fmt.Sprintf(`"%d": 0`, i) })+`}}`), false)
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, v := range found {
		require.Equal(t, "/data", v.Pointer)
	}
}
