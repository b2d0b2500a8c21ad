package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// ErrBroken says that the promise was broken, or could not be verified.
var ErrBroken = errors.New("the promise does not hold")

// sessions is the number of sessions that are written to at the same time.
const sessions = 300

// run is the state of a run.
type run struct {
	*testbed
	oracle *oracle
	report *Report
}

// Run injects fault after fault, first on one server and then on a primary with a standby, and
// writes the report to Options.Dir. Report.Err says whether the promise held; an error means
// that there is nothing to report. When ctx ends, the run stops after the current cycle.
func Run(ctx context.Context, o Options, d Deps) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}

	if err := os.MkdirAll(o.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("make the folder of the reports: %w", err)
	}

	stop := ctx.Done()
	ctx = context.WithoutCancel(ctx)
	o.Environ = slices.Concat(o.Environ, retentionSettings(), rejectionLimits())
	started := d.Now()
	report := &Report{
		StartedAt: started.UTC(),
		Seed:      o.Seed,
		Rate:      o.Rate,
		WideRate:  o.WideRate,
		Skipped:   omittedFaults(),
	}

	var err error
	for _, part := range splitParts(&o) {
		if err = part.runFaults(ctx, stop, d, report); err != nil || report.Stopped {
			break
		}
	}

	report.Seconds = d.Now().Sub(started).Seconds()
	if err == nil && len(report.Cycles) == 0 && !report.Stopped {
		err = fmt.Errorf("%w: none of the faults can be inflicted here", ErrOptions)
	}

	return report, errors.Join(err, report.writeFiles(o.Dir))
}

// rejectionLimits makes the services keep every rejection, so that each can be looked up.
func rejectionLimits() []string {
	return []string{"THEEYE_ERRORS_KEPT_PER_HOUR=10000000", "THEEYE_ERRORS_KEPT_BYTES_PER_HOUR=1GiB"}
}

// part is the part of a run that uses one testbed.
type part struct {
	options Options
	name    string
	faults  []fault
	paired  bool
}

// splitParts divides the cycles between the testbeds in proportion to their faults.
func splitParts(o *Options) []part {
	one := part{options: *o, name: "one server", faults: selectFaults(singleServerFaults(), o.Only)}
	two := part{options: *o, name: "a pair", faults: selectFaults(pairFaults(), o.Only), paired: true}
	switch {
	case len(two.faults) == 0:
		return []part{one}
	case len(one.faults) == 0:
		return []part{two}
	}

	all := len(one.faults) + len(two.faults)
	two.options.Cycles = o.Cycles * len(two.faults) / all
	if one.options.Cycles = o.Cycles - two.options.Cycles; two.options.Cycles == 0 {
		return []part{one}
	}

	return []part{one, two}
}

// runFaults injects the faults of a part, and reconciles everything at its end.
func (p *part) runFaults(ctx context.Context, stop <-chan struct{}, d Deps, report *Report) error {
	s, err := openTestbed(ctx, p.options, d, p.paired, "a", "b")
	if err != nil {
		return err
	}

	if !p.paired {
		s.mountSmallDisk(ctx)
	}

	r := &run{testbed: s, report: report}
	source, err := traffic.NewSessions(traffic.NewRun(p.options.Seed, d.Now()), sessions)
	if err != nil {
		return errors.Join(err, s.close()) //nolint:contextcheck // stops the processes even when ctx has ended
	}

	r.oracle = newOracle(content{source})
	targets := make([]string, len(s.instances))
	for i, instance := range s.instances {
		targets[i] = instance.url()
	}

	s.generator = newLoadGenerator(newSender(r.oracle, targets, s.keys, d.Now), p.options.Rate, p.options.WideRate, p.options.Seed)
	err = r.runCycles(ctx, stop, p.faults)
	if err == nil {
		r.reconcileEverything(ctx, p.name)
	}

	s.generator.client.CloseIdleConnections()
	if closed := s.close(); closed != nil { //nolint:contextcheck // as above
		report.Breaches = append(report.Breaches, closed.Error())
	}

	return err
}

