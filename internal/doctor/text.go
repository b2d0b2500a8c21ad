package doctor

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText writes a report as text: the findings by area, the advice below each finding
// that is not ok, and the counts. It uses no colours.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Check))
	}

	area := ""
	for _, f := range r.Findings {
		if f.Area != area {
			if area != "" {
				b.WriteByte('\n')
			}

			area = f.Area
			b.WriteString(area + "\n")
		}

		fmt.Fprintf(&b, "  %-7s  %-*s  %s\n", f.Result, width, f.Check, f.Found)
		if f.Advice != "" {
			fmt.Fprintf(&b, "           -> %s\n", f.Advice)
		}
	}

	s := r.Summary
	fmt.Fprintf(&b, "\n%d ok, %s, %d failed, %d skipped\n", s.OK, formatCount(s.Warnings, "warning"), s.Failed, s.Skipped)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// RenderMarkdown renders the table of checks for the documentation.
func RenderMarkdown() string {
	var b strings.Builder
	b.WriteString("| check | passes when | what to do otherwise |\n| --- | --- | --- |\n")
	for _, c := range allChecks() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.name, c.examines, c.remedy)
	}

	return b.String()
}

// formatBytes renders a number of bytes.
func formatBytes(n int64) string {
	const kibi = 1024
	value := float64(n)
	unit := ""
	for _, unit = range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if value < kibi {
			break
		}

		if unit != "TiB" {
			value /= kibi
		}
	}

	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}

	return fmt.Sprintf("%.1f %s", value, unit)
}

// formatDuration renders a duration, rounded according to its size.
func formatDuration(d time.Duration) string {
	switch {
	case d >= time.Minute || d <= -time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second || d <= -time.Second:
		return d.Round(10 * time.Millisecond).String()
	}

	return d.Round(10 * time.Microsecond).String()
}

// formatCount renders a number of things.
func formatCount(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}

	return fmt.Sprintf("%d %ss", n, thing)
}

// joinNames joins the first names, and says how many more there are.
func joinNames(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}

	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
