package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/eyeload/chaos"
)

func newChaos() *cobra.Command {
	o := chaos.Options{Environ: withoutServiceSettings(os.Environ())}
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Inject faults under load, and compare every acknowledged event with the tables",
		Args:  cobra.NoArgs,
		Long: `Starts a private Postgres and two services on this machine and sends events of
several applications at a rate that does not depend on the answers. Meanwhile events
are edited, erased, replayed, and sent again with other content. Each cycle injects
and reverts one fault; then every acknowledged event is compared with the tables, by
SQL. Afterwards the same is done with a primary whose commits wait for a standby.
The exit code is 1 if an event is lost, stored twice, out of sequence, attributed to
another application or unreadable.

Faults: ` + strings.Join(chaos.FaultNames(), ", ") + ".",
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := chaos.Run(cmd.Context(), o, chaos.Deps{Now: time.Now, Progress: cmd.ErrOrStderr()})
			if report == nil {
				return err
			}

			return errors.Join(err, report.WriteText(cmd.OutOrStdout()), report.Err())
		},
	}

	const cycles, rate, wide = 28, 400, 2500
	flags := cmd.Flags()
	flags.StringVar(&o.Service, "service", "bin/theeye", "Test this `program`")
	flags.StringVar(&o.Source, "source", ".", "Build the service with the stepped clock from the module in this `folder`")
	flags.IntVar(&o.Cycles, "cycles", cycles, "Inject this `number` of faults")
	flags.Uint64Var(&o.Seed, "seed", 1, "Derive the events and the faults from this `number`")
	flags.IntVar(&o.Rate, "rate", rate, "Send this `number` of events a second")
	flags.IntVar(&o.WideRate, "wide-rate", wide, "Send this `number` of events a second in the cycles with large batches")
	flags.StringSliceVar(&o.Only, "only", nil, "Inject these `faults` only")
	flags.StringVar(&o.Dir, "report", "bin/chaos", "Keep the reports and the services' logs in this `folder`")

	return cmd
}

func newOverload() *cobra.Command {
	o := chaos.OverloadOptions{Environ: withoutServiceSettings(os.Environ())}
	cmd := &cobra.Command{
		Use:   "overload",
		Short: "Send more than a slow database can store, and measure the remaining rate",
		Args:  cobra.NoArgs,
		Long: `Starts a service and a private Postgres with a slow connection between them, measures
how much the service can store, and then sends a multiple of that. The exit code is 1
if less than 70 % of the capacity remains in overload, or an event is lost.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := chaos.MeasureOverload(cmd.Context(), o, chaos.Deps{Now: time.Now, Progress: cmd.ErrOrStderr()})
			if report == nil {
				return err
			}

			return errors.Join(err, report.WriteText(cmd.OutOrStdout()), report.Err())
		},
	}

	const clients, batch, times = 800, 50, 2
	const delay, capacity, overload = 100 * time.Millisecond, 10 * time.Second, time.Minute
	flags := cmd.Flags()
	flags.StringVar(&o.Service, "service", "bin/theeye", "Measure this `program`")
	flags.Uint64Var(&o.Seed, "seed", 1, "Derive the events from this `number`")
	flags.DurationVar(&o.Delay, "delay", delay, "Delay the traffic to Postgres and back by this `time`")
	flags.IntVar(&o.Batch, "batch", batch, "Put this `number` of events into a request")
	flags.IntVar(&o.Clients, "clients", clients, "Keep this `number` of clients busy to find the capacity")
	flags.DurationVar(&o.Capacity, "capacity", capacity, "Measure the capacity for this `time`")
	flags.Float64Var(&o.Known, "known", 0, "Use this `rate` of events a second as the capacity instead of measuring it")
	flags.Float64Var(&o.Times, "times", times, "Send this `multiple` of the capacity")
	flags.DurationVar(&o.Overload, "overload", overload, "Send it for this `time`")
	flags.StringVar(&o.Dir, "report", "bin/overload", "Keep the report and the service's log in this `folder`")

	return cmd
}
