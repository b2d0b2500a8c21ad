package event_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Below the greatest depth nothing but brackets and strings is read, so brackets that do not
// match are the only syntax error that can be found there.
func TestMismatchedBracketsBelowTheDepthAreASyntaxError(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 40)
	for _, inner := range []string{"{]", "[}", "[{]}", "{[}]"} {
		balanced := withData(deep + inner + strings.Repeat("]", 40))
		require.Equal(t, " invalid_json", last(violationsOf(t, balanced)), "%q", inner)
	}

	require.Equal(t, " invalid_json", last(violationsOf(t, withData(deep+strings.Repeat("}", 40)))))
}

func last(violations []string) string { return violations[len(violations)-1] }

// An element whose brackets do not match hides where the next one begins: no event of the
// batch is stored then, though the number of brackets is right.
func TestMismatchedBracketsRejectTheWholeBatch(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	for _, element := range []string{`{"a":[x}]`, `[{x]}`, `{]x[}`} {
		_, _, err := event.ParseJSON([]byte("["+element+","+text(nil)+"]"), &rules, now())
		require.True(t, fault.Is(err, fault.CodeInvalidJSON), "%q: %v", element, err)
	}
}

// Two surrogates make a character only if the second one is a low surrogate.
func TestHighSurrogatesBeforeOtherCharactersAreRejected(t *testing.T) {
	t.Parallel()
	for _, escapes := range []string{`\ud800\ue000`, `\udbff\uffff`, `\ud800\udbff`} {
		require.Contains(t, violationsOf(t, withData(`"`+escapes+`"`)), "/data/x lone_surrogate", escapes)
	}
}

func TestLinesOfNDJSONAreCountedFromTheBody(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	body := text(nil) + "\n\n" + `{"a" 1}` + "\n" + text(nil) + "\n" + `{"b":NaN}`
	lines, err := event.ParseNDJSON([]byte(body), &rules, now())
	require.NoError(t, err)
	require.Len(t, lines, 4)
	require.Contains(t, lines[1].Violations[0].Detail, "(line 3)")
	require.Contains(t, lines[3].Violations[0].Detail, "(line 5)")
}

// Of an event that was given back, only the members that the service adds are left out of its
// size: not what follows them, and not what has their names inside the payload.
func TestMembersOfTheServiceHideNothingFromTheSizeLimit(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	tooLong := `"` + strings.Repeat("a", rules.EventBytes) + `"`
	for name, data := range map[string]string{
		"behind them":             `{"x":` + tooLong + `}`,
		"in the payload":          `{"sequence":` + tooLong + `}`,
		"deeper in the payload":   `{"x":[{"violations":` + tooLong + `}]}`,
		"behind them, in a value": `{"received_at":1,"x":` + tooLong + `}`,
	} {
		body := `{"sequence":1,` + text(members{"data": data})[1:]
		require.Equal(t, []string{" event_too_large"}, violationsOf(t, body), name)
	}

	given := `{"violations":[` + tooLong + `],` + text(nil)[1:]
	require.Empty(t, violationsOf(t, given), "what the service added does not count")
}

// Space between tokens does not count, up to a multiple of the limit: measuring must not cost
// more than reading.
func TestSpaceIsFreeUpToAMultipleOfTheLimit(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	padded := func(n int) string { return strings.Replace(text(nil), ":", ":"+strings.Repeat(" ", n), 1) }
	require.Empty(t, violationsOf(t, padded(2*rules.EventBytes)))
	require.Equal(t, []string{" event_too_large"}, violationsOf(t, padded(11*rules.EventBytes)))
}

// An event may be sent again as it was read, with the version of its type; another version is
// not what is stored.
func TestTheVersionOfTheTypeIsHeldAgainstTheStoredEvent(t *testing.T) {
	t.Parallel()
	version := int32(3)
	for sent, same := range map[string]bool{"3": true, "3.0": true, "4": false, "null": false, `"3"`: false} {
		e := parse(t, `{"event_type_version":`+sent+`,`+text(members{"event_id": `"` + uuid.NewString() + `"`})[1:])
		require.True(t, e.Accepted())
		e.RejectChanged(&event.Stored{TypeVersion: &version})
		require.Equal(t, same, e.Accepted(), sent)
	}
}
