package load_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load"
)

func TestScheduleWaitsForTheTimeOfEachRequest(t *testing.T) {
	t.Parallel()
	s := load.NewSchedule(200, 2*time.Second, time.Second, time.Now)
	require.EqualValues(t, 400, s.Total())
	require.InDelta(t, 200, s.Rate(0), 0)
	for _, c := range []struct {
		elapsed time.Duration
		hits    uint64
		wait    time.Duration
		stop    bool
	}{
		{0, 0, 0, false},
		{0, 1, 5 * time.Millisecond, false},
		{2 * time.Millisecond, 1, 3 * time.Millisecond, false},
		{time.Second, 200, 0, false},
		{time.Second, 100, 0, false}, // late: at once
		{time.Second, 399, 995 * time.Millisecond, false},
		{time.Second, 400, time.Second, true}, // all were sent
		{3 * time.Second, 399, 0, false},
		{3*time.Second + 1, 399, 0, true}, // later than the grace
	} {
		wait, stop := s.Pace(c.elapsed, c.hits)
		require.Equal(t, c.wait, wait, "%+v", c)
		require.Equal(t, c.stop, stop, "%+v", c)
	}
}

func TestScheduleHasAWholeNumberOfRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate   float64
		length time.Duration
		total  uint64
	}{
		{100, time.Minute, 6000},
		{0.7, 10 * time.Second, 7},
		{0.1, time.Second, 1},
		{2.5, time.Second, 3},
		{333, 3 * time.Second, 999},
	} {
		s := load.NewSchedule(c.rate, c.length, time.Second, time.Now)
		require.Equal(t, c.total, s.Total(), "%+v", c)
		require.Less(t, s.At(s.Total()-1), max(c.length, 1), "%+v: the last is sent in time", c)
	}
}