// runCycles runs all cycles of a part. An error means that a fault could not be injected or
// reverted.
func (r *run) runCycles(ctx context.Context, stop <-chan struct{}, faults []fault) error {
	schedule := newFaultSchedule(r.testbed, faults, r.report.Skipped)
	if len(schedule.all) == 0 {
		return nil
	}

	if err := r.recordVersions(ctx); err != nil {
		return err
	}

	for number := range r.Cycles {
		select {
		case <-stop:
			r.report.Stopped = true
			return nil
		default:
		}

		c := Cycle{Number: len(r.report.Cycles) + 1}
		f := schedule.nextFault()
		c.Wide = f.wide || schedule.isWideCycle(number)
		err := r.runCycle(ctx, f, &c)

		r.report.Cycles = append(r.report.Cycles, c)
		r.printProgress("%3d  %-36s after onset %7s, after its end %7s; %6d acknowledged, %4d refused, %5d unknown; %s, %d lost, %d doubled, %d gaps%s",
			c.Number, c.faultTitle(), formatMillis(c.OnsetMillis), formatMillis(c.BackMillis), c.Acknowledged, c.Rejected, c.Unknown,
			c.Reconciliation.Outcome, c.Reconciliation.Lost, c.Reconciliation.Duplicated, c.Reconciliation.Gaps, formatBreaches(c.Breaches))
		if err != nil {
			return err
		}
	}

	return nil
}

func formatBreaches(all []string) string {
	var text strings.Builder
	for _, breach := range all {
		text.WriteString("\n         " + breach)
	}

	return text.String()
}

// recordVersions records the versions of the service and of Postgres.
func (r *run) recordVersions(ctx context.Context) (err error) {
	if r.report.Service, err = r.runTheEye(ctx, "", "version"); err != nil {
		return err
	}

	conn, err := pgx.Connect(ctx, r.server.DSN(databaseName))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending

	if err := conn.QueryRow(ctx, "show server_version").Scan(&r.report.Postgres); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}

	return nil
}

// runCycle runs one cycle: send events, inject the fault, revert it, wait for acknowledgements,
// resend and reconcile.
func (r *run) runCycle(ctx context.Context, f fault, c *Cycle) error {
	const calm, after = 800 * time.Millisecond, 700 * time.Millisecond

	c.Fault = f.name
	c.OnsetMillis = -1
	c.BackMillis = -1
	c.Reconciliation.Outcome = reconcile.Skipped

	if r.pair != nil {
		if err := r.ensureStandby(ctx); err != nil {
			return err
		}
	}

	r.oracle.beginCycle()
	first := r.oracle.journal.NextIndex()
	r.generator.start(ctx, c.Wide)

	stopped := false
	defer func() {
		if !stopped {
			r.generator.stop()
		}
	}()

	sleepFor(calm + time.Duration(r.random.Int64N(int64(calm))))

	set := r.Now()
	onset := r.oracle.watchForAck(set)
	d, err := f.inject(ctx, r.testbed)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}

	c.On = d.target
	sleepFor(f.drawDuration(r.random))
	if err := d.revert(ctx); err != nil {
		return fmt.Errorf("undo %s: %w", f.name, err)
	}

	healed := r.Now()
	c.LastedMillis = healed.Sub(set).Milliseconds()

	r.awaitRecovery(r.oracle.watchForAck(healed), onset, c)
	sleepFor(after)
	r.generator.stop()
	stopped = true

	c.Resent, c.Unresolved = r.generator.resendUnanswered(ctx)
	r.recordCounts(ctx, c)
	r.checkCycle(ctx, first, c)

	return nil
}

// awaitRecovery waits for the first acknowledgement after the fault.
func (r *run) awaitRecovery(back, onset *ackWatch, c *Cycle) {
	const patience = 30 * time.Second

	select {
	case <-back.done:
	case <-time.After(patience):
		c.Breaches = append(c.Breaches, fmt.Sprintf("no acknowledgement within %s after the fault", patience))
	}

	for w, into := range map[*ackWatch]*int64{onset: &c.OnsetMillis, back: &c.BackMillis} {
		if took, ok := r.oracle.ackDelay(w); ok {
			*into = took.Milliseconds()
		}
	}
}

