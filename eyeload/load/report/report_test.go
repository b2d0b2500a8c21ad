package report_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
)

func newHistogram(t *testing.T, micros ...int64) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(1, time.Hour.Microseconds(), 3)
	for _, v := range micros {
		require.NoError(t, h.RecordValue(v))
	}

	return h
}

// uniformHistogram has the values 1 ms, 2 ms, and so on to n.
func uniformHistogram(t *testing.T, n int) *hdrhistogram.Histogram {
	t.Helper()
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(i+1) * 1000
	}

	return newHistogram(t, values...)
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	l := report.SummarizeLatency(uniformHistogram(t, 1000))
	const within = 0.002 // three digits
	require.EqualValues(t, 1000, l.Count)
	for _, c := range []struct{ want, got float64 }{
		{1, l.Min}, {500.5, l.Mean}, {500, l.P50}, {900, l.P90}, {950, l.P95}, {990, l.P99}, {999, l.P999}, {1000, l.Max},
	} {
		require.InEpsilon(t, c.want, c.got, within)
	}

	require.Zero(t, l.Distribution[0].Percentile)
	last := l.Distribution[len(l.Distribution)-1]
	require.Equal(t, report.Point{Percentile: 100, Millis: l.Max}, last)
	for i := range l.Distribution[1:] {
		require.Greater(t, l.Distribution[i+1].Percentile, l.Distribution[i].Percentile)
		require.GreaterOrEqual(t, l.Distribution[i+1].Millis, l.Distribution[i].Millis)
	}

	require.Equal(t, report.Latency{}, report.SummarizeLatency(newHistogram(t)), "an empty histogram has an empty summary")
}

func TestFailuresAreANumberOrAShare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]report.Failures{
		"0": {}, "12": {Value: 12}, "0.01": {Value: 0.01, Share: true}, "1%": {Value: 0.01, Share: true}, "100%": {Value: 1, Share: true}, "1.0": {Value: 1, Share: true},
	} {
		got, err := report.ParseFailures(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}

	for _, text := range []string{"", "x", "-1", "1.5", "101%", "NaN", "-0.1", "%"} {
		_, err := report.ParseFailures(text)
		require.Error(t, err, text)
	}
}

// sampleReport is a report that keeps all thresholds.
func sampleReport(t *testing.T) *report.Report {
	t.Helper()
	step := func(rate float64) report.Step {
		n := int64(rate * 10)

		return report.Step{
			AskedRate:    rate,
			ReachedRate:  rate,
			AnsweredRate: rate,
			Seconds:      10,
			Requests:     n,
			Events:       n,
			Verdicts:     map[string]int64{"stored": n},
			Statuses:     map[string]int64{"201": n},
			Errors:       map[string]int64{},
			BytesOut:     4 << 20,
			BytesIn:      2048,
			Scheduled:    report.SummarizeLatency(uniformHistogram(t, 100)),
			Sent:         report.SummarizeLatency(uniformHistogram(t, 50)),
		}
	}

	return &report.Report{
		StartedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		URL:       "http://127.0.0.1:8080",
		Kind:      "sessions",
		Seed:      1,
		Batch:     1,
		Encoding:  "json",
		Steps:     []report.Step{step(100), step(500)},
		Timeline: []report.Second{
			{At: 1, Length: 1, Asked: 100, Reached: 99, OK: 99, P50: 1.5, P99: 12, Max: 80},
			{At: 2, Length: 1, Asked: 500, Reached: 501, OK: 400, P50: 0.7, P99: 9, Max: 1200},
			{At: 3, Length: 1, Asked: 500, InFlight: 7},
		},
		Reconciliation: reconcile.Result{Outcome: reconcile.Consistent, Acknowledged: 6000, Found: 6000, Tables: true},
	}
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	limits := report.Limits{MaxP99: 99 * time.Millisecond * 2, MinRate: 0.97}
	for name, c := range map[string]struct {
		change func(r *report.Report, l *report.Limits)
		broken string
	}{
		"all is well": {func(*report.Report, *report.Limits) {}, ""},
		"one failed":  {func(r *report.Report, _ *report.Limits) { r.Steps[1].Failed = 1 }, "failed"},
		"one may fail": {func(r *report.Report, l *report.Limits) {
			r.Steps[1].Failed = 1
			l.MaxFailures.Value = 1
		}, ""},
		"a share may fail": {func(r *report.Report, l *report.Limits) {
			r.Steps[0].Failed = 10
			l.MaxFailures = report.Failures{Value: 0.01, Share: true}
		}, ""},
		"more than a share failed": {func(r *report.Report, l *report.Limits) {
			r.Steps[0].Failed = 11
			l.MaxFailures = report.Failures{Value: 0.01, Share: true}
		}, "failed"},
		"too slow": {func(r *report.Report, _ *report.Limits) { r.Steps[0].Scheduled.P99 = 199 }, "p99"},
		"slow, without a limit": {func(r *report.Report, l *report.Limits) {
			r.Steps[0].Scheduled.P99 = 199
			l.MaxP99 = 0
		}, ""},
		"slow to send alone":  {func(r *report.Report, _ *report.Limits) { r.Steps[0].Sent.P99 = 199 }, ""},
		"rate not reached":    {func(r *report.Report, _ *report.Limits) { r.Steps[1].ReachedRate = 480 }, "rate"},
		"rate almost reached": {func(r *report.Report, _ *report.Limits) { r.Steps[1].ReachedRate = 486 }, ""},
		"inconsistent":        {func(r *report.Report, _ *report.Limits) { r.Reconciliation.Outcome = reconcile.Inconsistent }, "reconciliation"},
		"unreadable":          {func(r *report.Report, _ *report.Limits) { r.Reconciliation.Outcome = reconcile.Unreadable }, "reconciliation"},
		"not reconciled":      {func(r *report.Report, _ *report.Limits) { r.Reconciliation.Outcome = reconcile.Skipped }, ""},
		"a search goes too far": {func(r *report.Report, _ *report.Limits) {
			r.Steps[1].Failed = 9
			r.Search = &report.Search{Rate: 100}
		}, ""},
		"a search that found none": {func(r *report.Report, _ *report.Limits) { r.Search = &report.Search{} }, "a rate was found"},
		"a search, and a loss": {func(r *report.Report, _ *report.Limits) {
			r.Search = &report.Search{Rate: 1}
			r.Reconciliation.Outcome = reconcile.Inconsistent
		}, "reconciliation"},
	} {
		r := sampleReport(t)
		l := limits
		c.change(r, &l)
		report.CheckThresholds(r, l)
		require.Equal(t, c.broken == "", r.Passed, "%s: %+v", name, r.Thresholds)
		if c.broken == "" {
			require.NoError(t, r.Err(), name)
			continue
		}

		require.ErrorIs(t, r.Err(), report.ErrThreshold, name)
		require.ErrorContains(t, r.Err(), c.broken, name)
		for _, threshold := range r.Thresholds {
			require.Equal(t, !strings.Contains(threshold.Name, c.broken), threshold.Passed, "%s: %+v", name, threshold)
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	t.Parallel()
	r := sampleReport(t)
	report.CheckThresholds(r, report.Limits{MinRate: 0.97})
	var b bytes.Buffer
	require.NoError(t, report.WriteJSON(&b, r))
	var back report.Report
	decoder := json.NewDecoder(&b)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&back))
	require.Equal(t, r, &back)
}

