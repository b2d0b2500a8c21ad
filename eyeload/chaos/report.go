package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// Cycle is what one fault did.
type Cycle struct {
	Number int    `json:"number"`
	Fault  string `json:"fault"`
	// On says whom it hit.
	On string `json:"on,omitempty"`
	// Wide tells that events were sent in large batches.
	Wide bool `json:"wide"`
	// LastedMillis is how long the fault lasted, the healing of it included.
	LastedMillis int64 `json:"lasted_ms"`
	// OnsetMillis is how long after the fault set in, and BackMillis how long after it
	// was over, the first request that began from then on was acknowledged. -1 is never.
	OnsetMillis int64 `json:"first_ack_after_onset_ms"`
	BackMillis  int64 `json:"first_ack_after_end_ms"`
	// SilenceMillis is the longest time without any acknowledgement.
	SilenceMillis int64 `json:"longest_silence_ms"`

	Acknowledged int64 `json:"acknowledged"`
	Rejected     int64 `json:"refused"`
	// Unknown is how many events had no verdict when their sender gave up, and Swept how
	// many were sent again at the end. Unresolved had none even then.
	Unknown    int64 `json:"unknown"`
	Resent     int   `json:"swept"`
	Unresolved int   `json:"unresolved"`
	// Copies is how many events were sent again on purpose, and Conflicts how many with
	// another content.
	Copies    int64 `json:"copies"`
	Conflicts int64 `json:"conflicts"`
	Unsent    int64 `json:"unsent"`
	// Edits and Erased are how many changes of stored events were acknowledged, and Reads
	// how many lists were looked at right after an acknowledgement.
	Edits  int64 `json:"edits"`
	Erased int64 `json:"erased"`
	Reads  int64 `json:"reads"`
	// Answers counts the attempts by what came of them.
	Answers map[string]int64 `json:"answers"`
	// Memory is the physical memory of each service at the end, in bytes.
	Memory map[string]int64 `json:"memory_bytes"`
	// Connections is how many the database has at the end.
	Connections int `json:"connections"`

	Reconciliation reconcile.Result `json:"reconciliation"`
	// Breaches are what must not be, beside the differences.
	Breaches []string `json:"breaches,omitempty"`
}

