package event_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

func TestStrings(t *testing.T) {
	t.Parallel()
	const nul, lone, utf8, syntax = "nul_character", "lone_surrogate", "invalid_utf8", "invalid_json"
	tests := map[string]string{
		``: "", `plain`: "", `\"\\\/\b\f\n\r\t`: "", `\u0001\u001f\u007f`: "", "\x7f\u0080\u2028\u2029\ufeff\ufffd\ufffe\uffff\U0010ffff": "",
		`\\u0000`: "", `\\\\u0000`: "", `\\\u0000`: nul, `\u0000`: nul, `a\u0000b`: nul, `\u00000`: nul, `\u0001\u0000`: nul,
		`\u0000\u0000`: nul + " " + nul, "\x00": syntax,
		"\n": syntax, "\t": syntax, "\r": syntax, "\x1f": syntax, "\x01": syntax, `\a`: syntax, `\x41`: syntax, `\'`: syntax, `\0`: syntax,
		`\U0041`: syntax, `\u`: syntax, `\u1`: syntax, `\u12`: syntax, `\u123`: syntax, `\u123g`: syntax, `\u+123`: syntax, `\u 123`: syntax,
		`\u004`: syntax, "\\\n": syntax, "\\\x00": syntax, `\u00é`: syntax,
		`\ud83d\ude00`: "", `\uD83D\uDE00`: "", `\udbff\udfff`: "", `\ud800\udc00`: "",
		`\ud800`: lone, `\udbff`: lone, `\udc00`: lone, `\udfff`: lone, `\ud7ff\ue000`: "",
		`\ud800x`: lone, `\ud800\n`: lone, `\ud800\\udc00`: lone, `\ud800\u0041`: lone, `\ud800\u0000`: lone + " " + nul,
		`\ud800\ud800`: lone + " " + lone, `\ud800\ud800\udc00`: lone, `\udc00\ud800`: lone + " " + lone, `\ud800\udc00\udc00`: lone,
		`\ud800\u12`: syntax, `\ud800\u`: syntax, `\ud800\`: lone + " " + syntax, `\ud800"`: lone + " " + syntax,
		"é😀": "", "\x80": utf8, "\xff": utf8, "\xc3": utf8, "\xc3(": utf8, "\xe2\x82": utf8, "\xf0\x9f\x98": utf8,
		"\xc0\x80": utf8, "\xc1\xbf": utf8, "\xe0\x80\x80": utf8, "\xf0\x80\x80\x80": utf8, // overlong
		"\xed\xa0\x80": utf8, "\xed\xbf\xbf": utf8, "\xed\xa0\xbd\xed\xb8\x80": utf8, // surrogates
		"\xf4\x90\x80\x80": utf8, "\xf5\x80\x80\x80": utf8, "\xf8\x88\x80\x80\x80": utf8, // beyond Unicode
		"\xff\xfe\xff": utf8, "a\xffb\xffc": utf8, `\n` + "\xff": utf8, "\xff" + `\u0000`: utf8 + " " + nul,
	}
	for content, want := range tests {
		for pointer, body := range map[string]string{
			"/category": text(members{"category": `"` + content + `-"`}),
			"/data/x":   withData(`"` + content + `-"`),
			"/data/x/0": withData(`["` + content + `-"]`),
			"/data":     text(members{"data": `{"` + content + `-":1}`}),
			"":          text(members{content + "-": "1"}),
		} {
			expected := []string{}
			for code := range strings.FieldsSeq(want) {
				if code == syntax {
					expected = append(expected, " "+code)
				} else {
					expected = append(expected, pointer+" "+code)
				}
			}

			got := violationsOf(t, body)
			if pointer == "" && !strings.HasSuffix(want, syntax) { // the name itself is unknown, too
				require.Contains(t, got[len(got)-1], "unknown_field")
				got = got[:len(got)-1]
			}

			require.Equal(t, expected, got, "%q", body)
		}
	}
}

