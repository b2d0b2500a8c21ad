package top_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/cli/top"
)

// parsed parses the exposition of a test.
func parsed(t testing.TB, text string) top.Sample {
	t.Helper()
	s, err := top.Parse(strings.NewReader(text))
	require.NoError(t, err, text)
	return s
}

// counter renders an exposition of one counter of one process.
func counter(t testing.TB, began, value float64) top.Sample {
	t.Helper()
	return parsed(t, fmt.Sprintf("# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %g\n"+
		"# TYPE theeye_x_total counter\ntheeye_x_total{application=\"a\"} %g\n", began, value))
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		h    top.Histogram
		q    float64
		want float64
	}{
		"the middle of the first bucket":        {top.NewHistogram(1, 10, 2, 10, 10), 0.5, 0.5},
		"linear inside a bucket":                {top.NewHistogram(1, 10, 2, 30, 4, 40, 40), 0.5, 1.5}, // rank 20: 10 of the 20 between 1 and 2
		"the end of a bucket":                   {top.NewHistogram(1, 10, 2, 30, 4, 40, 40), 0.75, 2},
		"the last finite bucket":                {top.NewHistogram(1, 10, 2, 30, 4, 40, 40), 0.9, 3.2}, // rank 36: 6 of the 10 between 2 and 4
		"beyond the last bound":                 {top.NewHistogram(1, 10, 2, 20, 40), 0.99, 2},
		"an empty bucket is passed":             {top.NewHistogram(1, 10, 2, 10, 3, 20, 20), 0.75, 2.5},
		"a bound of zero":                       {top.NewHistogram(0, 8, 1, 10, 10), 0.5, 0},
		"counts that fall are held":             {top.NewHistogram(1, 10, 2, 8, 4, 20, 20), 0.75, 3}, // as if 10 at 2: rank 15 is halfway between 2 and 4
		"a negative first bound":                {top.NewHistogram(-1, 8, 1, 10, 10), 0.5, -1},
		"all of one bucket":                     {top.NewHistogram(0.001, 0, 0.002, 100, 100), 0.99, 0.00199},
		"the first rank is the first's begin":   {top.NewHistogram(1, 10, 2, 20, 20), 0, 0},
		"the whole is the end of the last used": {top.NewHistogram(1, 10, 2, 20, 20), 1, 2},
	} {
		require.InDelta(t, c.want, c.h.Quantile(c.q), 1e-12, name)
	}

	require.True(t, math.IsNaN(top.NewHistogram(1, 0, 0).Quantile(0.5)), "no observations")
	require.True(t, math.IsNaN(top.NewHistogram(5).Quantile(0.5)), "no finite bound")
	require.True(t, math.IsNaN(top.Histogram{}.Quantile(0.5)), "no buckets")
}

func TestHistogramsOfOtherBounds(t *testing.T) {
	t.Parallel()
	require.Equal(t, top.NewHistogram(1, 3, 2, 7, 10), top.NewHistogram(1, 1, 2, 3, 4).Plus(top.NewHistogram(1, 2, 2, 4, 6)))
	require.Equal(t, top.NewHistogram(1, 1, 2, 3, 4, 8, 10), top.NewHistogram(1, 1, 2, 3, 4).Plus(top.NewHistogram(4, 5, 6)), "5 of 6 are below 4, none is known to be below 2")
	require.Equal(t, top.NewHistogram(1, 2, 3), top.Histogram{}.Plus(top.NewHistogram(1, 2, 3)))
}

func TestHistogramGrows(t *testing.T) {
	t.Parallel()
	before := top.NewHistogram(1, 5, 2, 9, 10)
	require.Equal(t, top.NewHistogram(1, 1, 2, 3, 4), top.NewHistogram(1, 6, 2, 12, 14).Since(before))
	require.Equal(t, top.NewHistogram(1, 6, 2, 8, 14), top.NewHistogram(1, 6, 2, 8, 14).Since(before), "one bucket fell, so all started again")
	require.Equal(t, top.NewHistogram(1, 6, 3, 12, 14), top.NewHistogram(1, 6, 3, 12, 14).Since(before), "other bounds are another histogram")
	require.Equal(t, top.NewHistogram(1, 5, 2, 9, 10), before.Since(top.Histogram{}), "it was not there before")
}

