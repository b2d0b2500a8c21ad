package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

func TestBodiesThatCannotBeTakenApart(t *testing.T) {
	t.Parallel()
	good := text(nil)
	tests := []struct {
		body    string
		code    fault.Code
		pointer string
	}{
		{"", fault.CodeInvalidJSON, ""},
		{" \t\r\n", fault.CodeInvalidJSON, ""},
		{"\x00", fault.CodeInvalidJSON, ""},
		{"\ufeff" + good, fault.CodeInvalidJSON, ""}, // the reader of a body skips its byte order mark
		{"\xff\xfe{\x00}\x00", fault.CodeInvalidJSON, ""},
		{"event", fault.CodeInvalidJSON, ""},
		{"tru", fault.CodeInvalidJSON, ""},
		{`"open`, fault.CodeInvalidJSON, ""},
		{"}", fault.CodeInvalidJSON, ""},
		{"null", fault.CodeInvalidType, ""},
		{"true", fault.CodeInvalidType, ""},
		{"12", fault.CodeInvalidType, ""},
		{`"` + `text"`, fault.CodeInvalidType, ""},
		{"[", fault.CodeInvalidJSON, "/0"},
		{"[" + good, fault.CodeInvalidJSON, "/0"},
		{"[" + good + ",", fault.CodeInvalidJSON, "/1"},
		{"[" + good + "}", fault.CodeInvalidJSON, "/0"},
		{"[" + good + "}," + good + "]", fault.CodeInvalidJSON, "/0"},
		{"[" + good + ",{]", fault.CodeInvalidJSON, "/1"},
		{"[" + good + `,{"a":[1}]`, fault.CodeInvalidJSON, "/1"},
		{"[" + good + `,{"a":"b],` + good + "]", fault.CodeInvalidJSON, "/1"},
		{"[" + good + `,{"a":NaN,` + good + "]", fault.CodeInvalidJSON, "/1"},
		{"[NaN," + good, fault.CodeInvalidJSON, "/1"},
		{"[NaN]]", fault.CodeTrailingText, ""},
		{"[" + good + "]]", fault.CodeTrailingText, ""},
		{"[" + good + "][" + good + "]", fault.CodeTrailingText, ""},
		{"[" + good + "]\n" + good, fault.CodeTrailingText, ""},
		{"[" + good + "]\x00", fault.CodeTrailingText, ""},
	}
	rules := event.DefaultRules()
	for _, test := range tests {
		envelopes, single, err := event.ParseJSON([]byte(test.body), &rules, now())
		require.Empty(t, envelopes)
		require.False(t, single)
		f, ok := fault.As(err)
		require.True(t, ok, test.body)
		require.Equal(t, fault.Invalid, f.Kind)
		require.Equal(t, test.code, f.Code, "%q", test.body)
		require.Equal(t, test.pointer, f.Violations[0].Pointer, "%q", test.body)
	}
}

func TestTextBehindAnEvent(t *testing.T) {
	t.Parallel()
	good := text(nil)
	for _, behind := range []string{good, "\n" + good, "x", "}", ",", "null", "\x00", "\v", "\u00a0", "\ufeff", "\xff"} {
		e := parse(t, " "+good+behind)
		require.Equal(t, []string{" trailing_text"}, found(e), "%q", behind)
		require.Equal(t, " "+good+behind, string(e.Raw), "the whole text is kept")
	}

	require.Equal(t, []string{"/name missing_field", " trailing_text"}, violationsOf(t, text(members{"name": ""})+"x"))
}

func TestEmptyBatches(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	for _, body := range []string{"[]", " [ \n ] ", "[]x"} {
		_, _, err := event.ParseJSON([]byte(body), &rules, now())
		require.True(t, fault.Is(err, fault.CodeEmptyBatch), body)
	}

	for _, body := range []string{"", "\n", "\r\n\r\n", " \t\n "} {
		_, err := event.ParseNDJSON([]byte(body), &rules, now())
		require.True(t, fault.Is(err, fault.CodeEmptyBatch), "%q", body)
	}
}

func TestSizeOfABatch(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	list := func(n int, separator string) string {
		return strings.TrimSuffix(strings.Repeat(text(nil)+separator, n), separator)
	}
	require.Len(t, parseBatch(t, "["+list(1, ",")+"]"), 1)
	require.Len(t, parseBatch(t, "["+list(1000, ",")+"]"), 1000)
	_, _, err := event.ParseJSON([]byte("["+list(1001, ",")+"]"), &rules, now())
	f, _ := fault.As(err)
	require.Equal(t, fault.TooLarge, f.Kind)
	require.Equal(t, fault.CodeBatchTooLarge, f.Code)
	_, _, err = event.ParseJSON([]byte("["+list(1000, ",")+",?"), &rules, now())
	require.True(t, fault.Is(err, fault.CodeBatchTooLarge), "text beyond the limit is not read")

	lines, err := event.ParseNDJSON([]byte(list(1000, "\n\n")+"\n\n"), &rules, now())
	require.NoError(t, err)
	require.Len(t, lines, 1000, "empty lines do not count")
	_, err = event.ParseNDJSON([]byte(list(1001, "\n")), &rules, now())
	require.True(t, fault.Is(err, fault.CodeBatchTooLarge))
}

