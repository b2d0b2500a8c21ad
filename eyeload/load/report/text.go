package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// WriteText writes the report for a terminal.
func WriteText(w io.Writer, r *Report) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %s  traffic %s (seed %d)  %d events a request as %s\n",
		r.StartedAt.UTC().Format(time.RFC3339), r.URL, r.Kind, r.Seed, r.Batch, r.Encoding)
	if r.Stopped {
		b.WriteString("The sending was stopped early.\n")
	}

	for i := range r.Steps {
		writeStep(&b, &r.Steps[i])
	}

	if s := r.Search; s != nil {
		writeSearch(&b, s)
	}

	if t := r.Retry; t != nil {
		fmt.Fprintf(&b, "\nSent again: %d unanswered events; %d stored, %d duplicates, %d refused, %d still unanswered\n",
			t.Events, t.Stored, t.Duplicates, t.Refused, t.Unanswered)
	}

	writeReconciliation(&b, &r.Reconciliation)
	b.WriteString("\nThresholds\n")
	for _, t := range r.Thresholds {
		fmt.Fprintf(&b, "  %s  %s: %s\n", formatPassed(t.Passed), t.Name, t.Detail)
	}

	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report as text: %w", err)
	}

	return nil
}

func formatPassed(passed bool) string {
	if passed {
		return "passed"
	}

	return "FAILED"
}

func writeStep(b *bytes.Buffer, s *Step) {
	fmt.Fprintf(b, "\nAsked for %.6g requests/s\n", s.AskedRate)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := func(name, format string, arguments ...any) {
		fmt.Fprintf(table, "  %s\t"+format+"\n", append([]any{name}, arguments...)...) //nolint:errcheck // a buffer
	}

	row("requests", "%d in %.1f s, %d failed, %d not sent", s.Requests, s.Seconds, s.Failed, s.Unsent)
	row("rate", "%.6g/s sent, %.6g/s succeeded", s.ReachedRate, s.AnsweredRate)
	row("events", "%d: %s", s.Events, formatCounts(s.Verdicts))
	row("statuses", "%s", formatCounts(s.Statuses))
	if len(s.Errors) > 0 {
		row("errors", "%s", formatCounts(s.Errors))
	}

	row("bytes", "%s out, %s in", formatSize(s.BytesOut), formatSize(s.BytesIn))
	_ = table.Flush() // a buffer
	for _, l := range []struct {
		name string
		Latency
	}{{"latency from the scheduled send", s.Scheduled}, {"latency from the actual send", s.Sent}} {
		fmt.Fprintf(b, "  %s\n    min %s  mean %s  p50 %s  p90 %s  p95 %s  p99 %s  p99.9 %s  max %s\n", l.name,
			FormatMillis(l.Min), FormatMillis(l.Mean), FormatMillis(l.P50), FormatMillis(l.P90), FormatMillis(l.P95), FormatMillis(l.P99), FormatMillis(l.P999), FormatMillis(l.Max))
	}
}

func writeSearch(b *bytes.Buffer, s *Search) {
	fmt.Fprintf(b, "\nSearch for the highest rate without a failure and with a p99 of at most %s\n", FormatMillis(s.MaxP99))
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, t := range s.Tries {
		fmt.Fprintf(table, "  %.0f/s\treached %.0f/s\tp99 %s\t%d failed\t%s\t%s\n", t.Rate, t.Reached, FormatMillis(t.P99), t.Failed, formatPassed(t.Passed), t.Why) //nolint:errcheck // a buffer
	}

	_ = table.Flush() // a buffer
	fmt.Fprintf(b, "  The highest that passed: %.0f requests/s\n", s.Rate)
}

func writeReconciliation(b *bytes.Buffer, r *reconcile.Result) {
	fmt.Fprintf(b, "\nReconciliation: %s\n", describeReconciliation(r))
	for _, line := range r.List {
		fmt.Fprintf(b, "  %s\n", line)
	}

	if more := r.Differences - int64(len(r.List)); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

// formatCounts lists the counts, the largest first.
func formatCounts(of map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(of), func(x, y string) int {
		return cmp.Or(cmp.Compare(of[y], of[x]), strings.Compare(x, y))
	})

	parts := make([]string, 0, len(names))
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %s", of[name], name))
	}

	if len(parts) == 0 {
		return "none"
	}

	return strings.Join(parts, ", ")
}

func formatSize(bytes int64) string {
	const step = 1024

	value := float64(bytes)
	unit := "B"
	for _, next := range []string{"KiB", "MiB", "GiB"} {
		if value < step {
			break
		}

		value /= step
		unit = next
	}

	return fmt.Sprintf("%.4g %s", value, unit)
}
