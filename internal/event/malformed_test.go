package event_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// malformed are elements of an array that are not JSON, and whose ends strings and brackets
// show.
func malformed() []string {
	good := text(nil)
	list := []string{
		"", "x", "{}x", good + "x", good + " " + good, "1 2", "{'a': 1}", "{a:1}", "{/**/}", "\xff", "\ufeff" + good, "\x00", `{"a":1,}`, `{"a":}`, `{"a"}`, `{,}`,
		"[1,]", "[,1]", "[1,,2]", "undefined", "NaN", "True", "nul", `"a" "b"`, `{"a":"\x ] , "}`, `{"a":"b\"]"x}`, "-", "+1", "[{}]x", nested(20_000) + "x",
	}
	for _, value := range []string{
		"NaN", "Infinity", "-Infinity", "007", "0x10", "1.", ".5", "1e", "undefined", "None", "'a'", "\"a\nb\"", "\"a\tb\"", `"\x41"`, `"\u12"`, "[1,]", `{"a":1,}`, "1 2", "",
		"/* c */1", "\xff", "\u00a01", "`a`", "\"\x00\"",
	} {
		list = append(list, withData(value))
	}

	return list
}

// TestMalformedEventsAreRefusedAlone puts text that is not JSON in each position of a batch.
func TestMalformedEventsAreRefusedAlone(t *testing.T) {
	t.Parallel()
	const n = 4
	rules := event.DefaultRules()
	for _, bad := range malformed() {
		for at := range n {
			texts := slices.Repeat([]string{withData(`"neighbour ],[ \" {"`)}, n)
			texts[at] = bad
			batch := parseBatch(t, "[ "+strings.Join(texts, " ,\n")+" ] \n")
			requireRefusedAlone(t, batch, texts, at)
			require.Equal(t, " malformed_event", found(batch[at])[len(found(batch[at]))-1], "%q", bad)
			if bad == "" || strings.Contains(bad, "\n") {
				continue // not a line
			}

			lines, err := event.ParseNDJSON([]byte(strings.Join(texts, "\r\n")), &rules, now())
			require.NoError(t, err)
			requireRefusedAlone(t, lines, texts, at)
			last := found(lines[at])[len(found(lines[at]))-1]
			require.Contains(t, []string{" malformed_event", " trailing_text"}, last, "%q", bad)
		}
	}
}

func requireRefusedAlone(t *testing.T, got []event.Envelope, texts []string, at int) {
	t.Helper()
	require.Len(t, got, len(texts), "%.80q", texts[at])
	for i := range got {
		require.Equal(t, i != at, got[i].Accepted(), "%.80q", texts[at])
		require.Equal(t, texts[i], string(got[i].Raw))
		require.False(t, got[i].IsWholeBody)
	}
}

func TestTrailingCommasOfABatch(t *testing.T) {
	t.Parallel()
	good := text(nil)
	for body, want := range map[string][]string{
		"[" + good + ",]":              {"", "malformed_event"},
		"[," + good + "]":              {"malformed_event", ""},
		"[" + good + ",," + good + "]": {"", "malformed_event", ""},
		"[,]":                          {"malformed_event", "malformed_event"},
	} {
		got := []string{}
		for _, e := range parseBatch(t, body) {
			got = append(got, strings.TrimPrefix(strings.Join(found(e), ""), " "))
		}

		require.Equal(t, want, got, body)
	}

	rules := event.DefaultRules()
	_, _, err := event.ParseJSON([]byte("["+strings.Repeat(",", 1000)+"]"), &rules, now())
	require.True(t, fault.Is(err, fault.CodeBatchTooLarge), "malformed events count")
}

