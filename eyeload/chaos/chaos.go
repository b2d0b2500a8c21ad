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

// ErrBroken tells that the promise was broken, or could not be shown to be kept.
var ErrBroken = errors.New("the promise does not hold")

// sessions is how many sessions are written to at once.
const sessions = 300

// run is a run while it runs.
type run struct {
	*site
	book   *book
	report *Report
}

// Run inflicts fault after fault, first on one server and then on a pair of them, and
// writes the report to Options.Dir. Report.Err says whether the promise held; an error
// means that there is nothing to report on. When ctx ends, the run stops after the cycle
// that is going on.
func Run(ctx context.Context, o Options, d Deps) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("make the folder of the reports: %w", err)
	}
	stop := ctx.Done()
	ctx = context.WithoutCancel(ctx)
	o.Environ = slices.Concat(o.Environ, retentionOn(), everythingKept())
	started := d.Now()
	report := &Report{StartedAt: started.UTC(), Seed: o.Seed, Rate: o.Rate, WideRate: o.WideRate, Skipped: leftOut()}
	var err error
	for _, part := range parts(&o) {
		if err = part.run(ctx, stop, d, report); err != nil || report.Stopped {
			break
		}
	}
	report.Seconds = d.Now().Sub(started).Seconds()
	if err == nil && len(report.Cycles) == 0 && !report.Stopped {
		err = fmt.Errorf("%w: none of the faults can be inflicted here", ErrOptions)
	}
	return report, errors.Join(err, report.write(o.Dir))
}

// everythingKept has the services keep every refused event, so that each can be looked
// for.
func everythingKept() []string {
	return []string{"THEEYE_ERRORS_KEPT_PER_HOUR=10000000", "THEEYE_ERRORS_KEPT_BYTES_PER_HOUR=1GiB"}
}

// part is the part of a run that one site takes.
type part struct {
	options Options
	name    string
	faults  []fault
	paired  bool
}

