package query_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// Whoever reads this can make a checksum. What a made-up cursor names must not reach
// Postgres where no row can be: it refuses times before 4713 BC, which would be a 500.
func TestMadeUpCursorsAreRefused(t *testing.T) {
	t.Parallel()
	for _, micros := range []int64{math.MinInt64, -9e18, -211_810_204_800_000_001, -62_200_000_000_000_000, 253_402_300_800_000_000, 9e18, math.MaxInt64} {
		at := time.UnixMicro(micros).UTC()
		_, err := query.DecodeCursor("f", query.EncodeCursor("f", query.Position{At: at}))
		requireInvalidCursor(t, err, at)
		_, err = query.DecodeChange("f", 1, query.EncodeChange("f", 1, query.ChangePosition{Transaction: 1, At: at}))
		requireInvalidCursor(t, err, at)
	}
	for _, at := range []time.Time{{}, time.UnixMicro(0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		p, err := query.DecodeCursor("f", query.EncodeCursor("f", query.Position{At: at}))
		require.NoError(t, err)
		require.Equal(t, at, p.At)
		c, err := query.DecodeChange("f", 1, query.EncodeChange("f", 1, query.ChangePosition{At: at}))
		require.NoError(t, err)
		require.Equal(t, at, c.At)
	}
}

func requireInvalidCursor(t *testing.T, err error, at time.Time) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok, "%v: %v", at, err)
	require.Equal(t, fault.CodeInvalidCursor, f.Code)
}
