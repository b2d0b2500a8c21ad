//go:build browser

package browsertest_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkTrack measures what track costs the page, and what an event costs the thread of the page
// in all: the call, the queue, the request, the verdict.
func BenchmarkTrack(b *testing.B) {
	const rounds, calls = 20, 500

	bed := openTestbed(b)
	s := bed.openStage(b)
	for b.Loop() {
		var saw struct {
			// Each is the time of a call in microseconds, by round.
			Each    []float64
			Whole   float64
			Stored  int
			Dropped map[string]int
		}
		s.play(b, "measureTrack", map[string]any{"rounds": rounds, "calls": calls}, &saw)
		require.Equal(b, rounds*calls, saw.Stored)
		slices.Sort(saw.Each)
		b.ReportMetric(saw.Each[rounds/2], "µs/track")
		b.ReportMetric(saw.Each[rounds-1], "µs/track-worst")
		b.ReportMetric(saw.Whole, "µs/event")
		b.ReportMetric(0, "ns/op")
	}
}