// poisons are events that are rejected alone, with the code of the reason.
func poisons() map[string]fault.Code {
	return map[string]fault.Code{
		"null": fault.CodeInvalidType, "[]": fault.CodeInvalidType, "[" + text(nil) + "]": fault.CodeInvalidType, "1e999": fault.CodeInvalidType,
		`"\u0000"`: fault.CodeInvalidType, nested(40): fault.CodeInvalidType, "{}": fault.CodeMissingField,
		withData(`"\u0000"`): fault.CodeNULCharacter, withData(`"\ud800"`): fault.CodeLoneSurrogate, withData("\"\xff\""): fault.CodeInvalidUTF8,
		withData("1e400"): fault.CodeNumberOutOfRange, withData(`{"a":1,"a":1}`): fault.CodeDuplicateMember, withData(nested(50_000)): fault.CodeEventTooLarge,
		withData(nested(100)): fault.CodeTooDeep, text(members{"x": "1"}): fault.CodeUnknownField, text(members{"name": `""`}): fault.CodeInvalidLength,
		text(members{"timestamp": `"2030-01-01T00:00:00Z"`}): fault.CodeTimestampInFuture,
	}
}

func TestPoisonIsRefusedAlone(t *testing.T) {
	t.Parallel()
	const n = 5
	rules := event.DefaultRules()
	for poison, code := range poisons() {
		for at := range n {
			texts := make([]string, n)
			for i := range texts {
				texts[i] = withData(`"neighbour"`)
			}

			texts[at] = poison
			batch := parseBatch(t, "[ "+strings.Join(texts, " ,\n")+" ]")
			lines, err := event.ParseNDJSON([]byte(strings.Join(texts, "\n")), &rules, now())
			require.NoError(t, err)
			for _, got := range [][]event.Envelope{batch, lines} {
				require.Len(t, got, n)
				for i := range got {
					require.Equal(t, i != at, got[i].Accepted(), "%.60s", poison)
					require.Equal(t, texts[i], string(got[i].Raw))
				}

				require.Equal(t, code, got[at].Violations[0].Code, "%.60s", poison)
				require.Zero(t, got[(at+1)%n].Known&event.FieldID)
			}
		}
	}
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	good := text(nil)
	tests := map[string][]string{
		good:                               {""},
		good + "\n":                        {""},
		good + "\r\n":                      {""},
		"\n\r\n \t\n" + good + "\n\n":      {""},
		"  " + good + "\t\r\n" + good:      {"", ""},
		good + "\r\n" + good + "\r\n":      {"", ""},
		good + "\n{\n" + good:              {"", "malformed_event", ""},
		"{\"a\":\n1}\n" + good:             {"malformed_event", "invalid_type trailing_text", ""},
		good + good + "\n" + good:          {"trailing_text", ""},
		good + "\r" + good:                 {"trailing_text"},
		"[" + good + "]\n" + good:          {"invalid_type", ""},
		"null\n1 2\n\"\n":                  {"invalid_type", "invalid_type trailing_text", "malformed_event"},
		"\ufeff" + good + "\n" + good:      {"malformed_event", ""},
		"\u00a0" + good + "\n" + good:      {"malformed_event", ""},
		good + "\u0085\n" + good:           {"trailing_text", ""},
		"\v\n" + good + "\f\n":             {"malformed_event", "trailing_text"},
		"\x00\n" + good:                    {"malformed_event", ""},
		good + "\u2028" + good:             {"trailing_text"},
		withData(`"\n"`) + "\n" + `[` + "": {"", "malformed_event"},
	}
	rules := event.DefaultRules()
	for body, want := range tests {
		envelopes, err := event.ParseNDJSON([]byte(body), &rules, now())
		require.NoError(t, err)
		got := []string{}
		for _, e := range envelopes {
			codes := []string{}
			for _, v := range e.Violations {
				codes = append(codes, string(v.Code))
			}

			got = append(got, strings.Join(codes, " "))
		}

		require.Equal(t, want, got, "%q", body)
	}
}

func TestCheckObject(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	for _, good := range []string{`{}`, ` {"data":{"a":null},"name":1} `, `{"a":` + nested(31) + `}`} {
		require.NoError(t, event.CheckObject([]byte(good), &rules), good)
	}

	for text, want := range map[string]string{
		``: " invalid_type", `[]`: " invalid_type", `null`: " invalid_type", `"{}"`: " invalid_type", "\ufeff{}": " invalid_type",
		`{`: " invalid_json", `{"a":}`: " invalid_json", `{"a":1,}`: " invalid_json", `{"a":"` + "\n" + `"}`: " invalid_json",
		`{} {}`: " trailing_text", `{}x`: " trailing_text",
		`{"a":1,"a":2}`: "/a duplicate_member", `{"a":{"b":1,"\u0062":2}}`: "/a/b duplicate_member", `{"a":"\u0000"}`: "/a nul_character",
		`{"a":["\udc00"]}`: "/a/0 lone_surrogate", "{\"a\":\"\xff\"}": "/a invalid_utf8", `{"a":1e999}`: "/a number_out_of_range",
		`{"a":"` + strings.Repeat("a", 64<<10) + `"}`: " event_too_large",
		`{"a":` + nested(32) + `}`:                    "/a" + strings.Repeat("/0", 31) + " too_deep",
	} {
		f, ok := fault.As(event.CheckObject([]byte(text), &rules))
		require.True(t, ok, text)
		require.Equal(t, fault.Invalid, f.Kind)
		require.Equal(t, want, f.Violations[0].Pointer+" "+string(f.Violations[0].Code), text)
		require.Equal(t, f.Violations[0].Detail, f.Detail)
	}
}
