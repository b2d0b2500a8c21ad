package limits

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what is measured, and with which programs.
type Options struct {
	// Service is the path of the theeye program.
	Service string
	// Baseline is the command line of a process that calls ServeBaseline on an address.
	Baseline func(address string) []string
	// Environ is the environment of the processes.
	Environ []string
	// Dir is the folder for the data of the private Postgres; empty stands for the system's
	// folder for temporary files.
	Dir string
	// Rounds is how often the loads are measured.
	Rounds int
	// For is how long each load lasts.
	For time.Duration
	// Events is the number of events in the database when queries are measured.
	Events int
	// LogFiles is the number of files of write-ahead log, of 16 MiB each, that are created
	// before anything is measured.
	LogFiles int
	// Only names the parts to measure, out of PartNames. Empty stands for all.
	Only []string
	// Profiles is the folder for a CPU profile of each load in the last round; empty takes no
	// profiles, as is right for measuring.
	Profiles string
	// Plans is the folder for the plans of the queries; empty writes none.
	Plans string
	// Progress gets a line for every step, and Errors the standard error of the processes.
	Progress io.Writer
	Errors   io.Writer
	Now      func() time.Time
}

// PartNames returns the parts that can be measured on their own.
func PartNames() []string {
	return []string{"idle", "latency", "copy", "single", "batch", "hot", "telemetry", "growth", "queries"}
}

// spreadSessions is the number of sessions of the spread loads.
const spreadSessions = 10_000

// validate returns an error for unusable options.
func (o *Options) validate() error {
	for _, name := range o.Only {
		if !slices.Contains(PartNames(), name) {
			return fmt.Errorf("%w: there is no part %q; there are: %s", ErrOptions, name, strings.Join(PartNames(), ", "))
		}
	}

	if o.Rounds < 0 || o.For <= 0 || o.Events <= 0 || o.LogFiles < 0 {
		return fmt.Errorf("%w: rounds, events and the length of a load have to be positive", ErrOptions)
	}

	return nil
}

// Run measures the selected parts: the use at rest first, then the loads round by round, then
// growth and queries once, because they take as long as all the rest. With an error it returns
// the figures measured until then.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	report = &Report{}
	if err := o.validate(); err != nil {
		return report, err
	}

	s, err := openTestbed(ctx, o)
	if err != nil {
		return report, err
	}

	defer func() { err = errors.Join(err, s.close()) }() //nolint:contextcheck // stops the processes even when ctx has ended

	p := &pass{testbed: s, report: report}
	if err := p.measureParts(ctx, map[string]func(context.Context) error{"idle": p.measureIdle}); err != nil {
		return report, err
	}

	for round := range o.Rounds {
		s.printProgress("round %d of %d", round+1, o.Rounds)
		p := &pass{testbed: s, report: report}
		if err := p.measureParts(ctx, map[string]func(context.Context) error{
			"latency":   p.measureLatency,
			"copy":      p.measureCopy,
			"single":    p.measureSingleEvents,
			"batch":     p.measureBatches,
			"hot":       p.measureHotSession,
			"telemetry": p.measureTelemetry,
		}); err != nil {
			return report, err
		}
	}

	p = &pass{testbed: s, report: report}

	return report, p.measureParts(ctx, map[string]func(context.Context) error{"growth": p.measureGrowth, "queries": p.measureQueries})
}

// ErrOptions says that the options cannot be used.
var ErrOptions = errors.New("the options cannot be used")

// pass is one service and its measurements.
type pass struct {
	*testbed

	report  *Report
	service *process
	// The rates that the ratios refer to.
	bestCopy, singleRate, batchRate float64
}

// measureParts starts a service and measures the selected parts.
func (r *pass) measureParts(ctx context.Context, parts map[string]func(context.Context) error) (err error) {
	var wanted []string
	for _, name := range PartNames() {
		if parts[name] != nil && (len(r.options.Only) == 0 || slices.Contains(r.options.Only, name)) {
			wanted = append(wanted, name)
		}
	}

	if len(wanted) == 0 {
		return nil
	}

	if r.service, err = r.startService(ctx); err != nil {
		return err
	}

	defer func() { err = errors.Join(err, r.service.stop()) }()

	// The figures leave out the costs of the first requests: connections, prepared
	// statements, plans.
	warmUp := Closed{Workload: Workload{Batch: 1, Sessions: spreadSessions}, Clients: openClients, For: time.Second}
	if _, err := warmUp.Run(ctx, r.service.Target, r.options.Now); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}

	for _, name := range wanted {
		if err := parts[name](ctx); err != nil {
			return fmt.Errorf("measure %s: %w", name, err)
		}
	}

	return nil
}

func (r *pass) recordFigure(figure string, value float64) {
	r.report.addFigure(figure, value)
	r.printProgress("  %-64s %s", figure, formatNumber(value))
}
