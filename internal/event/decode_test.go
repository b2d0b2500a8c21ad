package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

func TestEventIsReadWhole(t *testing.T) {
	t.Parallel()
	body := ` {"event_id":"0190163D-8694-739B-AEA5-966C26F8AD90",` +
		"\n\t" + `"session_id":"0190163d-8694-739b-aea5-966c26f8ad91", "category" : "Seite\u0020\ud83d\ude00" ,` +
		"\r\n" + `"na\u006de":"view","timestamp":"2021-01-01 09:15:27.243860","data": {"a": [1, {"b": null}]} }` + " \n"

	e := parse(t, body)

	require.Empty(t, e.Violations)
	require.True(t, e.Accepted())
	require.Equal(t, event.Event{
		ID:        uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad90"),
		SessionID: uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad91"),
		Category:  "Seite 😀", Name: "view", Data: []byte(`{"a": [1, {"b": null}]}`),
		Timestamp: time.Date(2021, 1, 1, 9, 15, 27, 243_860_000, time.UTC),
	}, e.Event)
	require.Equal(t, "0190163d-8694-739b-aea5-966c26f8ad90", e.Event.ID.String(), "upper case is read back in lower case")
	require.Equal(t, strings.TrimSpace(body), string(e.Raw))
	require.True(t, e.Has(event.FieldID))
}

func TestEventWithoutAnID(t *testing.T) {
	t.Parallel()
	e := parse(t, text(nil))
	require.True(t, e.Accepted())
	require.False(t, e.Has(event.FieldID))
	require.Equal(t, uuid.Nil, e.Event.ID)
}

func TestMissingMembers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"session_id", "category", "name", "data", "timestamp"} {
		require.Equal(t, []string{"/" + name + " missing_field"}, violationsOf(t, text(members{name: ""})))
	}

	require.Equal(t, []string{
		"/session_id missing_field", "/category missing_field", "/name missing_field", "/data missing_field", "/timestamp missing_field",
	}, violationsOf(t, `{}`))
}

func TestMembersOfTheWrongType(t *testing.T) {
	t.Parallel()
	values := []string{`null`, `true`, `false`, `0`, `-1.5e3`, `[]`, `{}`, `"text"`, `["\u0000"]`, `{"a":1,"a":1}`, `[[1e999]]`}
	for _, name := range []string{"session_id", "category", "name", "data", "timestamp", "event_id"} {
		for _, value := range values {
			isObject, isString := value[0] == '{', value[0] == '"'
			if (name == "data" && isObject) || (name != "data" && isString) {
				continue
			}

			require.Equal(t, []string{"/" + name + " invalid_type"}, violationsOf(t, text(members{name: value})), "%s: %s", name, value)
		}
	}
}

func TestRepeatedMembers(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"session_id": `"0190163d-8694-739b-aea5-966c26f8ad91"`, "event_id": `"0190163d-8694-739b-aea5-966c26f8ad90"`,
		"category": `"page"`, "name": `"view"`, "data": `{}`, "timestamp": `"2025-12-31T12:00:00Z"`,
	} {
		once := text(members{name: value})
		twice := strings.TrimSuffix(once, "}") + `,"` + name + `":` + value + `}`
		require.Equal(t, []string{"/" + name + " duplicate_member"}, violationsOf(t, twice))
		escaped := strings.TrimSuffix(once, "}") + fmt.Sprintf(`,"\u%04X%s":%s}`, name[0], name[1:], value)
		require.Equal(t, []string{"/" + name + " duplicate_member"}, violationsOf(t, escaped))
	}

	wrongAgain := strings.TrimSuffix(text(nil), "}") + `,"category":1}`
	require.Equal(t, []string{"/category duplicate_member", "/category invalid_type"}, violationsOf(t, wrongAgain))
}

func TestUnknownMembers(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"Category": "/Category", "NAME": "/NAME", "sessionId": "/sessionId", "": "/", " name": "/ name", "name ": "/name ",
		"Sequence": "/Sequence", "receivedAt": "/receivedAt", "applications": "/applications", "__proto__": "/__proto__",
		"a/b": "/a~1b", "a~b": "/a~0b", "~1": "/~01", "näme": "/näme", `\u0061`: "/a", `\"`: `/"`, "nаme": "/nаme", // a Cyrillic а
		"0": "/0", "-": "/-",
	}
	for name, pointer := range tests {
		require.Equal(t, []string{pointer + " unknown_field"}, violationsOf(t, text(members{name: `{"a":[1]}`})), name)
	}

	unknownTwice := strings.TrimSuffix(text(nil), "}") + `,"":1,"":2}`
	require.Equal(t, []string{"/ unknown_field", "/ duplicate_member", "/ unknown_field"}, violationsOf(t, unknownTwice))
}

