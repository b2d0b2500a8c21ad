package eventtype_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// inferred proposes a schema for payloads and checks that all of them fit it.
func inferred(t testing.TB, payloads ...string) string {
	t.Helper()
	i, err := eventtype.NewInference()
	require.NoError(t, err)
	for _, p := range payloads {
		require.NoError(t, i.AddPayload([]byte(p)))
	}

	require.Equal(t, len(payloads), i.Events())
	text, err := i.ProposeSchema()
	require.NoError(t, err)
	schema := compile(t, string(text))
	for _, p := range payloads {
		violations, err := schema.CheckPayload([]byte(p), false)
		require.NoError(t, err)
		require.Empty(t, violations, "%s does not fit %s", p, text)
	}

	return string(text)
}

func many(n int, payload func(int) string) []string {
	var all []string
	for i := range n {
		all = append(all, payload(i))
	}

	return all
}

func TestWhatIsInferred(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payloads []string
		schema   string
	}{
		"required": {
			[]string{`{"a": 1, "b": "x"}`, `{"a": 2}`},
			`{"type":"object","required":["a"],"properties":{"a":{"type":"integer"},"b":{"type":"string"}}}`,
		},
		"unions": {
			[]string{`{"a": 1, "n": 1}`, `{"a": null, "n": 1.5}`, `{"a": "x", "n": 2e3}`},
			`{"type":"object","required":["a","n"],"properties":{"a":{"type":["string","integer","null"]},"n":{"type":"number"}}}`,
		},
		"levels": {
			[]string{`{"form": {"items": [{"id": 1}, {"id": 2, "x": true}], "none": []}}`, `{"form": {"items": [[1], {"id": 3}]}}`},
			`{"type":"object","required":["form"],"properties":{"form":{"type":"object","required":["items"],"properties":{
				"items":{"type":"array","items":{"type":["object","array"],"required":["id"],"properties":{"id":{"type":"integer"},"x":{"type":"boolean"}},"items":{"type":"integer"}}},"none":{"type":"array"}}}}}`,
		},
		"formats": {
			[]string{
				`{"at": "2026-01-01T00:00:00Z", "id": "e2085be5-9137-4e4e-80b5-f1ffddc25423", "mail": "a@example.com", "url": "https://example.com/x", "key": "a:b"}`,
				`{"at": "2026-01-01T00:00:00.5+02:00", "id": "00000000-0000-0000-0000-000000000000", "mail": "b@example.com", "url": "app://x", "key": "c:d"}`,
			},
			`{"type":"object","required":["at","id","key","mail","url"],"properties":{"at":{"type":"string","format":"date-time"},"id":{"type":"string","format":"uuid"},
				"key":{"type":"string"},"mail":{"type":"string","format":"email"},"url":{"type":"string","format":"uri"}}}`,
		},
		"not all": {
			[]string{`{"mail": "a@example.com"}`, `{"mail": ""}`},
			`{"type":"object","required":["mail"],"properties":{"mail":{"type":"string"}}}`,
		},
		"few values, each often": {
			many(60, func(i int) string {
				return fmt.Sprintf(`{"kind": "k%d", "rare": "r%d", "hash": "hmac-sha256:%s", "long": %q}`, i%3, i%4, strings.Repeat("a", 64), strings.Repeat("x", 65))
			}),
			`{"type":"object","required":["hash","kind","long","rare"],"properties":{"hash":{"type":"string"},"kind":{"type":"string","enum":["k0","k1","k2"]},"long":{"type":"string"},"rare":{"type":"string"}}}`,
		},
		"a dictionary": {
			many(101, func(i int) string { return fmt.Sprintf(`{"by": {"k%d": {"n": %d}}}`, i, i) }),
			`{"type":"object","required":["by"],"properties":{"by":{"type":"object","additionalProperties":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}}}}`,
		},
		"none": {[]string{`{}`}, `{"type":"object"}`},
	} {
		require.JSONEq(t, c.schema, inferred(t, c.payloads...), name)
	}
}