func TestRates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after top.Sample
		want          float64
	}{
		"grows":                              {counter(t, 1, 100), counter(t, 1, 130), 15},
		"stands still":                       {counter(t, 1, 100), counter(t, 1, 100), 0},
		"fell: counted from zero":            {counter(t, 1, 100), counter(t, 1, 8), 4},
		"restarted and passed the old count": {counter(t, 1, 100), counter(t, 2, 130), 65},
		"was not there: counted from zero":   {top.Sample{}, counter(t, 1, 8), 4},
		"is gone":                            {counter(t, 1, 8), top.Sample{}, 0},
		"a count is never negative":          {counter(t, 1, -8), counter(t, 2, -3), 0},
	} {
		w := top.Increase(c.before, c.after, 2*time.Second)
		require.InDelta(t, c.want, w.Rate("theeye_x_total"), 1e-12, name)
		require.InDelta(t, c.want, w.Rate("theeye_x_total", "application", "a"), 1e-12, name)
		require.Zero(t, w.Rate("theeye_x_total", "application", "b"), name)
	}

	require.Empty(t, top.Increase(counter(t, 1, 1), counter(t, 1, 2), 0), "no time has passed")
	require.Zero(t, top.Window{}.Rate("theeye_absent_total"))
}

func TestReplicasAreAddedUp(t *testing.T) {
	t.Parallel()
	exposition := func(began, count, low, all, queue, age float64) top.Sample {
		return parsed(t, fmt.Sprintf(`# TYPE theeye_ingest_events_total counter
theeye_ingest_events_total{application="a",status="stored"} %g
# TYPE theeye_http_request_duration_seconds histogram
theeye_http_request_duration_seconds_bucket{method="POST",route="/v1/events",status="201",le="0.1"} %g
theeye_http_request_duration_seconds_bucket{method="POST",route="/v1/events",status="201",le="0.2"} %g
theeye_http_request_duration_seconds_bucket{method="POST",route="/v1/events",status="201",le="+Inf"} %g
theeye_http_request_duration_seconds_sum{method="POST",route="/v1/events",status="201"} 0
theeye_http_request_duration_seconds_count{method="POST",route="/v1/events",status="201"} %g
# TYPE theeye_ingest_queue_events gauge
theeye_ingest_queue_events %g
# TYPE theeye_access_directory_age_seconds gauge
theeye_access_directory_age_seconds %g
# TYPE theeye_ready gauge
theeye_ready 1
# TYPE process_start_time_seconds gauge
process_start_time_seconds %g
`, count, low, all, all, all, queue, age, began))
	}
	at := func(s int) time.Time { return sampleTime().Add(time.Duration(s) * time.Second) }
	began := float64(sampleTime().Unix())
	tracker := top.NewTracker()
	tracker.Take(top.NewReading("a", at(0), exposition(began-60, 100, 10, 20, 5, 0.2)), top.NewReading("b", at(0), exposition(began-30, 1000, 0, 0, 7, 0.9)))
	n := tracker.Numbers()
	require.False(t, n.Rated)
	require.True(t, math.IsNaN(n.Events.Stored), "there is no rate after one reading")
	require.InDelta(t, 12, n.QueueEvents.Used, 0)
	require.InDelta(t, 0.9, n.KeyAge, 0, "the oldest counts")
	require.InDelta(t, 2, n.Ready, 0)
	require.InDelta(t, 30, n.Uptime, 1e-6, "that of the youngest")

	// 20 in 2 s and 100 in 2 s; 10 requests below 0.1 s and 10 between 0.1 and 0.2.
	tracker.Take(top.NewReading("a", at(2), exposition(began-60, 120, 20, 30, 5, 0.2)), top.NewReading("b", at(2), exposition(began-30, 1100, 0, 10, 7, 0.9)))
	n = tracker.Numbers()
	require.InDelta(t, 60, n.Events.Stored, 1e-9)
	require.InDelta(t, 60, n.Applications[0].Stored, 1e-9)
	require.InDelta(t, 10, n.Requests, 1e-9)
	require.InDelta(t, 0.1, n.Now.P50, 1e-9)
	require.InDelta(t, 0.18, n.Now.P90, 1e-9) // rank 18 of 20: 8 of the 10 above 0.1

	// b is unreachable for a round: only a's numbers are shown.
	tracker.Take(top.NewReading("a", at(4), exposition(began-60, 140, 30, 40, 5, 0.2)), top.NewFailedReading("b", at(4), errors.New("away")))
	n = tracker.Numbers()
	require.InDelta(t, 10, n.Events.Stored, 1e-9)
	require.InDelta(t, 5, n.QueueEvents.Used, 0)
	require.InDelta(t, 1, n.Ready, 0)
	require.EqualError(t, n.Replicas[1].Err, "away")

	// It comes back: 400 in the four seconds since its last reading are 100 a second.
	tracker.Take(top.NewReading("a", at(6), exposition(began-60, 160, 40, 50, 5, 0.2)), top.NewReading("b", at(6), exposition(began-30, 1500, 0, 10, 7, 0.9)))
	require.InDelta(t, 110, tracker.Numbers().Events.Stored, 1e-9)

	// It restarts: 50 in two seconds.
	tracker.Take(top.NewReading("a", at(8), exposition(began-60, 160, 40, 50, 5, 0.2)), top.NewReading("b", at(8), exposition(began+7, 50, 0, 0, 7, 0.9)))
	n = tracker.Numbers()
	require.InDelta(t, 25, n.Events.Stored, 1e-9)
	require.InDelta(t, 1, n.Uptime, 1e-6)
	require.True(t, math.IsNaN(n.Now.P50), "no request came")
	require.InDelta(t, 0.2/3, n.Minute.P50, 1e-9, "rank 20 of the minute's 40, of the 30 that are below 0.1 s")
}

