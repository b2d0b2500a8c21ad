package amend_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/amend"
)

func TestShortNumber(t *testing.T) {
	t.Parallel()
	zeros := func(n int) string { return strings.Repeat("0", n) }
	for plain, short := range map[string]string{
		"0": "0", "0.000": "0", "7": "7", "-12": "-12", "12.50": "12.50", "0.1": "0.1", "100": "100", "1000": "1e3", "-1200": "-1200", "-120000": "-12e4",
		"1" + zeros(300): "1e300", "-25" + zeros(299): "-25e299", "0." + zeros(199) + "25": "25e-201", "0.00012": "12e-5",
		"123456789012345678901234567890123456789": "123456789012345678901234567890123456789",
		// The point goes where the exponent stays short: 40 digits may have been sent as they are.
		"12345678901234567890123456789012345678" + zeros(70):                "12345678901234567890123456789012345678e70",
		"0." + zeros(97) + "12345678901234567890123456789012345678":         "1.2345678901234567890123456789012345678e-98",
		"-" + "12345678901234567890123456789012345678" + zeros(62) + ".000": "-12345678901234567890123456789012345678e62",
	} {
		require.Equal(t, short, amend.ShortNumber(plain))
		want, ok := new(big.Rat).SetString(plain)
		require.True(t, ok)
		got, ok := new(big.Rat).SetString(short)
		require.True(t, ok)
		require.Zero(t, want.Cmp(got), plain)
	}
}
