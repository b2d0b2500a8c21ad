package erasure_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/erasure"
)

const sessionID = "0190163d-8694-739b-aea5-966c26f8ad92"

// A text names a session however its id is written.
func TestTextsThatNameASession(t *testing.T) {
	t.Parallel()
	m := erasure.NewMatcher([]uuid.UUID{uuid.MustParse(sessionID)}, nil)
	bare := strings.ReplaceAll(sessionID, "-", "")
	for what, raw := range map[string]string{
		"a wrong member":       `{"sesion_id":"` + sessionID + `"}`,
		"upper case":           `{"session":"` + strings.ToUpper(sessionID) + `"}`,
		"no hyphens":           `{"session_id":"` + bare + `"}`,
		"braces":               `{"session_id":"{` + sessionID + `}"}`,
		"a URN":                `{"session_id":"urn:uuid:` + sessionID + `"}`,
		"an escape":            `{"session_id":"\u0030190163d-8694-739b-aea5-966c26f8ad92"}`,
		"a word around it":     `session` + sessionID + `x`,
		"a hyphen is missing":  `"0190163d8694-739b-aea5-966c26f8ad92"`,
		"a digit is missing":   `"0190163d-8694-739b-aea5-966c26f8ad9"`,
		"a digit too many":     `"00190163d-8694-739b-aea5-966c26f8ad92"`,
		"a letter is wrong":    `"o190163d-8694-739b-aea5-966c26f8ad92"`,
		"the last one is":      `"0190163d-8694-739b-aea5-966c26f8adx2"`,
		"broken JSON":          `{"session_id":"` + sessionID,
		"no UTF-8 in front":    "\xff\xfe" + sessionID,
		"an object":            `{"session_id":{"id":"` + sessionID + `"}}`,
		"inside of a string":   `{"data":"{\"session_id\":\"` + sessionID + `\"}"}`,
		"upper case by escape": `{"session_id":"0190163\u0044-8694-739b-aea5-966c26f8ad92"}`,
	} {
		require.True(t, m.MatchesText([]byte(raw)), what)
	}

	for what, raw := range map[string]string{
		"another session":      `{"session_id":"0190163d-8694-739b-aea5-966c26f8ad93"}`, // one digit apart, and whole
		"two typing errors":    `"x190163d-8694-739b-aea5-966c26f8adx2"`,
		"nothing":              ``,
		"half of it":           `0190163d-8694-739b`,
		"both halves far away": `0190163d-8694-739b aea5-966c26f8ad92`,
	} {
		require.False(t, m.MatchesText([]byte(raw)), what)
	}
}

// A text holds a value where its path leads to it, in the right shape or in a wrong one.
func TestTextsThatHoldAValue(t *testing.T) {
	t.Parallel()
	m := erasure.NewMatcher(nil, []erasure.SearchValue{{Steps: []string{"user", "id"}, Texts: []string{"8612", "hmac-sha256:ab"}}})
	for what, raw := range map[string]string{
		"as it should be":       `{"data":{"user":{"id":"8612"}}}`,
		"a number":              `{"data":{"user":{"id":8612}}}`,
		"a number, otherwise":   `{"data":{"user":{"id":8612.0}}}`,
		"a wrong member":        `{"dta":{"user":{"id":"8612"}}}`,
		"an array in the way":   `{"data":{"user":[{"id":"8612"}]}}`,
		"an array of values":    `{"data":{"user":{"id":["1","8612"]}}}`,
		"a batch":               `[{"data":{}},{"data":{"user":{"id":"8612"}}}]`,
		"lines":                 `{"a":1}` + "\n" + `{"data":{"user":{"id":"8612"}}}`,
		"a member twice":        `{"data":{"user":{"id":"8612","id":"1"}}}`,
		"the path as a name":    `{"data":{"user.id":"8612"}}`,
		"JSON inside of a text": `{"data":"{\"user\":{\"id\":\"8612\"}}"}`,
		"an escape":             `{"data":{"user":{"id":"\u0038612"}}}`,
		"a name with an escape": `{"data":{"us\u0065r":{"id":"8612"}}}`,
		"hashed":                `{"data":{"user":{"id":"hmac-sha256:ab"}}}`,
		"broken: a string":      `{"data":{"user":{"id":"8612"}}`,
		"broken: a number":      `{"data":{"user":{"id": 8612, }}}`,
		"broken: single quotes": `{'user': {'id': '8612'}}`,
		"broken: an escape":     `{"id":"861\u0032"`,
		"cut off":               `{"session_id":"x","data":{"user":{"id":"8612","bio":"lorem`,
		"no UTF-8":              "{\"user\":{\"id\":\"8612\",\"x\":\"\xff\"}}",
		"text behind the event": `{"data":{"user":{"id":"8612"}}} trailing`,
		"a text, not JSON":      `user 8612 was here`,
		"nested without end":    strings.Repeat("[", 5_000_000) + "8612",
	} {
		require.True(t, m.MatchesText([]byte(raw)), what)
	}

	for what, raw := range map[string]string{
		"another value":   `{"data":{"user":{"id":"18612"}}}`,
		"another path":    `{"data":{"order":{"id":"8612"}}}`,
		"a longer number": `{"data":{"user":{"id": 86125, }}`,
		"a path too long": `{"data":{"user":{"id":{"x":"8612"}}}}`,
		"nothing":         ``,
	} {
		require.False(t, m.MatchesText([]byte(raw)), what)
	}

	both := erasure.NewMatcher(nil, []erasure.SearchValue{{[]string{"a"}, []string{"1"}}, {[]string{"b"}, []string{"2"}}})
	require.True(t, both.MatchesText([]byte(`{"data":{"a":1,"b":2}}`)))
	require.False(t, both.MatchesText([]byte(`{"data":{"a":1,"b":3}}`)), "all values have to be there")
}

// Untrusted texts never cause a panic, and are searched in time linear in their size.
func FuzzMatcher(f *testing.F) {
	f.Add([]byte(`{"data":{"user":{"id":"8612"}}}`))
	f.Add([]byte(`{"session_id":"\ud83d\u0030190163d-8694"`))
	f.Add([]byte(strings.Repeat("[", 20_000)))
	f.Add([]byte(strings.Repeat("[", 9000) + "8612" + strings.Repeat("]", 9000)))
	f.Add([]byte(strings.Repeat(`{"user":`, 9000) + "8612" + strings.Repeat("}", 9000)))
	f.Add([]byte(`\u\u12\ud800\udfff\`))
	m := erasure.NewMatcher([]uuid.UUID{uuid.MustParse(sessionID)}, []erasure.SearchValue{{Steps: []string{"user", "id"}, Texts: []string{"8612"}}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m.MatchesText(raw)
		require.True(t, m.MatchesText(append([]byte(sessionID+" "), raw...)))
		require.True(t, m.MatchesText(append(append([]byte{}, raw...), ` '8612`...)))
	})
}