// Payloads larger than a schema may describe are described as far as possible.
func TestInferenceIsBounded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 31) + `{"b":1}` + strings.Repeat(`}`, 31)
	require.Contains(t, inferred(t, deep), `{"a":{"type":"object"`)
	wide := many(100, func(i int) string {
		var b strings.Builder
		for j := range 90 {
			fmt.Fprintf(&b, `"m%d": {`, j)
			for k := range 20 {
				fmt.Fprintf(&b, `"name%d_%d": {"x": [{"y": %d}], "z": "%d"},`, k, i, i, j)
			}

			b.WriteString(`"e": 1},`)
		}

		return `{` + strings.TrimSuffix(b.String(), ",") + `}`
	})
	require.NotEqual(t, `{"type":"object"}`, inferred(t, wide...))
	long := `{"` + strings.Repeat("x", 60_000) + `": {"` + strings.Repeat("y", 5_000) + `": 1}}`
	require.NotContains(t, inferred(t, long), "yyy")
}

// Every event fits the schema that is inferred from any set of events with it.
func TestAllEventsFitWhatIsInferredOfThem(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		var value func(levels, names int) any
		value = func(levels, names int) any {
			texts := []any{"a", "b", "2026-01-01T00:00:00Z", "a@b.example", "https://x.example", "", "é", strings.Repeat("long", 20)}
			switch kind := random.IntN(9); {
			case kind < 3 && levels > 0:
				o := map[string]any{}
				for range random.IntN(8) {
					o[fmt.Sprintf("k%d", random.IntN(names))] = value(levels-1, names)
				}

				return o
			case kind == 3 && levels > 0:
				a := []any{}
				for range random.IntN(4) {
					a = append(a, value(levels-1, names))
				}

				return a
			case kind == 4:
				return json.Number([]string{"1", "-0", "1.0", "1e400000", "0.5", "123456789012345678901234567890"}[random.IntN(6)])
			case kind == 5:
				return random.IntN(2) == 0
			case kind == 6:
				return nil
			}

			return texts[random.IntN(len(texts))]
		}
		names := []int{3, 20, 150, 5000}[seed%4]
		payloads := many(20+random.IntN(200), func(int) string {
			o := map[string]any{}
			for range random.IntN(12) {
				o[fmt.Sprintf("k%d", random.IntN(names))] = value(1+int(seed%5), names)
			}

			text, err := json.Marshal(o)
			require.NoError(t, err)
			return strings.ReplaceAll(string(text), "1e400000", "1e300")
		})
		inferred(t, payloads...)
	}
}

// FuzzInfer checks that payloads fit the schema inferred from them.
func FuzzInfer(f *testing.F) {
	f.Add(`{"a": 1}`, `{"a": [1, {"b": "2026-01-01T00:00:00Z"}]}`, `{}`)
	f.Add(`{"a": {"x": 1}, "b": "uuid"}`, `{"a": null}`, `{"b": 1.0}`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var payloads []string
		for _, p := range []string{a, b, c} {
			var o map[string]any
			if len(p) < 10_000 && json.Unmarshal([]byte(p), &o) == nil && o != nil && !strings.ContainsAny(p, "eE") { // a number of any size cannot be held against a schema
				payloads = append(payloads, p)
			}
		}

		inferred(t, payloads...)
	})
}

// Values that are marked now may have been stored in plain text before, and are not
// listed in an enum.
func TestNothingMarkedIsInferredAsAValue(t *testing.T) {
	t.Parallel()
	inference, err := eventtype.NewInference()
	require.NoError(t, err)
	inference.HideMarked(compile(t, `{"properties": {"ssn": {"x-theeye": "drop"}, "user": {"properties": {"name": {"x-theeye": "mask"}}}}}`))
	for range 50 {
		require.NoError(t, inference.AddPayload([]byte(`{"ssn": "canary", "user": {"name": "canary"}, "users": [{"name": "canary"}], "kind": "seen"}`)))
	}

	schema, err := inference.ProposeSchema()
	require.NoError(t, err)
	require.NotContains(t, string(schema), "canary")
	require.Contains(t, string(schema), `"enum":["seen"]`)
	require.Contains(t, string(schema), `"ssn":{"type":"string"}`)
}
