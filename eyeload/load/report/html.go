package report

import (
	"bytes"
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.tmpl
var pageText string

// WriteHTML writes the report as one self-contained page.
func WriteHTML(w io.Writer, r *Report) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"ms": FormatMillis, "counts": formatCounts, "size": formatSize, "mark": formatPassed,
		"time": func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"rate": func(v float64) string { return fmt.Sprintf("%.6g", v) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}

	var b bytes.Buffer
	err = page.Execute(&b, struct {
		*Report
		Reconciled                string
		More                      int64
		OverTime, Scheduled, Sent chart
	}{
		Report:     r,
		Reconciled: describeReconciliation(&r.Reconciliation),
		More:       r.Reconciliation.Differences - int64(len(r.Reconciliation.List)),
		OverTime:   chartOverTime(r.Timeline),
		Scheduled:  chartDistribution(r.Steps, func(s *Step) *Latency { return &s.Scheduled }),
		Sent:       chartDistribution(r.Steps, func(s *Step) *Latency { return &s.Sent }),
	})
	if err != nil {
		return fmt.Errorf("fill the page: %w", err)
	}

	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report as HTML: %w", err)
	}

	return nil
}