func TestEveryByteAtEveryPlaceOfAString(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		want := []string{}
		switch {
		case c < 0x20 || c == '"' || c == '\\':
			want = []string{" invalid_json"}
		case c >= 0x80:
			want = []string{"/data/x invalid_utf8"}
		}

		for at := range 20 {
			content := []byte("aaaaaaaaaaaaaaaaaaaa")
			content[at] = byte(c)
			require.Equal(t, want, violationsOf(t, withData(`"`+string(content)+`"`)), "%q", content)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	const bad, syntax = "/data/x number_out_of_range", " invalid_json"
	digits := strings.Repeat("1234567890", 5)
	tests := map[string]string{
		"0": "", "-0": "", "0.0": "", "-0.0e-0": "", "1": "", "-1": "", "10": "", "1.50": "", "9007199254740993": "", "-9223372036854775809": "",
		"1e2": "", "1E2": "", "1e+2": "", "1e-2": "", "1.5E+002": "", "0e1": "", "0e400": "", "0e-400": "", "-0e400": "",
		digits[:40]: "", digits[:41]: bad, "-" + digits[:40]: "", "-" + digits[:41]: bad,
		"0." + digits[:39]: "", "0." + digits[:41]: bad, digits[:39] + ".0": "", digits[:39] + ".01": bad,
		digits[:38] + "e+10": "", digits[:41] + "e100": bad, digits[:39] + "e1": "", digits + digits: bad,
		"1e308": "", "-1e308": "", "1.7976931348623157e308": "", "1.7976931348623159e308": bad, "1e309": bad, "-1e309": bad, "10e308": bad, "0.1e309": "",
		"1e400": bad, "1e401": bad, "0e401": bad, "0e-401": bad, "0e99999": bad, "1e131071": bad, "1e131072": bad, "1e-16384": bad,
		"1e99999999999999999999": bad, "1e-99999999999999999999": bad, "1e" + strings.Repeat("9", 1000): bad, "0e" + strings.Repeat("0", 38): "",
		"1e-308": "", "5e-324": "", "3e-324": "", "1e-324": bad, "2e-324": bad, "-1e-324": bad, "1e-400": bad, "1e-999": bad, "0.0e-324": "",
		"01": syntax, "00": syntax, "-01": syntax, "+1": syntax, ".5": syntax, "-.5": syntax, "1.": syntax, "1.e2": syntax, "-": syntax, "--1": syntax,
		"1e": syntax, "1e+": syntax, "1e-": syntax, "1ee2": syntax, "1e2.5": syntax, "1.2.3": syntax, "1_000": syntax, "1,5": syntax, "0x10": syntax,
		"NaN": syntax, "Infinity": syntax, "-Infinity": syntax, "nan": syntax, "1f": syntax, "1n": syntax, "１": syntax, "1 2": syntax, "- 1": syntax,
	}
	for number, want := range tests {
		expected := []string{}
		if want != "" {
			expected = []string{want}
		}

		e := parse(t, withData(number))
		require.Equal(t, expected, found(e), number)
		if want == "" {
			require.Equal(t, `{"x":`+number+`}`, string(e.Event.Data), "a number keeps its notation")
		}
	}

	require.Equal(t, []string{"/data/a/0/1 number_out_of_range"}, violationsOf(t, text(members{"data": `{"a":[[0,1e309],1]}`})))
}

func TestLiteralsAndBrackets(t *testing.T) {
	t.Parallel()
	for _, good := range []string{`true`, `false`, `null`, `[]`, `{}`, `[ ]`, "{\n}", `[[],{}]`, `[1 , 2]`, `{"a" : {"b" : [ null ] } }`} {
		require.Empty(t, violationsOf(t, withData(good)), good)
	}

	for _, bad := range []string{
		``, `True`, `tru`, `truefalse`, `nul`, `undefined`, `'a'`, `a`, `[1,]`, `[,1]`, `[1 2]`, `[1,,2]`, `[`, `]`, `[}`, `{]`, `{"a"}`, `{"a":}`, `{"a":1,}`,
		`{,}`, `{"a" 1}`, `{a:1}`, `{1:2}`, `{"a":1 "b":2}`, `{"a":1;"b":2}`, `{"a"::1}`, `/**/1`, `1//`, "\v1", "\f1", "\u00a01", "\ufeff1", "\x001", "1\x00", `"a`, `"a\"`,
	} {
		require.Equal(t, []string{" invalid_json"}, violationsOf(t, withData(bad)), "%q", bad)
	}

	whole := text(members{"data": `{"a":["b\u0041",1.5e1,true,null]}`})
	for cut := 1; cut < len(whole); cut++ {
		got := violationsOf(t, whole[:cut])
		require.Equal(t, " invalid_json", got[len(got)-1], whole[:cut])
	}
}

func TestSyntaxErrorSaysWhere(t *testing.T) {
	t.Parallel()
	e := parse(t, "{\n\"session_id\" 1}")
	require.Equal(t, []fault.Violation{{
		Code:   fault.CodeInvalidJSON,
		Detail: `not valid JSON: expected a colon after the member name, found "1" at byte 15 (line 2)`,
	}}, e.Violations)
	require.Equal(t, "{\n\"session_id\" 1}", string(e.Raw))
	require.Contains(t, parse(t, `{"a":`).Violations[1].Detail, "found the end of the text at byte 5 (line 1)")
	require.Contains(t, parse(t, "{\xff").Violations[0].Detail, `found "\xff" at byte 1`)
}

func TestRepeatedMembersOfData(t *testing.T) {
	t.Parallel()
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf(`"m%d":%d`, i, i)
	}

	list := strings.Join(many, ",")
	tests := map[string][]string{
		`{"a":1,"A":2,"\u00e4":3,"a\u0308":4,"a ":5}`:  {}, // NFC and NFD are two names
		`{"a":{"a":{"a":1}},"b":{"a":1}}`:              {},
		`[{"a":1},{"a":1}]`:                            {},
		`{"__proto__":{},"constructor":1,"":0}`:        {},
		`{"a":1,"a":1}`:                                {"/data/x/a duplicate_member"},
		`{"":1,"":1}`:                                  {"/data/x/ duplicate_member"},
		`{"a":1,"\u0061":1}`:                           {"/data/x/a duplicate_member"},
		`{"\ud83d\ude00":1,"😀":1}`:                     {"/data/x/😀 duplicate_member"},
		`{"a/b~":1,"a\/b\u007e":1}`:                    {"/data/x/a~1b~0 duplicate_member"},
		`{"a":1,"b":2,"a":3,"b":4,"a":5}`:              {"/data/x/a duplicate_member", "/data/x/b duplicate_member", "/data/x/a duplicate_member"},
		`{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}]}`:      {"/data/x/a/b duplicate_member", "/data/x/c/0/d duplicate_member"},
		`{"__proto__":1,"__proto__":2}`:                {"/data/x/__proto__ duplicate_member"},
		`{"a":{` + list + `},"a":1}`:                   {"/data/x/a duplicate_member"},
		`{` + list + `}`:                               {},
		`{` + list + `,"m0":1}`:                        {"/data/x/m0 duplicate_member"},
		`{` + list + `,"m15":1,"m16":1}`:               {"/data/x/m15 duplicate_member", "/data/x/m16 duplicate_member"},
		`{` + list + `,"m39":1}`:                       {"/data/x/m39 duplicate_member"},
		`{` + list + `,"m40":{"m1":1,"m1":1},"m40":1}`: {"/data/x/m40/m1 duplicate_member", "/data/x/m40 duplicate_member"},
	}
	for value, want := range tests {
		require.Equal(t, want, violationsOf(t, withData(value)), value)
	}
}

