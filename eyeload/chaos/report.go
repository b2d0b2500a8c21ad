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

// Cycle is the result of one fault.
type Cycle struct {
	Number int    `json:"number"`
	Fault  string `json:"fault"`
	// On names the target of the fault.
	On string `json:"on,omitempty"`
	// Wide is true when events were sent in large batches.
	Wide bool `json:"wide"`
	// LastedMillis is how long the fault lasted, including the time to revert it.
	LastedMillis int64 `json:"lasted_ms"`
	// OnsetMillis is the time from the start of the fault, and BackMillis the time from its
	// end, until the first acknowledgement of a request that began after that. -1 means never.
	OnsetMillis int64 `json:"first_ack_after_onset_ms"`
	BackMillis  int64 `json:"first_ack_after_end_ms"`
	// SilenceMillis is the longest time without any acknowledgement.
	SilenceMillis int64 `json:"longest_silence_ms"`

	Acknowledged int64 `json:"acknowledged"`
	Rejected     int64 `json:"refused"`
	// Unknown is the number of events without a verdict when their sender gave up, and Resent
	// the number that was sent again at the end. Unresolved events had no verdict even then.
	Unknown    int64 `json:"unknown"`
	Resent     int   `json:"swept"`
	Unresolved int   `json:"unresolved"`
	// Copies is the number of events that were sent again on purpose, and Conflicts the
	// number of those with other content.
	Copies    int64 `json:"copies"`
	Conflicts int64 `json:"conflicts"`
	Unsent    int64 `json:"unsent"`
	// Edits and Erased are the numbers of acknowledged changes of stored events, and Reads the
	// number of lists that were checked right after an acknowledgement.
	Edits  int64 `json:"edits"`
	Erased int64 `json:"erased"`
	Reads  int64 `json:"reads"`
	// Answers counts the attempts by their result.
	Answers map[string]int64 `json:"answers"`
	// Memory is the physical memory of each service at the end, in bytes.
	Memory map[string]int64 `json:"memory_bytes"`
	// Connections is the number of connections to the database at the end.
	Connections int `json:"connections"`

	Reconciliation reconcile.Result `json:"reconciliation"`
	// Breaches are the failures that are not differences.
	Breaches []string `json:"breaches,omitempty"`
}

// Report is the result of a run.
type Report struct {
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"seconds"`
	Seed      uint64    `json:"seed"`
	Rate      int       `json:"rate"`
	WideRate  int       `json:"wide_rate"`
	Service   string    `json:"service"`
	Postgres  string    `json:"postgres"`
	// Skipped holds the reasons why faults were not injected.
	Skipped map[string]string `json:"skipped,omitempty"`
	Cycles  []Cycle           `json:"cycles"`
	// Totals are the reconciliations of all events, at the end of each part of the run.
	Totals []Total `json:"wholes"`
	// Breaches are the failures that belong to no cycle.
	Breaches []string `json:"breaches,omitempty"`
	// Stopped is true when the run was interrupted.
	Stopped bool `json:"stopped,omitempty"`
}

// Total is the reconciliation of all events that were sent to one database.
type Total struct {
	// Name says which database: one server, or a pair.
	Name string `json:"name"`
	// Tables compares with the tables of the only or promoted server, and API with the
	// events that a service returns.
	Tables reconcile.Result `json:"tables"`
	API    reconcile.Result `json:"api"`
	// Replayed is the number of rejected events that a replay had to store.
	Replayed int64 `json:"replayed"`
}

// isInconsistent reports whether a reconciliation is anything but consistent.
func isInconsistent(r *reconcile.Result) bool { return r.Outcome != reconcile.Consistent }

// Err returns an error that names the failures, or nil.
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
	var acked, rejected, unknown, edits, erased, conflicts, reads int64
	for i := range r.Cycles {
		c := &r.Cycles[i]
		fmt.Fprintln(table, c.formatRow()) //nolint:errcheck // a buffer
		acked += c.Acknowledged
		rejected += c.Rejected
		unknown += c.Unknown
		edits += c.Edits
		erased += c.Erased
		conflicts += c.Conflicts
		reads += c.Reads
	}

	_ = table.Flush() // a buffer
	fmt.Fprintf(&b, "\n%d events acknowledged, %d refused, %d without a verdict at first\n", acked, rejected, unknown)
	fmt.Fprintf(&b, "%d edits, %d erasures, %d conflicts; %d lists read right after an acknowledgement\n", edits, erased, conflicts, reads)
	for i := range r.Totals {
		r.Totals[i].writeText(&b)
	}

	for _, line := range r.listProblems() {
		fmt.Fprintln(&b, line)
	}

	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "Not injected: %s: %s\n", name, r.Skipped[name])
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

// faultTitle names the fault and the traffic.
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

// listProblems returns a line for each failure.
func (r *Report) listProblems() (lines []string) {
	seen := map[string]struct{}{} // a total repeats every difference of a cycle
	add := func(where string, found *reconcile.Result, breaches []string) {
		if found.Outcome == reconcile.Unreadable {
			lines = append(lines, where+": unreadable: "+found.Reason)
		}

		for _, line := range slices.Concat(found.List, breaches) {
			if _, known := seen[line]; !known {
				seen[line] = struct{}{}
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

// writeFiles writes the report into a folder.
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
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil { //nolint:gosec // a public report
			return fmt.Errorf("write the report: %w", err)
		}
	}

	return nil
}