func sleepFor(d time.Duration) { <-time.After(d) }

// recordCounts copies the counters of the cycle into its report.
func (r *run) recordCounts(ctx context.Context, c *Cycle) {
	t := r.oracle.snapshotTally()
	c.Acknowledged = t.acknowledged
	c.Rejected = t.rejected
	c.Unknown = t.unknown
	c.Copies = t.copies
	c.Conflicts = t.conflicts
	c.Unsent = t.unsent
	c.Answers = t.answers
	c.Edits = t.edits
	c.Erased = t.erased
	c.Reads = t.reads

	c.SilenceMillis = t.silence.Milliseconds()
	c.Memory = map[string]int64{}
	for _, i := range r.instances {
		if !i.isRunning() {
			c.Breaches = append(c.Breaches, "service "+i.name+" has ended unexpectedly")
			continue
		}

		c.Memory[i.name] = i.residentMemory()
	}

	conn, err := pgx.Connect(ctx, r.server.DSN(databaseName))
	if err != nil {
		c.Breaches = append(c.Breaches, "the database cannot be reached: "+err.Error())
		return
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending

	if err := conn.QueryRow(ctx, "select count(*) - 1 from pg_stat_activity where backend_type = 'client backend'").Scan(&c.Connections); err != nil {
		c.Breaches = append(c.Breaches, "the connections cannot be counted: "+err.Error())
	}
}

// checkCycle compares the answers on the events from first on with the tables.
func (r *run) checkCycle(ctx context.Context, first uint64, c *Cycle) {
	c.Reconciliation = r.reconcileTables(ctx, first)
	if c.Unresolved > 0 {
		c.Breaches = append(c.Breaches, fmt.Sprintf("%d events had no verdict, or changes no answer, however often they were sent", c.Unresolved))
	}

	if c.Acknowledged == 0 {
		c.Breaches = append(c.Breaches, "nothing was acknowledged at all")
	}
}

func (r *run) reconcileTables(ctx context.Context, first uint64) reconcile.Result {
	began := r.Now()
	conn, err := pgx.Connect(ctx, r.server.DSN(databaseName))
	if err != nil {
		return reconcile.Result{Outcome: reconcile.Unreadable, Reason: err.Error()}
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending

	expected := reconcile.Expectation{
		Journal:     r.oracle.journal,
		Source:      r.oracle.source,
		From:        first,
		Application: func(index uint64) int32 { return r.applicationIDs[applicationOf(index)] },
	}

	result := reconcile.CompareTables(ctx, expected, conn)
	result.Seconds = r.Now().Sub(began).Seconds()

	return result
}

// reconcileEverything replays the remaining dead letters, and reconciles all events of the
// testbed.
func (r *run) reconcileEverything(ctx context.Context, name string) {
	w := Total{Name: name}

	// A killed replay leaves its leases behind for a minute. End them, so that there is no wait.
	err := r.execStatement(ctx, "update rejection set leased_until = null where leased_until is not null")
	if err != nil || !r.generator.replayDue(ctx) {
		r.report.Breaches = append(r.report.Breaches, name+": the events dated ahead could not all be replayed")
	}

	w.Replayed = r.oracle.snapshotTally().replayed
	w.Tables = r.reconcileTables(ctx, 0)
	w.API = reconcile.CompareAPI(ctx, r.oracle.journal, r.oracle.source, reconcile.Store{
		URL:    r.instances[0].url(),
		Key:    r.keys.read,
		Client: &http.Client{Transport: r.generator.client.Transport},
	})

	r.report.Totals = append(r.report.Totals, w)
	for _, i := range r.instances {
		r.report.Breaches = append(r.report.Breaches, i.findLogErrors()...)
	}
}
