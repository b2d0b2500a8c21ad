package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
)

func zeros(n int) string { return strings.Repeat("0", n) }

// TestNumbersAreLimitedBySignificantDigits requires that the limit concerns the number and not
// its notation: the digits that Postgres writes are accepted again.
func TestNumbersAreLimitedBySignificantDigits(t *testing.T) {
	t.Parallel()
	const bad = "/data/x number_out_of_range"
	digits := strings.Repeat("123456789", 6)
	for number, want := range map[string]string{
		"1" + zeros(40): "", "1" + zeros(308): "", "-1" + zeros(308): "", "17976931348623157" + zeros(292): "",
		"0." + zeros(323) + "5": "", "0." + zeros(39) + "1": "", "12" + zeros(40) + ".00": "", digits[:40] + ".0": "", digits[:40] + "e1": "",
		digits[:40] + "e-300": "", "0." + zeros(40) + digits[:40]: "", digits[:40] + zeros(260): "", "1." + zeros(300): "", "0." + zeros(400): "",
		digits[:41]: bad, digits[:41] + zeros(10): bad, "0." + digits[:41]: bad, "0." + zeros(50) + digits[:41]: bad, "1" + zeros(38) + "1": "", "1" + zeros(39) + "1": bad,
		"1" + zeros(39) + ".1": bad, digits[:41] + "e1": bad,
		"1" + zeros(309): bad, "2" + zeros(308): bad, "0." + zeros(324) + "1": bad, "0." + zeros(438): "", "0." + zeros(439): bad, "1e" + zeros(439) + "1": bad,
		zeros(1) + "." + zeros(20_000): bad, "1." + zeros(20_000): bad,
	} {
		expected := []string{}
		if want != "" {
			expected = []string{want}
		}

		require.Equal(t, expected, violationsOf(t, withData(number)), number)
	}
}

func TestShortenNumbers(t *testing.T) {
	t.Parallel()
	for long, short := range map[string]string{
		`{}`: `{}`, `{"a": 1}`: `{"a": 1}`,
		`{"a": 1` + zeros(40) + `}`:                                               `{"a": 1` + zeros(40) + `}`,
		`{"a": 1` + zeros(41) + `}`:                                               `{"a": 1e41}`,
		`{"a": [-25` + zeros(299) + `, 1, "x"]}`:                                  `{"a": [-25e299, 1, "x"]}`,
		`{"a": 0.` + zeros(199) + `25}`:                                           `{"a": 25e-201}`,
		`{"a": 0.` + zeros(300) + `}`:                                             `{"a": 0}`,
		`{"a": -0.` + zeros(38) + `1}`:                                            `{"a": -0.` + zeros(38) + `1}`,
		`{"a": -0.` + zeros(39) + `1}`:                                            `{"a": -1e-40}`,
		`{"1` + zeros(60) + `": "1` + zeros(60) + `"}`:                            `{"1` + zeros(60) + `": "1` + zeros(60) + `"}`,
		`{"\"1` + zeros(60) + `\\": 1` + zeros(60) + `, "b": 2` + zeros(60) + `}`: `{"\"1` + zeros(60) + `\\": 1e60, "b": 2e60}`,
		`{"a": ` + strings.Repeat("123456789", 6) + `}`:                           `{"a": ` + strings.Repeat("123456789", 6) + `}`,
		`{"a": "2021.01.02.03.04.05.06.07.08.09.10.11.12.13.14.15"}`:              `{"a": "2021.01.02.03.04.05.06.07.08.09.10.11.12.13.14.15"}`,
	} {
		require.Equal(t, short, string(event.ShortenNumbers([]byte(long))))
	}
}

// TestEveryLongNumberIsFound moves a number to every position in a document, because the search
// reads one byte of each span.
func TestEveryLongNumberIsFound(t *testing.T) {
	t.Parallel()
	for before := range 200 {
		pad := strings.Repeat("1", before%41) + strings.Repeat("x", before-before%41)
		document := `{"` + pad + `":[1` + zeros(41) + `,"` + pad + `"]}`
		require.Equal(t, `{"`+pad+`":[1e41,"`+pad+`"]}`, string(event.ShortenNumbers([]byte(document))), "%d bytes before it", before)
	}
}