// parts shares the cycles out among the sites, by how many faults are inflicted on each.
func parts(o *Options) []part {
	one := part{options: *o, name: "one server", faults: asked(catalogue(), o.Only)}
	two := part{options: *o, name: "a pair", faults: asked(pairFaults(), o.Only), paired: true}
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

// run inflicts the faults of a part and looks at everything at its end.
func (p *part) run(ctx context.Context, stop <-chan struct{}, d Deps, report *Report) error {
	s, err := openSite(ctx, p.options, d, p.paired, "a", "b")
	if err != nil {
		return err
	}
	if !p.paired {
		s.mountDisk(ctx)
	}
	r := &run{site: s, report: report}
	source, err := traffic.NewSessions(traffic.NewRun(p.options.Seed, d.Now()), sessions)
	if err != nil {
		return errors.Join(err, s.close()) //nolint:contextcheck // it stops what runs even when ctx has ended
	}
	r.book = newBook(content{source})
	targets := make([]string, len(s.instances))
	for i, instance := range s.instances {
		targets[i] = instance.url()
	}
	s.load = newLoad(newCourier(r.book, targets, s.keys, d.Now), p.options.Rate, p.options.WideRate, p.options.Seed)
	err = r.cycles(ctx, stop, p.faults)
	if err == nil {
		r.whole(ctx, p.name)
	}
	s.load.client.CloseIdleConnections()
	if closed := s.close(); closed != nil { //nolint:contextcheck // as above
		report.Breaches = append(report.Breaches, closed.Error())
	}
	return err
}

// cycles runs them all. An error says that a fault could not be inflicted or healed.
func (r *run) cycles(ctx context.Context, stop <-chan struct{}, faults []fault) error {
	deck := newDeck(r.site, faults, r.report.Skipped)
	if len(deck.all) == 0 {
		return nil
	}
	if err := r.versions(ctx); err != nil {
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
		f := deck.deal()
		c.Wide = f.wide || deck.alternate(number)
		err := r.cycle(ctx, f, &c)
		r.report.Cycles = append(r.report.Cycles, c)
		r.say("%3d  %-36s after onset %7s, after its end %7s; %6d acknowledged, %4d refused, %5d unknown; %s, %d lost, %d doubled, %d gaps%s",
			c.Number, c.title(), millis(c.OnsetMillis), millis(c.BackMillis), c.Acknowledged, c.Refused, c.Unknown,
			c.Reconciliation.Outcome, c.Reconciliation.Lost, c.Reconciliation.Duplicated, c.Reconciliation.Gaps, breaches(c.Breaches))
		if err != nil {
			return err
		}
	}
	return nil
}

func breaches(all []string) string {
	var text strings.Builder
	for _, breach := range all {
		text.WriteString("\n         " + breach)
	}
	return text.String()
}

// versions notes what is put to the test.
func (r *run) versions(ctx context.Context) (err error) {
	if r.report.Service, err = r.theeye(ctx, "", "version"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, r.server.DSN(databaseName))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending on it
	if err := conn.QueryRow(ctx, "show server_version").Scan(&r.report.Postgres); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	return nil
}

// cycle sends, breaks, heals, waits, and looks.
func (r *run) cycle(ctx context.Context, f fault, c *Cycle) error {
	const calm, after = 800 * time.Millisecond, 700 * time.Millisecond
	c.Fault, c.OnsetMillis, c.BackMillis = f.name, -1, -1
	c.Reconciliation.Outcome = reconcile.Skipped
	if r.pair != nil {
		if err := r.ensureStandby(ctx); err != nil {
			return err
		}
	}
	r.book.begin()
	first := r.book.ledger.Next()
	r.load.start(ctx, c.Wide)
	stopped := false
	defer func() {
		if !stopped {
			r.load.stop()
		}
	}()
	pause(calm + time.Duration(r.random.Int64N(int64(calm))))
	set := r.Now()
	onset := r.book.watch(set)
	d, err := f.inflict(ctx, r.site)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	c.On = d.on
	pause(f.lasts(r.random))
	if err := d.heal(ctx); err != nil {
		return fmt.Errorf("undo %s: %w", f.name, err)
	}
	healed := r.Now()
	c.LastedMillis = healed.Sub(set).Milliseconds()
	r.comeBack(r.book.watch(healed), onset, c)
	pause(after)
	r.load.stop()
	stopped = true
	c.Swept, c.Unresolved = r.load.sweep(ctx)
	r.count(ctx, c)
	r.judge(ctx, first, c)
	return nil
}

// comeBack waits until there are acknowledgements again.
func (r *run) comeBack(back, onset *watch, c *Cycle) {
	const patience = 30 * time.Second
	select {
	case <-back.done:
	case <-time.After(patience):
		c.Breaches = append(c.Breaches, fmt.Sprintf("no acknowledgement within %s after the fault", patience))
	}
	for w, into := range map[*watch]*int64{onset: &c.OnsetMillis, back: &c.BackMillis} {
		if took, ok := r.book.waited(w); ok {
			*into = took.Milliseconds()
		}
	}
}

func pause(d time.Duration) { <-time.After(d) }

// count fills in what was counted.
func (r *run) count(ctx context.Context, c *Cycle) {
	t := r.book.counted()
	c.Acknowledged, c.Refused, c.Unknown = t.acknowledged, t.refused, t.unknown
	c.Copies, c.Conflicts, c.Unsent, c.Answers = t.copies, t.conflicts, t.unsent, t.answers
	c.Edits, c.Erased, c.Reads = t.edits, t.erased, t.reads
	c.SilenceMillis = t.silence.Milliseconds()
	c.Memory = map[string]int64{}
	for _, i := range r.instances {
		if !i.running() {
			c.Breaches = append(c.Breaches, "service "+i.name+" has ended by itself")
			continue
		}
		c.Memory[i.name] = i.resident()
	}
	conn, err := pgx.Connect(ctx, r.server.DSN(databaseName))
	if err != nil {
		c.Breaches = append(c.Breaches, "the database cannot be reached: "+err.Error())
		return
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending on it
	if err := conn.QueryRow(ctx, "select count(*) - 1 from pg_stat_activity where backend_type = 'client backend'").Scan(&c.Connections); err != nil {
		c.Breaches = append(c.Breaches, "the connections cannot be counted: "+err.Error())
	}
}

// judge holds what was told from an event on against the tables.
func (r *run) judge(ctx context.Context, first uint64, c *Cycle) {
	c.Reconciliation = r.reconcile(ctx, first)
	if c.Unresolved > 0 {
		c.Breaches = append(c.Breaches, fmt.Sprintf("%d events had no verdict, or changes no answer, however often they were sent", c.Unresolved))
	}
	if c.Acknowledged == 0 {
		c.Breaches = append(c.Breaches, "nothing was acknowledged at all")
	}
}

func (r *run) reconcile(ctx context.Context, first uint64) reconcile.Result {
	began := r.Now()
	conn, err := pgx.Connect(ctx, r.server.DSN(databaseName))
	if err != nil {
		return reconcile.Result{Outcome: reconcile.Unreadable, Reason: err.Error()}
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending on it
	claim := reconcile.Claim{
		Ledger: r.book.ledger, Source: r.book.source, From: first,
		Application: func(index uint64) int32 { return r.numbers[applicationOf(index)] },
	}
	result := reconcile.Tables(ctx, claim, conn)
	result.Seconds = r.Now().Sub(began).Seconds()
	return result
}

// whole has everything replayed that is left, and looks at everything once more.
func (r *run) whole(ctx context.Context, name string) {
	w := Whole{Name: name}
	// A replay that was killed keeps what it took for a minute, which nobody has to wait for.
	err := r.execute(ctx, "update rejection set leased_until = null where leased_until is not null")
	if err != nil || !r.load.replayDue(ctx) {
		r.report.Breaches = append(r.report.Breaches, name+": what was refused for now could not be replayed to the end")
	}
	w.Replayed = r.book.counted().replayed
	w.Tables = r.reconcile(ctx, 0)
	w.API = reconcile.Reconcile(ctx, r.book.ledger, r.book.source, reconcile.Store{
		URL: r.instances[0].url(), Key: r.keys.read, Client: &http.Client{Transport: r.load.client.Transport},
	})
	r.report.Wholes = append(r.report.Wholes, w)
	for _, i := range r.instances {
		r.report.Breaches = append(r.report.Breaches, i.complaints()...)
	}
}
