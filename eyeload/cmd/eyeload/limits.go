package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/eyeload/limits"
)

// withoutServiceSettings removes the variables that would change the settings of the measured
// service.
func withoutServiceSettings(environ []string) []string {
	return slices.DeleteFunc(environ, func(variable string) bool { return strings.HasPrefix(variable, "THEEYE_") })
}

func newLimits() *cobra.Command {
	o := limits.Options{Environ: withoutServiceSettings(os.Environ()), Now: time.Now}
	var json string
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "Measure how near the service comes to the limits of this machine",
		Args:  cobra.NoArgs,
		Long: `Measures the service, the same HTTP server without a store, and a bare COPY,
with a private Postgres on this machine, in rounds. Some figures have a goal; the
exit code is 1 if one is missed.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return measureLimits(cmd, o, json) },
	}

	flags := cmd.Flags()
	flags.StringVar(&o.Service, "service", "bin/theeye", "Measure this `program`")
	flags.IntVar(&o.Rounds, "rounds", 3, "Measure everything this `number` of times")
	flags.DurationVar(&o.For, "for", 5*time.Second, "How long each load lasts")
	flags.StringSliceVar(&o.Only, "only", nil, "Measure these `parts` only: "+strings.Join(limits.PartNames(), ", "))
	flags.StringVar(&o.Dir, "dir", "", "Keep the private Postgres in this `folder`, on the disk that is to be measured")
	flags.StringVar(&o.Profiles, "profiles", "", "Write a CPU profile of each load into this `folder`; this lowers the rates a little")
	flags.StringVar(&o.Plans, "plans", "", "Write the plans of the queries into this `folder`")
	flags.IntVar(&o.Events, "events", 10_000_000, "Query a database with this `number` of events")
	flags.IntVar(&o.LogFiles, "log-files", 192, "First create this `number` of files of write-ahead log, of 16 MiB each")
	flags.StringVar(&json, "json", "", "Write the figures of every round to this `file`")
	cmd.AddCommand(newBaseline())

	return cmd
}

// measureLimits measures, and writes the report as a table and, with a name, as JSON.
func measureLimits(cmd *cobra.Command, o limits.Options, json string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}

	o.Baseline = func(address string) []string { return []string{self, "limits", "baseline", address} }
	o.Progress = cmd.ErrOrStderr()
	o.Errors = cmd.ErrOrStderr()
	report, measured := limits.Run(cmd.Context(), o)
	if json != "" {
		file, err := os.Create(json) //nolint:gosec // the caller names the file
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		defer file.Close() //nolint:errcheck // WriteJSON reports a failed write

		if err := report.WriteJSON(file); err != nil {
			return err
		}
	}

	if len(report.Figures) == 0 {
		return measured
	}

	if err := errors.Join(measured, report.WriteText(cmd.OutOrStdout())); err != nil {
		return err
	}

	if missed := report.MissedGoals(); len(missed) > 0 {
		return fmt.Errorf("missed: %s", strings.Join(missed, "; "))
	}

	return nil
}

// newBaseline is the process that measureLimits starts for the server without a store.
func newBaseline() *cobra.Command {
	return &cobra.Command{
		Use:    "baseline ADDRESS",
		Short:  "Answer every request with 201 and store nothing",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			var listen net.ListenConfig
			listener, err := listen.Listen(cmd.Context(), "tcp", arguments[0])
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}

			return limits.ServeBaseline(cmd.Context(), listener)
		},
	}
}