func TestRepeatedMembersAmongFewAndMany(t *testing.T) {
	t.Parallel()
	var members []string
	for n := range 70 {
		for i := range n {
			repeated := append(slices.Clone(members), fmt.Sprintf(`"m%d":{"m0":0}`, i))
			require.Equal(t, []string{fmt.Sprintf("/data/x/m%d duplicate_member", i)}, violationsOf(t, withData(`{`+strings.Join(repeated, ",")+`}`)))
		}

		members = append(members, fmt.Sprintf(`"m%d":{"m0":0}`, n))
		require.Empty(t, violationsOf(t, withData(`{`+strings.Join(members, ",")+`}`)))
	}
}

func TestManyMembersAreQuick(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	rules.EventBytes = 100 << 20
	var b strings.Builder
	b.WriteString(`{`)
	for i := range 100_000 {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}

	b.WriteString(`"m20000":0}`)

	begin := time.Now()
	envelopes, _, err := event.ParseJSON([]byte(text(members{"data": b.String()})), &rules, now())

	require.NoError(t, err)
	require.Equal(t, []string{"/data/m20000 duplicate_member"}, found(envelopes[0]))
	require.Less(t, time.Since(begin), 10*time.Second, "quadratic work would take minutes")
}

func TestPointers(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`{"a":[0,{"b":[[],1e999]}]}`:                   "/data/a/1/b/1",
		`{"~":{"/":{"~1":1e999}}}`:                     "/data/~0/~1/~01",
		`{"":{"":[1e999]}}`:                            "/data///0",
		`{"0":1e999}`:                                  "/data/0",
		`{"a b\u0022\\":1e999}`:                        `/data/a b"\`,
		`{"\u00e9\ud83d\ude00":[1e999]}`:               "/data/é😀/0",
		`{"` + long("k", 1018) + `":1e999}`:            "/data/" + long("k", 1018),
		`{"` + long("k", 1019) + `":1e999}`:            "/data",
		`{"a":{"` + long("k", 60000) + `":[1e999]}}`:   "/data/a",
		`{"` + long("/", 509) + `":{"b":1e999}}`:       "/data/" + long("~1", 509),
		`{"` + long("/", 509) + `":{"b":{"c":1e999}}}`: "/data/" + long("~1", 509),
	}
	for data, want := range tests {
		e := parse(t, text(members{"data": data}))
		require.Equal(t, []string{want + " number_out_of_range"}, found(e), "%.40s", data)
	}
}

func long(s string, n int) string { return strings.Repeat(s, n) }

func TestPointersCanBeKept(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		`a\u0000b`: "/a\uFFFDb unknown_field", "a\xffb": "/a\uFFFDb unknown_field", `\ud800`: "/\uFFFD unknown_field", "\xed\xa0\x80": "/\uFFFD\uFFFD\uFFFD unknown_field",
	} {
		got := violationsOf(t, text(members{name: "1"}))
		require.Equal(t, want, got[len(got)-1], "neither NUL nor invalid UTF-8 can be stored with a rejection")
	}
}

func TestAtMostTwentyViolations(t *testing.T) {
	t.Parallel()
	unknown := make([]string, 100)
	for i := range unknown {
		unknown[i] = fmt.Sprintf(`"u%d":"\u0000"`, i)
	}

	list := strings.Join(unknown, ",")
	tests := map[string]string{
		`{` + list + `}`:   "/u9 nul_character",
		`{` + list + `} `:  "/u9 nul_character",
		`{` + list:         " invalid_json",
		`{` + list + `} x`: " trailing_text",
		text(members{"data": `{"a":{` + list + `}}`}): "/data/a/u19 nul_character",
	}
	for body, want := range tests {
		got := violationsOf(t, body)
		require.Len(t, got, event.MaxViolations)
		require.Equal(t, want, got[event.MaxViolations-1], "the violation that ends the reading is always reported")
	}
}

func TestFieldsBehindTwentyViolationsAreNotTrusted(t *testing.T) {
	t.Parallel()
	e := parse(t, `{`+strings.Repeat(`"u":1,`, 30)+`"category":"a\u0000","name":"`+"\xff"+`","data":{"\u0000":1},"timestamp":1,"session_id":"\ud800"}`)
	require.Len(t, e.Violations, event.MaxViolations)
	require.Zero(t, e.Known)
	require.Empty(t, e.Event.Category)
	require.Empty(t, e.Event.Name)
	good := parse(t, `{`+strings.Repeat(`"u":1,`, 30)+text(nil)[1:])
	require.Equal(t, event.FieldSessionID|event.FieldCategory|event.FieldName|event.FieldData|event.FieldTimestamp, good.Known)
}