func TestShortNumber(t *testing.T) {
	t.Parallel()
	for plain, short := range map[string]string{
		"0": "0", "0.000": "0", "-0": "0", "0e5": "0", "7": "7", "-12": "-12", "12.50": "12.50", "0.1": "0.1", "100": "1e2", "10": "10", "-1200": "-12e2",
		"1" + zeros(300): "1e300", "-25" + zeros(299): "-25e299", "0." + zeros(199) + "25": "25e-201", "0.00012": "12e-5",
		"1e2": "1e2", "1.0e+002": "1e2", "100e-1": "1e1", "0.0001e300": "1e296", "-1E-7": "-1e-7",
		strings.Repeat("123456789", 4): strings.Repeat("123456789", 4),
		// The point stands where the exponent stays short.
		"12345678901234567890123456789012345678" + zeros(70):        "12345678901234567890123456789012345678e70",
		"0." + zeros(97) + "12345678901234567890123456789012345678": "1.2345678901234567890123456789012345678e-98",
	} {
		got := event.ShortNumber(plain)
		if len(short) < len(plain) {
			require.Equal(t, short, got)
		}

		require.LessOrEqual(t, len(got), len(plain))
		require.Zero(t, rational(t, json.Number(plain)).Cmp(rational(t, json.Number(got))), plain)
	}
}

func FuzzShortenNumbers(f *testing.F) {
	f.Add([]byte(`{"a":1`+zeros(60)+`,"b":["\"",0.`+zeros(60)+`5]}`), 3)
	f.Add([]byte(`[-1e308]`), 300)
	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, element []byte, n int) {
		document := bytes.Join([][]byte{[]byte(`{"a":`), element, []byte(`,"b":1` + zeros(max(0, min(n, 300))) + `}`)}, nil)
		if event.CheckObject(document, &rules) != nil {
			return
		}

		short := event.ShortenNumbers(document)
		require.LessOrEqual(t, len(short), len(document))
		require.NoError(t, event.CheckObject(short, &rules), "a returned document is accepted")
		require.Equal(t, string(event.Canonicalize(document)), string(event.Canonicalize(short)), "and means the same")
		require.Equal(t, string(short), string(event.ShortenNumbers(short)), "it cannot be made shorter")
	})
}

func TestExpandedNumbersAreEqual(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"1e40", "-1e308", "1.7976931348623157e308", "5e-324", "12.50e-7", "9007199254740993e20"} {
		plain := spelledOut(t, number)
		require.Equal(t, string(event.Canonicalize([]byte(`[`+number+`]`))), string(event.Canonicalize([]byte(`[`+plain+`]`))), number)
	}
}

// spelledOut writes a number without an exponent, as Postgres does.
func spelledOut(t testing.TB, number string) string {
	t.Helper()
	r, ok := new(big.Rat).SetString(number)
	require.True(t, ok)
	if r.IsInt() {
		return r.Num().String()
	}

	return r.FloatString(400)
}

// TestRangeOfNumbers compares the comparison of digits with strconv, close to the ends of the
// range of a float64.
func TestRangeOfNumbers(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	random := rand.New(rand.NewPCG(1, 2))
	ends := []string{
		"17976931348623157", "17976931348623158", "1797693134862315807937289714053034150799", "1797693134862315807937289714053034150798",
		"24703282292062327", "24703282292062328", "2470328229206232720882843964341106861825", "2470328229206232720882843964341106861826", "1", "2", "25", "99999",
	}
	for range 4000 {
		digits := []byte(ends[random.IntN(len(ends))])
		if random.IntN(2) == 0 {
			digits[random.IntN(len(digits))] = byte('0' + random.IntN(10))
		}

		power := []int{308, 307, 309, -323, -324, -325, 0}[random.IntN(7)]
		point := random.IntN(len(digits) + 1)
		whole := string(digits[:point])
		if whole = strings.TrimLeft(whole, "0"); whole == "" {
			whole = "0"
		}

		number := whole
		if point < len(digits) {
			number += "." + string(digits[point:])
		}

		number += fmt.Sprintf("e%d", power-point+1)
		f, err := strconv.ParseFloat(number, 64)
		fits := err == nil && (f != 0 || strings.Trim(string(digits), "0") == "")
		require.Equal(t, fits, event.CheckObject([]byte(`{"a":`+number+`}`), &rules) == nil, number)
	}
}

// TestNumbersNextToZeroAreQuick reads numbers that once took a minute and a half.
func TestNumbersNextToZeroAreQuick(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"1e-308", "5e-324", "1e-324", "1797693134862315807937289714053034150799e269", "2470328229206232720882843964341106861825e-363"} {
		one := withData("[" + strings.TrimSuffix(strings.Repeat(number+",", 60_000/(len(number)+1)), ",") + "]")
		require.Len(t, parseBatch(t, "["+strings.TrimSuffix(strings.Repeat(one+",", 150), ",")+"]"), 150)
	}
}
