package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// OverloadOptions are the settings of a measurement of overload.
type OverloadOptions struct {
	// Service, Environ, Seed and Dir are those of Options.
	Service string
	Environ []string
	Seed    uint64
	Dir     string
	// Delay is added between the service and Postgres, in each direction.
	Delay time.Duration
	// Batch is the number of events in a request.
	Batch int
	// Clients is the number of busy clients that measure the capacity, and Capacity how long
	// they do.
	Clients  int
	Capacity time.Duration
	// Known is the capacity in events a second when it is known already; 0 measures it.
	Known float64
	// Times is the multiple of the capacity that is sent, and Overload how long.
	Times    float64
	Overload time.Duration
}

// Overload is the result: how a service behaves with more load than it can store.
type Overload struct {
	StartedAt time.Time     `json:"started_at"`
	Service   string        `json:"service"`
	Delay     time.Duration `json:"delay_ns"`
	Batch     int           `json:"batch"`
	// Capacity is the highest rate of stored events, and Offered the rate that was sent in
	// overload, both in events a second.
	Capacity float64 `json:"capacity"`
	Offered  float64 `json:"offered"`
	// Goodput is the rate of events with a verdict in overload, in events a second, and
	// GoodputShare its share of the capacity.
	Goodput      float64 `json:"goodput"`
	GoodputShare float64 `json:"kept"`
	Seconds      float64 `json:"seconds"`
	// Answers counts the requests by their result.
	Answers map[string]int64 `json:"answers"`
	// Unsent is the number of events that this program could not send in time.
	Unsent int64 `json:"unsent"`
	// Memory is the physical memory of the service in overload, in bytes, and Verdicts the
	// number of events with a verdict so far: one sample for each Step.
	Memory   []int64       `json:"memory_bytes"`
	Verdicts []int64       `json:"verdicts"`
	Step     time.Duration `json:"step_ns"`

	Reconciliation reconcile.Result `json:"reconciliation"`
}

// MeasureOverload measures the rate that a service can store with a slow database, and the rate
// that remains when more is sent.
func MeasureOverload(ctx context.Context, o OverloadOptions, d Deps) (*Overload, error) {
	if o.Batch < 1 || o.Clients < 1 || o.Times <= 0 || o.Capacity <= 0 || o.Overload <= 0 {
		return nil, fmt.Errorf("%w: batch, clients, times and both durations have to be above 0", ErrOptions)
	}

	if err := os.MkdirAll(o.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("make the folder of the reports: %w", err)
	}

	s, err := openTestbed(ctx, Options{Service: o.Service, Environ: o.Environ, Seed: o.Seed, Dir: o.Dir}, d, false, "a")
	if err != nil {
		return nil, err
	}

	started := d.Now()
	source, err := traffic.NewSessions(traffic.NewRun(o.Seed, started), sessions)
	if err != nil {
		return nil, errors.Join(err, s.close()) //nolint:contextcheck // stops the processes even when ctx has ended
	}

	m := &overload{
		testbed: s,
		options: o,
		oracle:  newOracle(content{source}),
		report:  &Overload{StartedAt: started.UTC(), Delay: o.Delay, Batch: o.Batch, Step: sampling},
	}

	m.generator = newLoadGenerator(newSender(m.oracle, []string{s.instances[0].url()}, s.keys, d.Now), 1, 1, o.Seed)
	err = m.measureOverload(ctx)
	m.generator.client.CloseIdleConnections()
	err = errors.Join(err, s.close()) //nolint:contextcheck // as above

	return m.report, errors.Join(err, m.report.writeReport(o.Dir))
}

// sampling is the time from one sample to the next.
const sampling = time.Second

// overload is the state of a measurement.
type overload struct {
	*testbed
	options OverloadOptions
	oracle  *oracle
	report  *Overload
}

func (m *overload) measureOverload(ctx context.Context) (err error) {
	if m.report.Service, err = m.runTheEye(ctx, "", "version"); err != nil {
		return err
	}

	m.proxies[0].delay.Store(int64(m.options.Delay))
	if m.report.Capacity = m.options.Known; m.report.Capacity <= 0 {
		m.findCapacity(ctx)
	}

	if m.report.Capacity <= 0 {
		return fmt.Errorf("%w: nothing was stored while the capacity was measured", ErrBroken)
	}

	sampleCtx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)

		m.sampleMemory(sampleCtx)
	}()

	m.sendAtRate(ctx, m.report.Capacity*m.options.Times, m.options.Overload)
	cancel()
	<-watched
	m.generator.inFlight.Wait()
	m.proxies[0].delay.Store(0)
	t := m.oracle.snapshotTally()
	m.report.Answers = t.answers
	m.report.Unsent = t.unsent
	m.report.GoodputShare = m.report.Goodput / m.report.Capacity
	r := run{testbed: m.testbed, oracle: m.oracle}
	m.report.Reconciliation = r.reconcileTables(ctx, 0)

	return ctx.Err()
}

// findCapacity starts with the rate that busy clients reach, and then sends more and more until
// the stored rate stops growing.
func (m *overload) findCapacity(ctx context.Context) {
	const more, enough, rounds = 1.5, 0.9, 8

	m.keepClientsBusy(ctx, m.options.Capacity) // warm up
	began := m.Now()
	before := m.oracle.snapshotTally().acknowledged
	m.keepClientsBusy(ctx, m.options.Capacity)
	best := float64(m.oracle.snapshotTally().acknowledged-before) / m.Now().Sub(began).Seconds()
	for range rounds {
		m.sendAtRate(ctx, best*more, m.options.Capacity)
		m.generator.inFlight.Wait()
		best = max(best, m.report.Goodput)
		if m.report.Goodput < enough*m.report.Offered {
			break
		}
	}

	m.report.Capacity = best
	m.printProgress("capacity: %.0f events/s", best)
}

