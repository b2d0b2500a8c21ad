package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// run is the state of a load test.
type run struct {
	Options
	Deps
	*eventSender
	source  *traffic.Source
	journal *reconcile.Journal
	started time.Time
	report  *report.Report
	// next is the index of the next event, and steps the number of finished steps.
	next  uint64
	steps int
}

// Run sends, measures, reconciles and checks the thresholds. The report says whether all
// thresholds were kept; an error means that there is nothing to report: ErrOptions,
// ErrUnreachable or ErrKeyRejected. When ctx ends, the reconciliation is unreadable.
func Run(ctx context.Context, o Options, d Deps) (*report.Report, error) {
	o.URL = strings.TrimRight(o.URL, "/")
	if err := o.validate(); err != nil {
		return nil, err
	}

	r := &run{Options: o, Deps: d, journal: reconcile.NewJournal(), started: d.Now()}
	r.report = &report.Report{
		StartedAt:      r.started.UTC(),
		URL:            o.URL,
		Kind:           o.Kind,
		Seed:           o.Seed,
		Batch:          o.Batch,
		Encoding:       o.encodingName(),
		KeepAlive:      o.KeepAlive,
		Reconciliation: reconcile.Result{Outcome: reconcile.Skipped},
	}

	var err error
	if r.source, err = o.newSource(r.started); err != nil {
		return nil, err
	}

	if r.eventSender, err = newEventSender(&o, r.source, r.journal, d.Now); err != nil {
		return nil, err
	}

	defer r.transport.CloseIdleConnections()

	if err := r.probeService(ctx); err != nil {
		return nil, err
	}

	r.runSteps(ctx)
	if r.Retry {
		r.report.Retry = r.resendUnanswered(ctx)
	}

	if r.Reconcile {
		r.report.Reconciliation = r.reconcileStore(ctx)
	}

	r.report.Seconds = r.Now().Sub(r.started).Seconds()
	report.CheckThresholds(r.report, r.Limits)

	return r.report, nil
}

// runSteps runs the steps, or the search, until Stop is closed.
func (r *run) runSteps(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	ended := make(chan struct{})
	defer func() { <-ended }()

	sent := make(chan struct{})
	defer close(sent)

	go func() {
		defer close(ended)

		select {
		case <-r.Stop:
			cancel()
		case <-sent:
		}
	}()
	if r.FindMax {
		r.searchMaxRate(ctx)
	} else {
		for _, rate := range r.Rates {
			if ctx.Err() == nil {
				r.addStep(r.runStep(ctx, rate, r.Duration))
			}
		}
	}

	r.report.Stopped = ctx.Err() != nil
}

func (r *run) addStep(s report.Step) {
	r.report.Steps = append(r.report.Steps, s)
	r.steps++
}

// journalHasRoom reports whether the journal has room for another step.
func (r *run) journalHasRoom(rate float64, length time.Duration) bool {
	events := (rate*length.Seconds() + 1) * float64(r.Batch)
	return reconcile.HasRoom(r.next + uint64(events))
}

func (r *run) reconcileStore(ctx context.Context) reconcile.Result {
	r.printProgress("reconciling with the store")
	begun := r.Now()
	store := reconcile.Store{URL: r.URL, Key: r.ReadKey, Client: r.newClient(r.transport, 0)}
	if r.DatabaseURL != "" {
		conn, err := pgx.Connect(ctx, r.DatabaseURL)
		if err != nil {
			return reconcile.Result{Outcome: reconcile.Unreadable, Reason: fmt.Sprintf("connect to the database: %v", err)}
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

		store.Database = conn
	}

	result := reconcile.CompareAPI(ctx, r.journal, r.source, store)
	result.Seconds = r.Now().Sub(begun).Seconds()

	return result
}