func TestUUIDForms(t *testing.T) {
	t.Parallel()
	const id = "0190163d-8694-739b-aea5-966c26f8ad91"
	good := map[string]string{
		id: id, strings.ToUpper(id): id, "0190163D-8694-739b-AEA5-966c26f8ad91": id, `\u0030190163d-8694-739b-aea5-966c26f8ad91`: id,
		"ffffffff-ffff-ffff-ffff-ffffffffffff": "ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-0000-0000-000000000001": "00000000-0000-0000-0000-000000000001",
		"12345678-1234-0000-0000-123456789abc": "12345678-1234-0000-0000-123456789abc",
	}
	bad := []string{
		"", "x", "urn:uuid:" + id, "{" + id + "}", strings.ReplaceAll(id, "-", ""), id + " ", " " + id, id + "0", id[:35],
		"0190163d-8694-739b-aea5-966c26f8ad9g", "0190163d_8694_739b_aea5_966c26f8ad91", "0190163d86-94-739b-aea5-966c26f8ad91",
		"0190163d-8694-739b-aea5-966c26f8ad9\u00e9", "----" + strings.Repeat("0", 32), strings.Repeat("0", 36), strings.Repeat("-", 36),
		"0190163d-8694-739b-aea5-966c26f8ad9é"[:35] + `\u00e9`, `0190163d-8694-739b-aea5-966c26f8ad9\u007f`,
	}
	for _, member := range []string{"session_id", "event_id"} {
		for sent, want := range good {
			e := parse(t, text(members{member: `"` + sent + `"`}))
			require.Empty(t, found(e), sent)
			got := e.Event.SessionID
			if member == "event_id" {
				got = e.Event.ID
			}

			require.Equal(t, want, got.String())
		}

		for _, sent := range bad {
			e := parse(t, text(members{member: `"` + strings.ToValidUTF8(sent, "") + `"`}))
			require.Equal(t, []string{"/" + member + " invalid_uuid"}, found(e), sent)
			require.False(t, e.Has(event.FieldID))
		}
	}
}

func TestLengthOfNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		good bool
	}{
		{"", false},
		{"a", true},
		{" ", true},
		{"é", true},
		{"😀", true},
		{`\ud83d\ude00`, true},
		{"e\u0301", true},
		{"\u200b", true},
		{strings.Repeat("a", 128), true},
		{strings.Repeat("a", 129), false},
		{strings.Repeat("é", 128), true},
		{strings.Repeat("é", 129), false},
		{strings.Repeat("😀", 128), true},
		{strings.Repeat("😀", 129), false},
		{strings.Repeat(`\ud83d\ude00`, 128), true},
		{strings.Repeat(`\ud83d\ude00`, 129), false},
		{strings.Repeat("e\u0301", 64), true},
		{strings.Repeat("e\u0301", 65), false},
		{strings.Repeat(`\n`, 128), true},
	}
	for _, member := range []string{"category", "name"} {
		for _, test := range tests {
			got := violationsOf(t, text(members{member: `"` + test.text + `"`}))
			if test.good {
				require.Empty(t, got, test.text)
			} else {
				require.Equal(t, []string{"/" + member + " invalid_length"}, got, test.text)
			}
		}
	}
}

func TestWindowOfTimestamps(t *testing.T) {
	t.Parallel()
	tenYears := 10 * 365 * 24 * time.Hour
	tests := map[string]struct {
		at   time.Time
		want []string
	}{
		"now":                      {now(), []string{}},
		"as far ahead as allowed":  {now().Add(5 * time.Second), []string{}},
		"a microsecond further":    {now().Add(5*time.Second + time.Microsecond), []string{"/timestamp timestamp_in_future"}},
		"end of time":              {time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), []string{"/timestamp timestamp_in_future"}},
		"as old as allowed":        {now().Add(-tenYears), []string{}},
		"a microsecond older":      {now().Add(-tenYears - time.Microsecond), []string{"/timestamp timestamp_too_old"}},
		"older than any duration":  {time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC), []string{"/timestamp timestamp_too_old"}},
		"beginning of time":        {time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), []string{"/timestamp timestamp_too_old"}},
		"the epoch of Postgres":    {time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), []string{"/timestamp timestamp_too_old"}},
		"the year of the last day": {time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC), []string{}},
	}
	for name, test := range tests {
		e := parse(t, text(members{"timestamp": `"` + event.FormatTimestamp(test.at) + `"`}))
		require.Equal(t, test.want, found(e), name)
		require.True(t, e.Event.Timestamp.Equal(test.at), "the time is known even when it is rejected")
	}

	nanos := parse(t, text(members{"timestamp": `"2026-01-01T00:00:05.000000999Z"`}))
	require.Empty(t, nanos.Violations, "truncated digits do not count")
	before := parse(t, text(members{"timestamp": `"0001-01-01T00:00:00+23:59"`}))
	require.Equal(t, []string{"/timestamp timestamp_too_old"}, found(before))
}

func TestDetailsOfTheWindow(t *testing.T) {
	t.Parallel()
	detail := func(at string) string {
		return parse(t, text(members{"timestamp": `"` + at + `"`})).Violations[0].Detail
	}
	require.Contains(t, detail("2026-01-01T00:00:05.000001Z"), "6 s in the future; at most 5 s")
	require.Contains(t, detail("2026-01-01T01:00:00Z"), "lies 3600 s in the future")
	require.Contains(t, detail("2015-12-31T00:00:00Z"), "lies 3654 days in the past; at most 3650 days are allowed")
	require.Contains(t, detail("2016-01-03T23:59:59.999999Z"), "lies 3651 days in the past; at most 3650 days are allowed")
	// These exceed Go's durations, which end after 292 years.
	require.Contains(t, detail("9999-12-31T00:00:00Z"), "lies 251634988800 s in the future")
	require.Contains(t, detail("0001-01-01T00:00:00Z"), "lies 739616 days in the past")
}

func TestWindowFollowsTheRules(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	rules.MaxAhead, rules.MaxAge = time.Hour, 24*time.Hour
	for at, want := range map[string]fault.Code{
		"2026-01-01T01:00:00Z": "", "2026-01-01T01:00:00.000001Z": fault.CodeTimestampInFuture,
		"2025-12-31T00:00:00Z": "", "2025-12-30T23:59:59.999999Z": fault.CodeTimestampTooOld,
	} {
		envelopes, _, err := event.ParseJSON([]byte(text(members{"timestamp": `"` + at + `"`})), &rules, now())
		require.NoError(t, err)
		require.Equal(t, want == "", envelopes[0].Accepted())
		if want != "" {
			require.Equal(t, want, envelopes[0].Violations[0].Code)
		}
	}
}
