package eventtype_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// judgedText parses a text of one event and holds it against the marked type form/submit.
func judgedText(t *testing.T, policy eventtype.Unregistered, body string) event.Envelope {
	t.Helper()
	rules := event.DefaultRules()
	envelopes, _, err := event.ParseJSON([]byte(body), &rules, time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC))
	require.NoError(t, err)
	require.Len(t, envelopes, 1)
	require.NoError(t, directory(t, policy, formType(marked, eventtype.Enforce)).ValidatePayloads(envelopes, false))
	return envelopes[0]
}

// rejections returns a member for each reason by which an event can be rejected before its type
// is looked at. Each is text that the marks of a type do not reach.
func rejections() map[fault.Code]string {
	return map[fault.Code]string{
		fault.CodeUnknownField:     `"more": {"email": "canary@example.com"}`,
		fault.CodeInvalidType:      `"session_id": {"email": "canary@example.com"}`,
		fault.CodeInvalidUTF8:      "\"session_id\": \"canary\xff\"",
		fault.CodeLoneSurrogate:    `"session_id": "canary \ud800"`,
		fault.CodeNULCharacter:     `"session_id": "canary \u0000"`,
		fault.CodeNumberOutOfRange: `"violations": {"email": "canary", "n": 1e999}`,
		fault.CodeTooDeep:          `"violations": {"email": "canary", "n": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		fault.CodeEventTooLarge:    `"more": "canary ` + strings.Repeat("x", 70_000) + `"`,
		fault.CodeTrailingText:     `"a": 1} {"email": "canary"`,
		fault.CodeInvalidJSON:      `"a": {"email": "canary", }`,
	}
}

// The marks reach the payload alone, so the text of an event of a marked type is withheld when
// it holds anything else that was not read as what it should be.
func TestTextBesideThePayloadIsWithheld(t *testing.T) {
	t.Parallel()
	for code, member := range rejections() {
		body := `{"category": "form", "name": "submit", "timestamp": "2026-01-01T00:00:00Z", "data": {"email": "jane@example.com", "card": "1"}, ` + member + `}`
		e := judgedText(t, eventtype.Accept, body)
		require.Contains(t, codes(e), code)
		require.Contains(t, string(e.Raw), "canary", code)
		require.True(t, e.Withheld, code)
	}
}

// What can be read to its end belongs to the type that it names. If that has no marks, the text
// is kept, or nobody could find out why the event was rejected.
func TestTextOfOtherTypesIsKept(t *testing.T) {
	t.Parallel()
	for code, member := range rejections() {
		switch code {
		case fault.CodeEventTooLarge, fault.CodeTrailingText, fault.CodeInvalidJSON:
			continue // not read to its end
		}
		e := judgedText(t, eventtype.Accept, `{"category": "page", "name": "view", "data": {}, `+member+`}`)
		require.Contains(t, codes(e), code)
		require.False(t, e.Withheld, code)
	}
	unknown := judgedText(t, eventtype.Reject, `{"category": "page", "name": "view", "data": {}, "timestamp": "2026-01-01T00:00:00Z",
		"session_id": "e2085be5-9137-4e4e-80b5-f1ffddc25423"}`)
	require.Equal(t, []fault.Code{fault.CodeUnknownEventType}, codes(unknown))
	require.False(t, unknown.Withheld)
}

// An event without a category or a name may be of any type that has the other one.
func TestTextOfAnEventThatNamesHalfOfATypeIsWithheld(t *testing.T) {
	t.Parallel()
	for body, withheld := range map[string]bool{
		`{"name": "submit", "data": {"email": "canary"}}`:   true,
		`{"category": "form", "data": {"email": "canary"}}`: true,
		`{"data": {"email": "canary"}}`:                     true,
		`{"name": "view", "data": {"email": "canary"}}`:     false,
		`{"category": "page", "data": {"email": "canary"}}`: false,
	} {
		require.Equal(t, withheld, judgedText(t, eventtype.Accept, body).Withheld, body)
	}
}

// Members that were given twice are not reported of an event that is too large, so its text may
// be that of another type than the one that was read last.
func TestTextThatIsTooLargeIsAmbiguous(t *testing.T) {
	t.Parallel()
	large := `"more": "` + strings.Repeat("x", 70_000) + `"`
	for _, types := range []string{
		`"category": "form", "name": "submit", "category": "page", "name": "view"`,
		`"category": "page", "name": "view", "category": "form", "name": "submit"`,
	} {
		e := judgedText(t, eventtype.Accept, `{`+types+`, "data": {"email": "canary"}, `+large+`}`)
		require.Equal(t, []fault.Code{fault.CodeEventTooLarge}, codes(e))
		require.True(t, e.Withheld, types)
	}
}

func codes(e event.Envelope) (list []fault.Code) {
	for _, v := range e.Violations {
		list = append(list, v.Code)
	}
	return list
}

// A text that cannot be rid of what is marked is withheld, also when the reason is that its
// payload is not found in it.
func TestTextWithoutItsPayloadIsWithheld(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*event.Envelope){
		"a payload from elsewhere": func(e *event.Envelope) { e.Event.Data = bytes.Clone(e.Event.Data) },
		"a text from elsewhere":    func(e *event.Envelope) { e.Raw = append([]byte(strings.Repeat(" ", 300)), e.Raw...) },
		"a text that is shorter":   func(e *event.Envelope) { e.Raw = bytes.Clone(e.Raw[:40]) },
		"a text of the same size": func(e *event.Envelope) {
			const shift = 20
			moved := append(make([]byte, 0, cap(e.Raw)), strings.Repeat(" ", shift)...)
			e.Raw = append(moved, e.Raw[:len(e.Raw)-shift]...)
		},
	} {
		envelopes := sent(t, `{"email": "canary no address", "card": "canary"}`)
		change(&envelopes[0])
		require.NoError(t, directory(t, eventtype.Accept, formType(marked, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		e := envelopes[0]
		require.NotContains(t, string(e.Event.Data), "canary", what)
		require.True(t, e.Withheld || !bytes.Contains(e.Raw, []byte("canary")), "%s: %s", what, e.Raw)
	}
}

// The text of an event that is stored already is not kept a second time.
func TestTextOfAnUnchangedEventIsWithheld(t *testing.T) {
	t.Parallel()
	envelopes := sent(t, `{"email": "canary no address"}`)
	envelopes[0].Unchanged = true
	require.NoError(t, directory(t, eventtype.Accept, formType(marked, eventtype.Enforce)).ValidatePayloads(envelopes, false))
	require.True(t, envelopes[0].Withheld)
	require.Empty(t, envelopes[0].Violations)
}

// A type whose schema this release cannot use may have marks, so its text counts as marked.
func TestAmbiguousTextOfAnUnusableTypeIsWithheld(t *testing.T) {
	t.Parallel()
	d := directory(t, eventtype.Accept, formType(`{"properties": {"a": {"type": "nonsense", "x-theeye": "hash"}}}`, eventtype.Enforce))
	rules := event.DefaultRules()
	envelopes, _, err := event.ParseJSON([]byte(`{"category": "form", "name": "submit", "data": {"a": "canary", "a": 1}}`), &rules, time.Now())
	require.NoError(t, err)
	require.NoError(t, d.ValidatePayloads(envelopes, false))
	require.True(t, envelopes[0].Withheld)
}

// Where several marks apply to one property, the one that keeps least wins.
func TestTheStrongestMarkWins(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ one, other, wins string }{
		{"drop", "mask", `{}`}, {"drop", "hash", `{}`}, {"hash", "mask", `{"a":"hmac-sha256:`},
	} {
		for _, marks := range [][2]string{{test.one, test.other}, {test.other, test.one}} {
			schema := `{"allOf": [{"properties": {"a": {"x-theeye": "` + marks[0] + `"}}}, {"properties": {"a": {"x-theeye": "` + marks[1] + `"}}}]}`
			envelopes := sent(t, `{"a": "canary"}`)
			require.NoError(t, directory(t, eventtype.Accept, formType(schema, eventtype.Enforce)).ValidatePayloads(envelopes, false))
			require.True(t, strings.HasPrefix(string(envelopes[0].Event.Data), test.wins), "%v: %s", marks, envelopes[0].Event.Data)
		}
	}
}

// What only looks like a hash is hashed.
func TestWhatOnlyLooksLikeAHashIsHashed(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"hmac-sha256:", "hmac-sha256:ab12", "hmac-sha256:" + strings.Repeat("a", 63), "hmac-sha256:" + strings.Repeat("A", 64)} {
		envelopes := sent(t, `{"a": "`+value+`"}`)
		require.NoError(t, directory(t, eventtype.Accept, formType(`{"properties": {"a": {"x-theeye": "hash"}}}`, eventtype.Enforce)).ValidatePayloads(envelopes, false))
		require.NotContains(t, string(envelopes[0].Event.Data), `"`+value+`"`)
	}
}
