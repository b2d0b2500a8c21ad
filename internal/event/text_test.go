package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// A line that is no event costs the sender that line and no other, wherever it is.
func TestABrokenLineOfATextDoesNotTouchTheOthers(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	good := text(nil)
	for about, lines := range map[string][]string{
		"an object that is cut off":      {`{"a":1`, good, good},
		"an object of too many brackets": {`{"a":1}}`, good, good},
		"a word":                         {"undefined", good, good},
		"a string that is cut off":       {`"half`, good, good},
		"a word between":                 {good, "undefined", good},
		"an object cut off between":      {good, `{"a":`, good},
		"a word at the end":              {good, good, "undefined"},
		"an object cut off at the end":   {good, good, `{"a":`},
		"an array":                       {good, good, "[" + good + "]"},
	} {
		for _, end := range []string{"\n", "\r\n", "\n\n"} {
			envelopes, single, err := event.ParseText([]byte(strings.Join(lines, end)+end), &rules, now())
			require.NoError(t, err, about)
			require.False(t, single, about)
			require.Len(t, envelopes, len(lines), about)
			accepted := 0
			for i := range envelopes {
				require.False(t, envelopes[i].IsWholeBody, about)
				if envelopes[i].Accepted() {
					accepted++
				}
			}

			require.Equal(t, 2, accepted, about)
		}
	}
}

// What is not one event a line is read as JSON, and a mistake in it is one rejection.
func TestATextThatIsNotOfLinesIsReadAsJSON(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	good := text(nil)
	pretty := strings.ReplaceAll(good, ",", ",\n ")
	for body, want := range map[string]int{good: 0, good + "\n": 0, "\t\r\n" + good: 0, pretty: 0, pretty[:len(pretty)-1] + ",\n}": 1, good + "}": 1, "{\n {\"a\":1}\n}": 1} {
		envelopes, single, err := event.ParseText([]byte(body), &rules, now())
		require.NoError(t, err, body)
		require.True(t, single, body)
		require.Len(t, envelopes, 1, body)
		require.Len(t, envelopes[0].Violations, want, body)
	}

	for body, code := range map[string]fault.Code{
		"": fault.CodeInvalidJSON, "\t\r\n": fault.CodeInvalidJSON, "3": fault.CodeInvalidType, "a\nb": fault.CodeInvalidJSON, "[]": fault.CodeEmptyBatch,
		"[" + good + "]\n" + good: fault.CodeTrailingText,
	} {
		_, _, err := event.ParseText([]byte(body), &rules, now())
		f, ok := fault.As(err)
		require.True(t, ok, body)
		require.Equal(t, code, f.Code, body)
	}
}
