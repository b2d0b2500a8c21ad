//go:build browser

package browsertest_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// count counts the events of one fault, or of all.
type count struct {
	cycles int
	// tracked are the events that track took; written are those of them that were in the queue for
	// good.
	tracked, written int
	// stored and rejected are final states of written events; lost have none, doubled have two.
	stored, rejected, lost, doubled int
	// gone are the events that were in no queue when their page ended, and were not stored.
	gone int
	// verdicts is the number of calls of onVerdict.
	verdicts int
}

// judgement is the result of the kill test.
type judgement struct {
	byFault map[string]*count
	total   count
	faults  []string
	// requests is the number of requests at the front; again the number of events in them beyond
	// the first time each was sent.
	requests, again int
	drained         float64
	took            time.Duration
}

// judge compares what the driver knows with the tables.
func judge(saw journal, found outcomes, f *front) *judgement {
	j := &judgement{byFault: map[string]*count{}, drained: saw.Drained}
	for _, fault := range saw.Cycles {
		if j.byFault[fault] == nil {
			j.byFault[fault] = &count{}
		}

		j.byFault[fault].cycles++
		j.total.cycles++
	}

	for _, event := range saw.Events {
		j.judgeEvent(event, found, j.byFault[event.Fault])
	}

	// Every copy counts, also of an event whose page was killed before it could report it.
	for n, ids := range found.stored {
		if len(ids) > 1 {
			j.fail("the event %d was stored as %s", n, strings.Join(ids, " and "))
		}
	}

	sent := map[string]bool{}
	for _, request := range f.sent() {
		j.requests++
		for _, event := range request.Events {
			if sent[event.EventID] {
				j.again++
			}

			sent[event.EventID] = true
		}
	}

	for _, c := range j.byFault {
		j.total.add(*c)
	}

	return j
}

func (j *judgement) judgeEvent(event journalEntry, found outcomes, c *count) {
	if event.ID == "" {
		j.fail("the event %d (%s) was dropped", event.N, event.Fault)
		return
	}

	stored, rejected := found.stored[event.N], found.finalRejections(event)
	c.tracked++
	c.verdicts += len(event.Verdicts)
	switch {
	case len(stored)+len(rejected) > 1:
		c.doubled++
		j.fail("the event %d (%s) has the final states %v and %v", event.N, event.Fault, stored, rejected)
	case event.Written && len(stored)+len(rejected) == 0:
		c.lost++
		j.fail("the event %d (%s) was in the queue and is lost; verdicts: %v", event.N, event.Fault, event.Verdicts)
	case len(stored)+len(rejected) == 0:
		c.gone++
	case len(stored) > 0 && stored[0] != event.ID:
		j.fail("the event %d (%s) is %s and was stored as %s", event.N, event.Fault, event.ID, stored[0])
	case event.Valid != (len(stored) == 1):
		j.fail("the event %d (%s) was rejected: %v", event.N, event.Fault, rejected)
	}

	j.judgeVerdicts(event, len(stored) > 0)
	if !event.Written {
		return
	}

	c.written++
	c.stored += min(len(stored), 1)
	c.rejected += min(len(rejected), 1)
}

// judgeVerdicts checks that the SDK reported one verdict of an event, and the right one.
func (j *judgement) judgeVerdicts(event journalEntry, stored bool) {
	if len(event.Verdicts) > 1 {
		j.fail("the event %d (%s) has the verdicts %v", event.N, event.Fault, event.Verdicts)
	}

	for _, verdict := range event.Verdicts {
		if verdict != "stored" && verdict != "duplicate" && verdict != "rejected" || stored == (verdict == "rejected") {
			j.fail("the event %d (%s) has the wrong verdict %s", event.N, event.Fault, verdict)
		}
	}
}

func (j *judgement) fail(format string, arguments ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, arguments...))
}

func (c *count) add(other count) {
	c.tracked += other.tracked
	c.written += other.written
	c.stored += other.stored
	c.rejected += other.rejected
	c.lost += other.lost
	c.doubled += other.doubled
	c.gone += other.gone
	c.verdicts += other.verdicts
}

const tableHead = "fault\tcycles\ttracked\tin the queue\tstored\trejected\tlost\tdoubled\tgone\tverdicts\t\n"

// String returns the report.
func (j *judgement) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d cycles in %s; %d requests reached the service or its front, in which %d events were sent again; ",
		j.total.cycles, j.took.Round(time.Second), j.requests, j.again)
	fmt.Fprintf(&text, "at the end the queue was empty after %.1f s.\n\n", j.drained)

	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	io.WriteString(table, tableHead) //nolint:errcheck // into memory
	for _, fault := range slices.Sorted(maps.Keys(j.byFault)) {
		io.WriteString(table, j.byFault[fault].row(fault)) //nolint:errcheck // into memory
	}

	io.WriteString(table, j.total.row("all")) //nolint:errcheck // into memory
	table.Flush()                             //nolint:errcheck // into memory

	for _, fault := range j.faults {
		fmt.Fprintf(&text, "\nFAULT: %s", fault)
	}

	return text.String()
}

// row returns a row of the report's table.
func (c *count) row(fault string) string {
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
		fault, c.cycles, c.tracked, c.written, c.stored, c.rejected, c.lost, c.doubled, c.gone, c.verdicts)
}