// Report is what a run found.
type Report struct {
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"seconds"`
	Seed      uint64    `json:"seed"`
	Rate      int       `json:"rate"`
	WideRate  int       `json:"wide_rate"`
	Service   string    `json:"service"`
	Postgres  string    `json:"postgres"`
	// Skipped says of the faults that were not inflicted why.
	Skipped map[string]string `json:"skipped,omitempty"`
	Cycles  []Cycle           `json:"cycles"`
	// Totals are the reconciliations of everything, at the end of each part of the run.
	Totals []Total `json:"wholes"`
	// Breaches are those that belong to no cycle.
	Breaches []string `json:"breaches,omitempty"`
	// Stopped tells that the run did not come to its end.
	Stopped bool `json:"stopped,omitempty"`
}

// Total is the reconciliation of all that was sent to one database.
type Total struct {
	// Name says which: one server, or a pair.
	Name string `json:"name"`
	// Tables is what the promoted or only server has, and API the same read through a
	// service.
	Tables reconcile.Result `json:"tables"`
	API    reconcile.Result `json:"api"`
	// Replayed is how many refused events had to be stored by a replay.
	Replayed int64 `json:"replayed"`
}

// isInconsistent tells whether a reconciliation is anything but consistent.
func isInconsistent(r *reconcile.Result) bool { return r.Outcome != reconcile.Consistent }

// Err tells what was broken; nil is nothing.
func (r *Report) Err() error {
	var found []string
	for i := range r.Cycles {
		c := &r.Cycles[i]
		if len(c.Breaches) > 0 || isInconsistent(&c.Reconciliation) {
			found = append(found, fmt.Sprintf("cycle %d (%s)", c.Number, c.Fault))
		}
	}

	for i := range r.Totals {
		if w := &r.Totals[i]; isInconsistent(&w.Tables) || isInconsistent(&w.API) {
			found = append(found, "the whole of "+w.Name)
		}
	}

	if len(r.Breaches) > 0 || len(r.Totals) == 0 {
		found = append(found, "the whole")
	}

	if r.Stopped {
		found = append(found, "stopped before its end")
	}

	if len(found) == 0 {
		return nil
	}

	return fmt.Errorf("%w: %s", ErrBroken, strings.Join(found, ", "))
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  seed %d  %d events/s, wide %d  %s  Postgres %s  %.0f s\n\n",
		r.StartedAt.UTC().Format(time.RFC3339), r.Seed, r.Rate, r.WideRate, r.Service, r.Postgres, r.Seconds)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "#\tfault\tlasted\tack after onset\tafter end\tsilence\tacked\trefused\tunknown\tlost\tdoubled\tgaps\toutcome") //nolint:errcheck // a buffer
	var acked, refused, unknown, edits, erased, conflicts, reads int64
	for i := range r.Cycles {
		c := &r.Cycles[i]
		fmt.Fprintln(table, c.formatRow()) //nolint:errcheck // a buffer
		acked, refused, unknown = acked+c.Acknowledged, refused+c.Rejected, unknown+c.Unknown
		edits, erased, conflicts, reads = edits+c.Edits, erased+c.Erased, conflicts+c.Conflicts, reads+c.Reads
	}

	_ = table.Flush() // a buffer
	fmt.Fprintf(&b, "\n%d events acknowledged, %d refused, %d without a verdict at first\n", acked, refused, unknown)
	fmt.Fprintf(&b, "%d edits, %d erasures, %d conflicts; %d lists read right after an acknowledgement\n", edits, erased, conflicts, reads)
	for i := range r.Totals {
		r.Totals[i].writeText(&b)
	}

	for _, line := range r.listProblems() {
		fmt.Fprintln(&b, line)
	}

	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "Not inflicted: %s: %s\n", name, r.Skipped[name])
	}

	verdict := "Nothing was lost, doubled or left out.\n"
	if err := r.Err(); err != nil {
		verdict = "BROKEN: " + err.Error() + "\n"
	}

	b.WriteString("\n" + verdict)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report as text: %w", err)
	}

	return nil
}

func (w *Total) writeText(b *bytes.Buffer) {
	t := &w.Tables
	fmt.Fprintf(b, "The whole of %s, read by SQL: %s: %d acknowledged, %d stored by replays, %d found, %d lost, %d doubled, %d gaps, %d differences\n",
		w.Name, t.Outcome, t.Acknowledged, w.Replayed, t.Found, t.Lost, t.Duplicated, t.Gaps, t.Differences)
	fmt.Fprintf(b, "The whole of %s, read by the API: %s: %d found, %d differences\n", w.Name, w.API.Outcome, w.API.Found, w.API.Differences)
}

// faultTitle is the fault and the traffic that it met.
func (c *Cycle) faultTitle() string {
	if c.Wide {
		return c.Fault + ", wide"
	}

	return c.Fault
}

func (c *Cycle) formatRow() string {
	r := &c.Reconciliation
	outcome := string(r.Outcome)
	if len(c.Breaches) > 0 {
		outcome += fmt.Sprintf(", %d breaches", len(c.Breaches))
	}

	name := c.faultTitle()
	if c.On != "" {
		name += " (" + c.On + ")"
	}

	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s", c.Number, name,
		formatMillis(c.LastedMillis), formatMillis(c.OnsetMillis), formatMillis(c.BackMillis), formatMillis(c.SilenceMillis),
		c.Acknowledged, c.Rejected, c.Unknown, r.Lost, r.Duplicated, r.Gaps, outcome)
}

func formatMillis(n int64) string {
	if n < 0 {
		return "never"
	}

	return (time.Duration(n) * time.Millisecond).String()
}

// listProblems are the sentences on what is wrong.
func (r *Report) listProblems() (lines []string) {
	told := map[string]struct{}{} // the whole has every difference of a cycle again
	add := func(where string, found *reconcile.Result, breaches []string) {
		if found.Outcome == reconcile.Unreadable {
			lines = append(lines, where+": unreadable: "+found.Reason)
		}

		for _, line := range slices.Concat(found.List, breaches) {
			if _, known := told[line]; !known {
				told[line] = struct{}{}
				lines = append(lines, where+": "+line)
			}
		}
	}
	for i := range r.Cycles {
		c := &r.Cycles[i]
		add(fmt.Sprintf("cycle %d", c.Number), &c.Reconciliation, c.Breaches)
	}

	for i := range r.Totals {
		w := &r.Totals[i]
		add("the whole of "+w.Name, &w.Tables, nil)
		add("the API of "+w.Name, &w.API, nil)
	}

	for _, line := range r.Breaches {
		lines = append(lines, "the whole: "+line)
	}

	return lines
}

// writeFiles keeps the report in a folder.
func (r *Report) writeFiles(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	var table bytes.Buffer
	if err := r.WriteText(&table); err != nil {
		return err
	}

	for name, content := range map[string][]byte{"report.json": append(text, '\n'), "report.txt": table.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil { //nolint:gosec // it is for everybody
			return fmt.Errorf("write the report: %w", err)
		}
	}

	return nil
}