// keepClientsBusy runs busy clients for a time.
func (m *overload) keepClientsBusy(ctx context.Context, length time.Duration) {
	const rest = 300 * time.Millisecond

	end := m.Now().Add(length)
	var clients sync.WaitGroup
	for range m.options.Clients {
		clients.Go(func() {
			for m.Now().Before(end) && ctx.Err() == nil {
				if !m.generator.sendUntilVerdict(ctx, m.newBatch(), 1) {
					<-time.After(rest) // as Retry-After asks
				}
			}
		})
	}

	clients.Wait()
}

// sendAtRate sends at a rate that does not depend on the answers, and records the rate of
// events with a verdict meanwhile.
func (m *overload) sendAtRate(ctx context.Context, rate float64, length time.Duration) {
	const step = 5 * time.Millisecond

	m.oracle.beginCycle()
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()

	ticker := time.NewTicker(step)
	defer ticker.Stop()

	began := m.Now()
	sent := 0.0
	for ctx.Err() == nil {
		for due := m.Now().Sub(began).Seconds() * rate; sent < due; sent += float64(m.options.Batch) {
			m.startRequest(context.WithoutCancel(ctx))
		}

		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}

	t := m.oracle.snapshotTally()
	lasted := m.Now().Sub(began).Seconds()
	m.report.Seconds = lasted
	m.report.Offered = sent / lasted
	m.report.Goodput = float64(t.acknowledged+t.rejected) / lasted
}

func (m *overload) startRequest(ctx context.Context) {
	select {
	case m.generator.slots <- struct{}{}:
	default:
		m.oracle.updateTally(func(t *tally) { t.unsent += int64(m.options.Batch) })
		return
	}

	m.generator.inFlight.Go(func() {
		defer func() { <-m.generator.slots }()

		m.generator.sendUntilVerdict(ctx, m.newBatch(), 1)
	})
}

// newBatch returns the events of one request, all of them new and of one application.
func (m *overload) newBatch() []uint64 {
	return m.oracle.recordSending(0, m.Now(), make([]time.Duration, m.options.Batch)...)
}

func (m *overload) sampleMemory(ctx context.Context) {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.report.Memory = append(m.report.Memory, m.instances[0].residentMemory())
			t := m.oracle.snapshotTally()
			m.report.Verdicts = append(m.report.Verdicts, t.acknowledged+t.rejected)
		}
	}
}

// Err returns an error if the result is worse than required.
func (o *Overload) Err() error {
	const least = 0.7

	switch {
	case o.GoodputShare < least:
		return fmt.Errorf("%w: %.0f %% of the capacity remain in overload, and at least %.0f %% are required", ErrBroken, 100*o.GoodputShare, 100*least)
	case isInconsistent(&o.Reconciliation):
		return fmt.Errorf("%w: the tables are %s: %s %v", ErrBroken, o.Reconciliation.Outcome, o.Reconciliation.Reason, o.Reconciliation.List)
	}

	return nil
}

// WriteText writes the report for people.
func (o *Overload) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%s  %s  Postgres +%s each way, batches of %d
capacity  %.0f events/s
offered   %.0f events/s for %.0f s, %d events not sent in time
goodput   %.0f events/s, %.0f %% of the capacity
answers   %v
%s`, o.StartedAt.UTC().Format(time.RFC3339), o.Service, o.Delay, o.Batch, o.Capacity, o.Offered, o.Seconds, o.Unsent, o.Goodput, 100*o.GoodputShare, o.Answers, o.formatFifths())
	if err == nil {
		_, err = fmt.Fprintf(w, "tables    %s: %d acknowledged, %d found, %d lost, %d doubled, %d gaps\n", o.Reconciliation.Outcome,
			o.Reconciliation.Acknowledged, o.Reconciliation.Found, o.Reconciliation.Lost, o.Reconciliation.Duplicated, o.Reconciliation.Gaps)
	}

	if err != nil {
		return fmt.Errorf("write the report as text: %w", err)
	}

	return nil
}

// formatFifths shows how goodput and memory changed over time.
func (o *Overload) formatFifths() string {
	const parts, mib = 5, 1 << 20

	n := len(o.Memory)
	if n <= parts {
		return ""
	}

	goodput := make([]string, parts)
	memory := make([]string, parts)
	for i := range parts {
		from, to := i*(n-1)/parts, (i+1)*(n-1)/parts
		goodput[i] = fmt.Sprintf("%.0f", float64(o.Verdicts[to]-o.Verdicts[from])/(o.Step*time.Duration(to-from)).Seconds())
		memory[i] = fmt.Sprintf("%.0f", float64(slices.Max(o.Memory[from:to+1]))/mib)
	}

	return fmt.Sprintf("fifths    %s events/s\nmemory    %s MiB, the highest of each fifth\n", strings.Join(goodput, " "), strings.Join(memory, " "))
}

func (o *Overload) writeReport(dir string) error {
	text, err := json.MarshalIndent(o, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overload.json"), append(text, '\n'), 0o644) //nolint:gosec // a public report
	}

	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}
