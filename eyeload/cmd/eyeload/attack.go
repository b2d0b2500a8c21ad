package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/the-eye-events/the-eye/eyeload/load"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
)

// attack holds the arguments of the command beside the options of the run.
type attack struct {
	load.Options

	recording, authorities, failures string
	output, json, html               string
}

func newAttack() *cobra.Command {
	var a attack
	cmd := &cobra.Command{
		Use:   "attack",
		Short: "Send events at a rate, measure, and compare every acknowledged event with the store",
		Args:  cobra.NoArgs,
		Long: `Sends requests at a rate that does not wait for the service, reports rates and
latencies, and then compares every acknowledged event with the store.

The rate is in requests a second: with --batch 100, --rate 50 means 5,000 events a
second. Latencies count from the moment at which the request was due.`,
		Example: `  eyeload attack --rate 100,500,2000 --duration 60s --html report.html
  eyeload attack --rate 50 --batch 100 --ndjson --gzip --max-p99 200ms
  eyeload attack --find-max --max-p99 50ms`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runAttack(cmd) },
	}

	a.bindService(cmd.Flags())
	a.bindTraffic(cmd.Flags())
	a.bindReport(cmd.Flags())

	return cmd
}

func (a *attack) bindService(f *pflag.FlagSet) {
	const timeout, workers = 10 * time.Second, 4096

	f.StringVar(&a.URL, "url", "", "Attack the service at this `URL` ($THEEYE_URL)")
	f.StringVar(&a.IngestKey, "key", "", "Send with this `key` ($THEEYE_INGEST_KEY)")
	f.StringVar(&a.ReadKey, "read-key", "", "Read the store with this `key` ($THEEYE_READ_KEY)")
	f.StringVar(&a.DatabaseURL, "database-url", "", "Also check the run's sessions in the database at this `URL` ($THEEYE_DATABASE_URL)")
	f.StringVar(&a.authorities, "ca", "", "Verify HTTPS with the PEM certificates in this `file`")
	f.BoolVar(&a.KeepAlive, "keepalive", true, "Reuse connections")
	f.DurationVar(&a.Timeout, "timeout", timeout, "Give up on a request after this `time`, and on a step that is late by it")
	f.IntVar(&a.Connections, "connections", 0, "Use at most this `number` of connections; 0 means no limit")
	f.IntVar(&a.Workers, "workers", workers, "Have at most this `number` of requests in flight")
}

func (a *attack) bindTraffic(f *pflag.FlagSet) {
	const rate, duration, sessions, try = 100, 30 * time.Second, 1000, 10 * time.Second

	f.StringVar(&a.Kind, "kind", load.KindSessions, "Send this kind of traffic: sessions, hot (all in one session) or file")
	f.IntVar(&a.Sessions, "sessions", sessions, "Keep this `number` of sessions open at the same time")
	f.StringVar(&a.recording, "file", "", "Send the events in this NDJSON `file` again and again (--kind file)")
	f.Uint64Var(&a.Seed, "seed", 1, "Derive the events from this `number`")
	f.Float64SliceVar(&a.Rates, "rate", []float64{rate}, "Send this `number` of requests a second; several numbers, separated by commas, are steps")
	f.Lookup("rate").DefValue = "100"
	f.DurationVar(&a.Duration, "duration", duration, "Hold each rate for this `time`")
	f.IntVar(&a.Batch, "batch", 1, "Put this `number` of events into a request")
	f.BoolVar(&a.NDJSON, "ndjson", false, "Send events as NDJSON, not as JSON")
	f.BoolVar(&a.Gzip, "gzip", false, "Compress requests")
	f.BoolVar(&a.Retry, "retry", true, "Send unanswered events again after the attack, to learn their verdicts")
	f.BoolVar(&a.FindMax, "find-max", false, "Search for the highest rate without a failure and within --max-p99, starting at --rate")
	f.DurationVar(&a.Try, "try", try, "Try each rate of the search for this `time`")
}

