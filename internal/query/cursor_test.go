package query_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// Any reader of the code can compute the checksum. A made-up cursor must not reach
// Postgres with a time that no row can have: Postgres refuses times before 4713 BC,
// which would be a 500.
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

// However long a reader continues, its checkpoints stay few, reach back to its
// beginning, and have no gap much longer than the span from the gap to the newest.
func TestTheTrailOfAReader(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, step := range []int64{1, 3, 1000} {
		var passed []int64
		for at := int64(1000); len(passed) < 20_000; at += 1 + random.Int64N(step) {
			passed = append(passed, at)
		}

		remembered := query.TrailBehind(passed)
		newest := passed[len(passed)-1]
		require.LessOrEqual(t, len(remembered), 20)
		require.Equal(t, newest, remembered[0])
		require.Equal(t, passed[0], remembered[len(remembered)-1])
		for i := 2; i < len(remembered); i++ {
			require.LessOrEqual(t, newest-remembered[i], 8*(newest-remembered[i-1])+step)
		}
	}

	require.Equal(t, []int64{7}, query.TrailBehind([]int64{0, 7, 7, 7, 0}), "events of one transaction are one checkpoint")
}

// Cursors of changes from before there were checkpoints are accepted.
func TestAnOldCursorOfChangesIsTaken(t *testing.T) {
	t.Parallel()
	want := query.ChangePosition{Transaction: 812, At: time.UnixMicro(1_700_000_000_000_000).UTC(), ID: uuid.Max}
	old := query.EncodeOldChange("f", 7, want)
	found, err := query.DecodeChange("f", 7, old)
	require.NoError(t, err)
	require.Equal(t, want, found)
	_, err = query.DecodeChange("f", 8, old)
	requireInvalidCursor(t, err, want.At)
	_, err = query.DecodeChange("g", 7, old)
	requireInvalidCursor(t, err, want.At)
}