func TestMinuteForgets(t *testing.T) {
	t.Parallel()
	slow := func(n int) top.Sample {
		return parsed(t, fmt.Sprintf(`# TYPE theeye_http_request_duration_seconds histogram
theeye_http_request_duration_seconds_bucket{method="POST",route="/v1/events",status="201",le="1"} %d
theeye_http_request_duration_seconds_bucket{method="POST",route="/v1/events",status="201",le="+Inf"} %d
theeye_http_request_duration_seconds_sum{method="POST",route="/v1/events",status="201"} 0
theeye_http_request_duration_seconds_count{method="POST",route="/v1/events",status="201"} %d
`, n, n, n))
	}
	tracker := top.NewTracker()
	tracker.Take(top.NewReading("a", sampleTime(), slow(0)))
	tracker.Take(top.NewReading("a", sampleTime().Add(time.Second), slow(10)))
	for s := 2; s <= 60; s++ {
		tracker.Take(top.NewReading("a", sampleTime().Add(time.Duration(s)*time.Second), slow(10)))
	}

	require.False(t, math.IsNaN(tracker.Numbers().Minute.P50))
	tracker.Take(top.NewReading("a", sampleTime().Add(61*time.Second), slow(10)))
	require.True(t, math.IsNaN(tracker.Numbers().Minute.P50), "what is a minute old is forgotten")
}

func TestSpread(t *testing.T) {
	t.Parallel()
	now := sampleTime()
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	got := top.Spread([]top.Moment{
		top.NewMoment(at(-40), at(-30), 8), top.NewMoment(at(-30), at(-20), 2), top.NewMoment(at(-20), at(-10), 4), top.NewMoment(at(-5), at(0), 6),
	}, now, 3)
	require.True(t, math.IsNaN(got[0]), "nothing is known of the first twenty seconds")
	require.InDelta(t, 5, got[1], 1e-9)      // 8 and 2, ten seconds each
	require.InDelta(t, 14.0/3, got[2], 1e-9) // 4 for ten seconds, 6 for five; five are unknown
	require.Equal(t, " ▁▅█", top.Sparkline([]float64{math.NaN(), 0, 1.2, 2}))
	require.Equal(t, "▁▁", top.Sparkline([]float64{0, 0}))
}