func (a *attack) bindReport(f *pflag.FlagSet) {
	const rate = 0.97

	f.BoolVar(&a.Reconcile, "reconcile", true, "Compare every acknowledged event with the store")
	f.StringVar(&a.failures, "max-failures", "0", "Fail when more requests fail: a `number`, or a share (0.01 or 1%)")
	f.DurationVar(&a.Limits.MaxP99, "max-p99", 0, "Fail when the p99 from the scheduled send is over this `time`; 0 means no limit")
	f.Float64Var(&a.Limits.MinRate, "min-rate", rate, "Fail when less than this `share` of the rate could be sent")
	f.StringVar(&a.output, "output", "text", "Print the report as text, json or none")
	f.StringVar(&a.json, "json", "", "Write the report as JSON to this `file`")
	f.StringVar(&a.html, "html", "", "Write the report as one HTML page to this `file`")
}

func (a *attack) runAttack(cmd *cobra.Command) error {
	if err := a.completeOptions(cmd.Flags()); err != nil {
		return usageError{err}
	}

	// Fail now rather than after a run of an hour.
	for _, file := range []string{a.json, a.html} {
		if err := checkWritable(file); err != nil {
			return usageError{err}
		}
	}

	stopped := cmd.Context()
	r, err := load.Run(context.WithoutCancel(stopped), a.Options, load.Deps{
		Now:      time.Now,
		Progress: cmd.ErrOrStderr(),
		Stop:     stopped.Done(),
	})
	if err != nil {
		return err
	}

	if err := errors.Join(a.printReport(cmd.OutOrStdout(), r), writeFile(a.json, r, report.WriteJSON), writeFile(a.html, r, report.WriteHTML)); err != nil {
		return err
	}

	return r.Err()
}

// checkWritable returns an error if a report cannot be written to a file.
func checkWritable(file string) error {
	if file == "" {
		return nil
	}

	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // the caller names the file
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	if err := f.Close(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

// completeOptions reads the options that come from the environment and from files.
func (a *attack) completeOptions(flags *pflag.FlagSet) (err error) {
	for _, from := range []struct {
		flag, variable string
		into           *string
	}{
		{"url", "THEEYE_URL", &a.URL},
		{"key", "THEEYE_INGEST_KEY", &a.IngestKey},
		{"read-key", "THEEYE_READ_KEY", &a.ReadKey},
		{"database-url", "THEEYE_DATABASE_URL", &a.DatabaseURL},
	} {
		if !flags.Changed(from.flag) {
			*from.into = os.Getenv(from.variable)
		}
	}

	if a.Limits.MaxFailures, err = report.ParseFailures(a.failures); err != nil {
		return fmt.Errorf("--max-failures: %w", err)
	}

	if a.output != "text" && a.output != "json" && a.output != "none" {
		return fmt.Errorf("--output: %q is not one of text, json and none", a.output)
	}

	if (a.recording != "") != (a.Kind == load.KindFile) {
		return errors.New("--kind file and --file belong together")
	}

	if a.recording != "" {
		if a.Recording, err = os.ReadFile(a.recording); err != nil {
			return fmt.Errorf("read the recorded events: %w", err)
		}
	}

	if a.authorities != "" {
		if a.Authorities, err = os.ReadFile(a.authorities); err != nil {
			return fmt.Errorf("read the authorities: %w", err)
		}
	}

	return nil
}

func (a *attack) printReport(out io.Writer, r *report.Report) error {
	switch a.output {
	case "json":
		return report.WriteJSON(out, r)
	case "text":
		return report.WriteText(out, r)
	}

	return nil
}

// writeFile writes a report into a file, unless it has no name.
func writeFile(name string, r *report.Report, write func(io.Writer, *report.Report) error) (err error) {
	if name == "" {
		return nil
	}

	file, err := os.Create(name) //nolint:gosec // the caller names the file
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return errors.Join(write(file, r), file.Close())
}
