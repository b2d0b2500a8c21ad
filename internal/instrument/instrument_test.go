package instrument_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/instrument"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
)

func TestInstrumentsAreReadWhenTheyAreCollected(t *testing.T) {
	t.Parallel()
	var sent, good, bad atomic.Int64
	known := false
	meter := metrictest.New(t)

	set := instrument.NewSet(meter)
	set.AddCounter("sent", "{letter}", "Letters that were sent", sent.Load)
	set.AddCounters("answers", "{answer}", "Answers by result", "result", map[string]*atomic.Int64{"good": &good, "bad": &bad})
	set.AddGaugeIfKnown("waiting", "{letter}", "Letters that wait", func() (int64, bool) { return 3, known })
	set.AddSecondsIfKnown("age", "Age of the oldest letter", func() (time.Duration, bool) { return 1500 * time.Millisecond, known })
	require.NoError(t, set.Err())
	require.Equal(t, map[string]float64{
		"sent_total": 0, `answers_total{result="good"}`: 0, `answers_total{result="bad"}`: 0,
	}, meter.Scrape(t), "counters from the start, and no gauge without a value")

	known = true
	sent.Add(2)
	bad.Add(1)
	require.Equal(t, map[string]float64{
		"sent_total": 2, `answers_total{result="good"}`: 0, `answers_total{result="bad"}`: 1,
		"waiting": 3, "age_seconds": 1.5,
	}, meter.Scrape(t))
}

func TestAnInstrumentThatCannotBeRegisteredIsReported(t *testing.T) {
	t.Parallel()
	set := instrument.NewSet(metrictest.New(t))
	set.AddCounter("1 is not a name", "", "Nothing", func() int64 { return 0 })
	set.AddGaugeIfKnown("waiting", "", "Letters that wait", func() (int64, bool) { return 3, true })
	require.ErrorContains(t, set.Err(), "make an instrument: ")
}