// A missing value, or one that is not a number, is unknown and affects no other.
func TestAbsentAndNoNumber(t *testing.T) {
	t.Parallel()
	tracker := top.NewTracker()
	for i := range 2 {
		tracker.Take(top.NewReading("a", sampleTime().Add(time.Duration(i)*time.Second), parsed(t, `# TYPE theeye_ingest_events_total counter
theeye_ingest_events_total{application="a",status="stored"} NaN
theeye_ingest_events_total{application="b",status="stored"} 3
# TYPE theeye_ingest_queue_events gauge
theeye_ingest_queue_events NaN
# TYPE theeye_database_size_bytes gauge
theeye_database_size_bytes +Inf
# TYPE theeye_ingest_group_events histogram
theeye_ingest_group_events_sum NaN
theeye_ingest_group_events_count 0
# TYPE go_other summary
go_other{quantile="0.5"} 1
`)))
	}

	n := tracker.Numbers()
	require.Len(t, n.Applications, 1)
	require.Equal(t, "b", n.Applications[0].Name)
	require.True(t, math.IsNaN(n.QueueEvents.Used))
	require.True(t, math.IsNaN(n.Database.Size.Used))
	text := top.Everything(n)
	require.NotContains(t, text, "NaN")
	require.NotContains(t, text, "Inf")
	require.NotContains(t, top.Everything(top.NewTracker().Numbers()), "NaN")
}

func TestTexts(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for v, want := range map[float64]string{0: "0", 0.01: "<0.1", 0.5: "0.5", 9.94: "9.9", 9.96: "10", 999.5: "1,000", 1234567: "1,234,567", 1e16: "1.0e+16"} {
		require.Equal(t, want, top.Rate(v))
	}

	require.Equal(t, "-1,234", top.Count(-1234))
	require.Equal(t, "-123", top.Count(-123))
	for v, want := range map[float64]string{0.00085: "850 µs", 0.0012345: "1.23 ms", 0.25: "250 ms", 1.5: "1.5 s", 12345: "12345 s"} {
		require.Equal(t, want, top.Latency(v))
	}

	for v, want := range map[float64]string{0: "0.0 s", 2.23: "2.2 s", 22.4: "22 s", 250: "4m 10s", 11520: "3h 12m", 93600: "1d 2h", -61: "-1m 1s", 1e12: "–"} {
		require.Equal(t, want, top.Span(v))
	}

	for v, want := range map[float64]string{0: "0 B", 1023: "1,023 B", 1536: "1.5 KiB", 40 << 30: "40 GiB", -2048: "-2 KiB"} {
		require.Equal(t, want, top.Bytes(v))
	}

	for _, text := range []func(float64) string{top.Rate, top.Count, top.Latency, top.Span, top.Bytes} {
		require.Equal(t, "–", text(nan))
	}

	require.Equal(t, "shop  ", top.Fit("shop", 6, false))
	require.Equal(t, "  shop", top.Fit("shop", 6, true))
	require.Equal(t, "news…", top.Fit("newsletter", 5, false))
	require.Equal(t, "新… ", top.Fit("新聞記事", 4, false), "wide characters are never halved")
	require.Equal(t, []int{2, 3, 1}, top.Divide(6, 2, 9, 1))
	require.Equal(t, []int{0, 0}, top.Divide(-3, 2, 9))
}

func FuzzParse(f *testing.F) {
	f.Add("# TYPE theeye_ready gauge\ntheeye_ready 1\n")
	f.Add("theeye_ingest_events_total{application=\"\x1b[2J\",status=\"stored\"} 1e308\n")
	f.Add("# TYPE theeye_ingest_group_events histogram\ntheeye_ingest_group_events_bucket{le=\"NaN\"} 1\ntheeye_ingest_group_events_bucket{le=\"1\"} 3\ntheeye_ingest_group_events_count 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := top.Parse(strings.NewReader(text))
		if err != nil {
			return
		}

		tracker := top.NewTracker()
		tracker.Take(top.NewReading("a", sampleTime(), s))
		tracker.Take(top.NewReading("a", sampleTime().Add(time.Second), s))
		require.NotRegexp(t, "[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f]", top.Everything(tracker.Numbers()))
	})
}
