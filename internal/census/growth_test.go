package census_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/census"
)

func TestGrowth(t *testing.T) {
	t.Parallel()
	const base = 5 << 40
	for name, test := range map[string]struct {
		samples []census.Sample
		want    float64
	}{
		// 1 MB in ten minutes, of which a day has 144.
		"two samples": {[]census.Sample{{0, base}, {10 * time.Minute, base + 1_000_000}}, 144_000_000},
		"no change":   {[]census.Sample{{0, base}, {time.Hour, base}}, 0},
		// Up and down again.
		"symmetric": {[]census.Sample{{0, 0}, {6 * time.Hour, 30}, {12 * time.Hour, 0}}, 0},
		// In days 0, .25, .5, .75, their mean is .375, that of the sizes 10:
		// (.375*10 + .375*10) / (.375² + .125² + .125² + .375²) = 7.5 / .3125.
		"not on a line": {[]census.Sample{{0, base}, {6 * time.Hour, base + 10}, {12 * time.Hour, base + 10}, {18 * time.Hour, base + 20}}, 24},
		"uneven times":  {[]census.Sample{{0, 0}, {time.Hour, 1000}, {23 * time.Hour, 23_000}}, 24_000},
		"shrinking":     {[]census.Sample{{0, 9000}, {12 * time.Hour, 3000}}, -12_000},
	} {
		got, known := census.Growth(time.Unix(1_800_000_000, 0), test.samples...)
		require.True(t, known, name)
		require.InDelta(t, test.want, got, 1e-6, name)
	}

	for name, samples := range map[string][]census.Sample{
		"none": nil, "one": {{0, 1}}, "too near": {{0, 1}, {9*time.Minute + 59*time.Second, 2}},
	} {
		_, known := census.Growth(time.Unix(0, 0), samples...)
		require.False(t, known, name)
	}
}

func TestDaysToFull(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		capacity, size int64
		growth, want   float64
	}{
		{100, 40, 20, 3},
		{100, 40, 240, 0.25},
		{100, 100, 1, 0},
		{100, 101, 1, 0}, // the disk was underrated
	} {
		got, known := census.DaysToFull(test.capacity, test.size, test.growth)
		require.True(t, known)
		require.InDelta(t, test.want, got, 1e-9, "%v", test)
	}

	for _, test := range []struct {
		capacity int64
		growth   float64
	}{{0, 1}, {100, 0}, {100, -1}} {
		_, known := census.DaysToFull(test.capacity, 40, test.growth)
		require.False(t, known, "%v", test)
	}
}
