package limits

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// The figures that have a goal.
const (
	ratioSingle    = "single events, 256 clients: ratio to Gin that stores nothing"
	ratioToCopy    = ": ratio to the best bare COPY"
	ratioHotSingle = "hot session, single events: ratio to spread sessions"
	ratioHotBatch  = "hot session, batches of 100: ratio to spread sessions"
	residentAt5000 = "resident memory after 5,000 requests/s: MiB"
	idleCPU        = "idle: % of a core, service and Postgres"
)

// Goal is the value that a figure has to reach.
type Goal struct {
	// Bound is the value. With Below, the figure has to stay under it.
	Bound float64 `json:"bound"`
	Below bool    `json:"below"`
}

// isReachedBy reports whether a value reaches the goal.
func (g Goal) isReachedBy(value float64) bool {
	if g.Below {
		return value < g.Bound
	}

	return value >= g.Bound
}

func figureGoals() map[string]Goal {
	return map[string]Goal{
		ratioSingle: {Bound: 0.5},
		"batches of 100, 16 clients" + ratioToCopy:                   {Bound: 0.65},
		"batches of 100, 64 clients" + ratioToCopy:                   {Bound: 0.65},
		"timeline of a typical session: p99 ms":                      {Bound: 2, Below: true},
		"common category in a day: p99 ms":                           {Bound: 5, Below: true},
		"common category in a day, next page: p99 ms":                {Bound: 5, Below: true},
		"counts of a day by hour, common category: p50 ms":           {Bound: 20, Below: true},
		"counts of a day by hour, all: p50 ms":                       {Bound: 20, Below: true},
		"single events, metrics, 1 % of traces" + ratioToUnmeasured:  {Bound: 0.9},
		"batches of 100, metrics, 1 % of traces" + ratioToUnmeasured: {Bound: 0.9},
		ratioHotSingle:            {Bound: 0.9},
		ratioHotBatch:             {Bound: 0.9},
		"100 requests/s: p99 ms":  {Bound: 3, Below: true},
		"1000 requests/s: p99 ms": {Bound: 3, Below: true},
		"5000 requests/s: p99 ms": {Bound: 4, Below: true},
		residentAt5000:            {Bound: 64, Below: true},
		idleCPU:                   {Bound: 0.2, Below: true},
	}
}

// Figure holds the values of one quantity, one for each round.
type Figure struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Goal   *Goal     `json:"goal,omitempty"`
	// Reached says whether the median reaches the goal, if there is one.
	Reached *bool `json:"reached,omitempty"`
}

// Report holds the figures in the order in which they were first measured.
type Report struct {
	Figures []*Figure `json:"figures"`
}

func (r *Report) addFigure(name string, value float64) {
	at := slices.IndexFunc(r.Figures, func(f *Figure) bool { return f.Name == name })
	if at < 0 {
		at = len(r.Figures)
		r.Figures = append(r.Figures, &Figure{Name: name})
	}

	f := r.Figures[at]
	f.Values = append(f.Values, value)
	f.Median = median(f.Values)
	if goal, found := figureGoals()[name]; found {
		reached := goal.isReachedBy(f.Median)
		f.Goal = &goal
		f.Reached = &reached
	}
}

// MissedGoals returns the names of the figures that miss their goals.
func (r *Report) MissedGoals() (names []string) {
	for _, f := range r.Figures {
		if f.Reached != nil && !*f.Reached {
			names = append(names, f.Name)
		}
	}

	return names
}

// WriteText writes a table in Markdown.
func (r *Report) WriteText(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 1, ' ', 0)
	line := func(cells ...string) { fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| ")) } //nolint:errcheck // Flush reports a failed write
	line("what", "median", "lowest", "highest", "goal", "")
	line("---", "---", "---", "---", "---", "---")
	for _, f := range r.Figures {
		goal, verdict := "", ""
		if f.Goal != nil {
			goal = "≥ " + formatNumber(f.Goal.Bound)
			verdict = "missed"
			if f.Goal.Below {
				goal = "< " + formatNumber(f.Goal.Bound)
			}

			if *f.Reached {
				verdict = "reached"
			}
		}

		line(f.Name, formatNumber(f.Median), formatNumber(slices.Min(f.Values)), formatNumber(slices.Max(f.Values)), goal, verdict)
	}

	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

// WriteJSON writes the figures of every round.
func (r *Report) WriteJSON(to io.Writer) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

// formatNumber formats a figure with three significant digits, and integers from 100 on.
func formatNumber(value float64) string {
	const integers = 100

	if value >= integers {
		return groupThousands(strconv.FormatFloat(value, 'f', 0, 64))
	}

	text := strconv.FormatFloat(value, 'g', 3, 64)

	return strings.TrimSuffix(text, ".0")
}

// groupThousands separates thousands by commas.
func groupThousands(digits string) string {
	const group = 3

	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%group == 0 {
			b.WriteByte(',')
		}

		b.WriteRune(digit)
	}

	return b.String()
}