func TestTextSaysAll(t *testing.T) {
	t.Parallel()
	r := sampleReport(t)
	r.Steps[1].Failed = 3
	r.Steps[1].Errors["connection reset"] = 3
	r.Retry = &report.Retry{Events: 3, Stored: 2, Duplicates: 1}
	r.Reconciliation.Outcome = reconcile.Inconsistent
	r.Reconciliation.Differences = 25
	r.Reconciliation.List = []string{"lost: one"}
	r.Search = &report.Search{MaxP99: 50, Rate: 200, Tries: []report.Try{{Rate: 400, P99: 70, Why: "p99 70ms"}}}
	report.CheckThresholds(r, report.Limits{})
	var b bytes.Buffer
	require.NoError(t, report.WriteText(&b, r))
	for _, part := range []string{
		"500 requests/s", "5000 in 10.0 s, 3 failed", "5000 201", "3 connection reset", "4 MiB out, 2 KiB in", "p99.9 100ms", "2 stored, 1 duplicates",
		"inconsistent: 25 differences", "lost: one", "and 24 more", "FAILED  reconciliation", "passed  a rate was found", "highest that passed: 200",
	} {
		require.Contains(t, b.String(), part)
	}
}

func TestThePageHoldsAllAndNeedsNothing(t *testing.T) {
	t.Parallel()
	r := sampleReport(t)
	r.Reconciliation.Outcome = reconcile.Inconsistent
	r.Reconciliation.Differences = 21
	r.Reconciliation.List = []string{`lost: <script>alert("x")</script>`}
	r.Search = &report.Search{MaxP99: 50, Rate: 200, Tries: []report.Try{{Rate: 400, P99: 70, Why: "p99 70ms"}}}
	report.CheckThresholds(r, report.Limits{})
	var b bytes.Buffer
	require.NoError(t, report.WriteHTML(&b, r))
	page := b.String()
	for _, part := range []string{
		"<!DOCTYPE html>", "prefers-color-scheme: dark", "http://127.0.0.1:8080", "failed</span>", "5000 201", "5000 stored", "And 20 more",
		"&lt;script&gt;", "99%", "requests/s", "p99 12ms", "400", "200 requests/s",
	} {
		require.Contains(t, page, part)
	}

	require.Equal(t, 3, strings.Count(page, "<svg"))
	require.Equal(t, 4+2+2, strings.Count(page, `<path class="line`), "rate, p50, p99 and max, and a line for each step, twice")
	require.NotContains(t, page, "<script")
	require.NotRegexp(t, `(?i)(src|href)=`, page, "nothing is fetched")
	require.NotRegexp(t, `url\(|@import`, page)
	require.NotContains(t, page, "NaN")
	require.NotContains(t, page, "Inf")
	require.NotContains(t, page, "ZgotmplZ", "no value was taken for dangerous")
	for _, place := range regexp.MustCompile(`c[xy]="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		require.Regexp(t, `^\d{1,3}\.\d$`, place[1], "every point lies in the drawing")
	}
}

func TestAnEmptyReportIsRenderedToo(t *testing.T) {
	t.Parallel()
	r := &report.Report{Steps: []report.Step{{AskedRate: 1}}, Reconciliation: reconcile.Result{Outcome: reconcile.Skipped}}
	report.CheckThresholds(r, report.Limits{})
	var b bytes.Buffer
	require.NoError(t, report.WriteText(&b, r))
	require.NoError(t, report.WriteHTML(&b, r))
	require.NotContains(t, b.String(), "NaN")
	require.NotContains(t, b.String(), "Inf")
}

func TestMillis(t *testing.T) {
	t.Parallel()
	for ms, want := range map[float64]string{0: "0ms", 0.0123: "12.3µs", 1: "1ms", 12.345: "12.3ms", 999: "999ms", 1234: "1.23s"} {
		require.Equal(t, want, report.FormatMillis(ms))
	}
}
