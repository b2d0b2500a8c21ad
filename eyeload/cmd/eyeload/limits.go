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

// withoutServiceSettings takes out what would change the settings of the service that is measured.
func withoutServiceSettings(environ []string) []string {
	return slices.DeleteFunc(environ, func(variable string) bool { return strings.HasPrefix(variable, "THEEYE_") })
}

func newLimits() *cobra.Command {
	o := limits.Options{Environ: withoutServiceSettings(os.Environ()), Now: time.Now}
	var json string
	cmd := &cobra.Command{
		Use: "limits", Short: "Measure how near the service comes to the limits of this machine", Args: cobra.NoArgs,
		Long: `Measures the service, the same HTTP server without a store, and a bare COPY,
with a private Postgres on this machine, in rounds. Quantities that have a goal
are held against it; a missed goal is exit code 1.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}

			o.Baseline = func(address string) []string { return []string{self, "limits", "baseline", address} }
			o.Progress, o.Errors = cmd.ErrOrStderr(), cmd.ErrOrStderr()
			report, measured := limits.Run(cmd.Context(), o)
			if json != "" {
				file, err := os.Create(json) //nolint:gosec // the caller names the file
				if err != nil {
					return fmt.Errorf("write the report: %w", err)
				}
				defer file.Close() //nolint:errcheck // WriteJSON tells

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
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Service, "service", "bin/theeye", "Measure this `program`")
	flags.IntVar(&o.Rounds, "rounds", 3, "Measure everything so many `times`")
	flags.DurationVar(&o.For, "for", 5*time.Second, "How long each load lasts")
	flags.StringSliceVar(&o.Only, "only", nil, "Measure these `parts` alone: "+strings.Join(limits.PartNames(), ", "))
	flags.StringVar(&o.Dir, "dir", "", "Keep the private Postgres in this `folder`, which has to be on the disk that is to be measured")
	flags.StringVar(&o.Profiles, "profiles", "", "Leave a CPU profile of each load in this `folder`; it costs some of the rate")
	flags.StringVar(&o.Plans, "plans", "", "Leave the plans of the queries in this `folder`")
	flags.IntVar(&o.Events, "events", 10_000_000, "Ask a database that holds this `many` events")
	flags.IntVar(&o.LogFiles, "log-files", 192, "Make so many `files` of write-ahead log, of 16 MiB, beforehand")
	flags.StringVar(&json, "json", "", "Write every round's figures to this `file`")
	cmd.AddCommand(&cobra.Command{
		Use: "baseline ADDRESS", Short: "Serve 201 to everything and store nothing", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			var listen net.ListenConfig
			listener, err := listen.Listen(cmd.Context(), "tcp", arguments[0])
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}

			return limits.ServeBaseline(cmd.Context(), listener)
		},
	})
	return cmd
}