func TestMalformedEventsSayWhere(t *testing.T) {
	t.Parallel()
	batch := parseBatch(t, "[\n"+text(nil)+",\n{\"a\" 1},\n{\"b\":\nNaN}, NaN]")
	require.Contains(t, batch[1].Violations[0].Detail, `expected a colon after the member name, found "1" at byte`)
	require.Contains(t, batch[1].Violations[0].Detail, "(line 3)")
	require.Contains(t, batch[2].Violations[0].Detail, "(line 5)")
	require.Len(t, batch[2].Violations, 1, "its unknown member is not reported")
	require.Contains(t, batch[3].Violations[0].Detail, "(line 5)")
}

// TestWhatCannotBeTakenApartIsMarked requires that a body that is rejected as a whole is marked
// as such.
func TestWhatCannotBeTakenApartIsMarked(t *testing.T) {
	t.Parallel()
	good := text(nil)
	for body, want := range map[string]bool{good: false, good + good: true, good + "\n" + good: true, `{"a":NaN}`: true, `{"a":1}`: false} {
		require.Equal(t, want, parse(t, body).IsWholeBody, body)
	}
}

// FuzzDamage damages one element of a batch at random: either the ends of the
// elements are unknown and all are rejected, or every other element keeps its verdict.
func FuzzDamage(f *testing.F) {
	for _, bad := range malformed()[:30] {
		f.Add([]byte(bad), 2, false)
	}

	f.Add([]byte(`{"a":"b}`), 1, true)
	f.Add([]byte(`{"a":[}`), 0, true)
	f.Add([]byte(withData("NaN")+","+withData("007")), 3, false)
	neighbours := []string{text(nil), withData(`"a ],[ \\\" {"`), withData(`"\u0000"`), "null", text(members{"name": "", "x": "1"})}
	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, bad []byte, at int, asLines bool) {
		if at = max(0, at%len(neighbours)); len(bad) > 100_000 {
			return
		}

		separator := ","
		if asLines {
			separator = "\n"
		}

		elements := slices.Clone(neighbours)
		elements[at] = string(bad)
		body := strings.Join(elements, separator)
		var got []event.Envelope
		var err error
		if asLines {
			got, err = event.ParseNDJSON([]byte(body), &rules, now())
			require.NoError(t, err)
		} else if got, _, err = event.ParseJSON([]byte("["+body+"]"), &rules, now()); err != nil {
			checkFault(t, err)
			require.True(t, bytes.ContainsAny(bad, `"{}[]`) || bytes.Count(bad, []byte(",")) > 900, "only strings and brackets hide the end of an element: %q", bad)
			return
		}

		for i := range got {
			checkEnvelope(t, &got[i])
		}

		if bytes.ContainsAny(bad, "\"") && !asLines {
			return // it may include a neighbour, whose text is then kept with it
		}

		// The elements before it come first, and those after it last.
		require.GreaterOrEqual(t, len(got), len(neighbours)-1)
		for i := range neighbours {
			place := i
			if i > at {
				place += len(got) - len(neighbours)
			}

			if i != at {
				require.Equal(t, verdictAlone(t, neighbours[i]), fmt.Sprint(found(got[place])))
			}
		}
	})
}

// verdictAlone is the verdict on an element without neighbours.
func verdictAlone(t *testing.T, element string) string {
	t.Helper()
	return fmt.Sprint(found(parseBatch(t, "["+element+"]")[0]))
}

// TestMalformedBatchesAreQuick limits the work on a batch to a multiple of its length, whatever
// the errors in its elements.
func TestMalformedBatchesAreQuick(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	for name, element := range map[string]string{
		"strings": `{"a":"` + strings.Repeat(`\"`, 5000) + `"x}`, "brackets": `{"a":x` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
		"lines": strings.Repeat("\n", 10_000) + "x", "deep": withData(nested(5000) + "x"),
	} {
		body := "[" + strings.Repeat(element+",", 999) + element + "]"
		envelopes, _, err := event.ParseJSON([]byte(body), &rules, now())
		require.NoError(t, err, name)
		require.Len(t, envelopes, 1000)
	}
}
