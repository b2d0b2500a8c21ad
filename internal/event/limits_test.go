package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// nested returns arrays within one another, n deep.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestDepth(t *testing.T) {
	t.Parallel()
	// The event is level 1, data is 2, x is 3.
	require.Empty(t, violationsOf(t, withData(nested(30))))
	require.Equal(t, []string{"/data/x" + strings.Repeat("/0", 30) + " too_deep"}, violationsOf(t, withData(nested(31))))
	objects := strings.Repeat(`{"a":`, 30)
	require.Empty(t, violationsOf(t, withData(objects+"1"+strings.Repeat("}", 30))))
	require.Equal(t, []string{"/data/x" + strings.Repeat("/a", 30) + " too_deep"}, violationsOf(t, withData(objects+"{}"+strings.Repeat("}", 30))))
	require.Empty(t, violationsOf(t, withData("["+nested(29)+","+nested(29)+"]")), "width is not depth")
	require.Equal(t, []string{"/data/x/1" + strings.Repeat("/0", 29) + " too_deep", "/data/y/0 number_out_of_range"},
		violationsOf(t, text(members{"data": `{"x":[1,` + nested(30) + `,2],"y":[1e999]}`})), "reading continues after it")
	require.Equal(t, []string{"/name invalid_type"}, violationsOf(t, text(members{"name": nested(40)})))
	require.Equal(t, []string{"/x unknown_field", "/x" + strings.Repeat("/0", 31) + " too_deep"}, violationsOf(t, text(members{"x": nested(40)})))
}

func TestDeepNestingHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	for _, n := range []int{33, 100, 10_000, 10_001, 50_000} {
		for name, deep := range map[string]string{
			"arrays": nested(20 * n), "objects": strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n),
			"both": strings.Repeat(`[{"a]}\"":`, n) + "1" + strings.Repeat("}]", n),
		} {
			got := parseBatch(t, "["+text(nil)+","+withData(deep)+","+text(nil)+"]")
			require.Len(t, got, 3, name)
			require.True(t, got[0].Accepted() && got[2].Accepted())
			want := fault.CodeTooDeep
			if len(deep) > 64<<10-200 {
				want = fault.CodeEventTooLarge
			}

			require.Len(t, got[1].Violations, 1)
			require.Equal(t, want, got[1].Violations[0].Code)
			require.Equal(t, withData(deep), string(got[1].Raw))
		}
	}
}

func TestBracketsBelowTheDepth(t *testing.T) {
	t.Parallel()
	open := strings.Repeat("[", 40)
	for _, bad := range []string{
		open, open + "}", open + strings.Repeat("]", 39), open + strings.Repeat("]", 39) + "}", open + "{]", open + `"`, open + `"]`, open + `{"a":1]`, open + `"\x"`,
		open + strings.Repeat("]", 41), strings.Repeat("[", 1_000_000),
	} {
		got := violationsOf(t, withData(bad))
		require.Contains(t, got[0], "too_deep")
		require.Equal(t, " invalid_json", got[len(got)-1], "%.60s", bad)
	}

	inside := violationsOf(t, withData(open+`"\u0000]","\ud800"`+strings.Repeat("]", 40)))
	require.Len(t, inside, 3, "strings are still read, because brackets in them do not count")
}

func TestSizeOfAnEvent(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	pad := func(size int) string {
		empty := withData(`""`)
		return withData(`"` + strings.Repeat("a", size-len(empty)) + `"`)
	}
	require.Len(t, pad(limit), limit)
	require.Empty(t, violationsOf(t, "  "+pad(limit)+"  "), "space around an event is not its own")
	require.Equal(t, []string{" event_too_large"}, violationsOf(t, pad(limit+1)))
	require.Equal(t, []string{" event_too_large"}, violationsOf(t, strings.Replace(pad(limit+1), `"data"`, `"dato"`, 1)), "no other violation is reported then")
	require.Equal(t, []string{" event_too_large"}, violationsOf(t, strings.Replace(pad(limit+1), `}}`, `},"data":{}}`, 1)), "not even a duplicate member")
	e := parse(t, pad(limit+1))
	require.Equal(t, "page", e.Event.Category, "the fields that could be read are known")
	got := parseBatch(t, "["+pad(limit)+","+pad(limit+1)+","+pad(limit)+"]")
	require.True(t, got[0].Accepted() && got[2].Accepted())
	require.Equal(t, []string{" event_too_large"}, found(got[1]))
}

func TestLimitsFollowTheRules(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	rules.Depth, rules.NumberDigits, rules.EventBytes, rules.BatchEvents = 3, 5, 300, 2
	for body, want := range map[string][]string{
		withData("[]"):     {},
		withData("[[]]"):   {"/data/x/0 too_deep"},
		withData("12345"):  {},
		withData("123456"): {"/data/x number_out_of_range"},
		withData(`"` + strings.Repeat("a", 300) + `"`): {" event_too_large"},
	} {
		envelopes, _, err := event.ParseJSON([]byte(body), &rules, now())
		require.NoError(t, err)
		require.Equal(t, want, found(envelopes[0]))
	}

	_, _, err := event.ParseJSON([]byte("[{},{},{}]"), &rules, now())
	require.True(t, fault.Is(err, fault.CodeBatchTooLarge))
	_, err = event.ParseNDJSON([]byte("{}\n{}\n{}"), &rules, now())
	require.True(t, fault.Is(err, fault.CodeBatchTooLarge))
}
