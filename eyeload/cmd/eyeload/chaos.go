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
		Use: "chaos", Short: "Break everything under load, and compare what was acknowledged with the tables", Args: cobra.NoArgs,
		Long: `Starts a private Postgres and two services on this machine and sends events of
several applications at a rate that waits for nobody; they are edited, erased,
contradicted and replayed meanwhile. In every cycle one fault is inflicted and healed;
then what was acknowledged is held against the tables, by SQL. Afterwards the same is
done with a primary and a standby that its commits wait for. Anything lost, stored
twice, out of sequence, attributed to another or unreadable is exit code 1.

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
	flags.StringVar(&o.Service, "service", "bin/theeye", "Put this `program` to the test")
	flags.StringVar(&o.Source, "source", ".", "Build the service whose clock is stepped from the module in this `folder`")
	flags.IntVar(&o.Cycles, "cycles", cycles, "Inflict this `number` of faults")
	flags.Uint64Var(&o.Seed, "seed", 1, "Make the contents and the faults follow from this `number`")
	flags.IntVar(&o.Rate, "rate", rate, "Send this `number` of events a second")
	flags.IntVar(&o.WideRate, "wide-rate", wide, "Send this `number` of events a second in the cycles with large batches")
	flags.StringSliceVar(&o.Only, "only", nil, "Inflict these `faults` alone")
	flags.StringVar(&o.Dir, "report", "bin/chaos", "Keep the reports and the services' logs in this `folder`")
	return cmd
}

func newOverload() *cobra.Command {
	o := chaos.OverloadOptions{Environ: withoutServiceSettings(os.Environ())}
	cmd := &cobra.Command{
		Use: "overload", Short: "Send more than a slow database can store, and measure what is left", Args: cobra.NoArgs,
		Long: `Starts a private Postgres behind a slow wire and a service, measures how much it can
store, and then sends a multiple of that. Less than 70 % of the capacity in overload, or
anything lost, is exit code 1.`,
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
	flags.Uint64Var(&o.Seed, "seed", 1, "Make the contents follow from this `number`")
	flags.DurationVar(&o.Delay, "delay", delay, "Hand everything on to Postgres and back late by this `time`")
	flags.IntVar(&o.Batch, "batch", batch, "Put this `number` of events into a request")
	flags.IntVar(&o.Clients, "clients", clients, "Keep this `number` of clients busy to find the capacity")
	flags.DurationVar(&o.Capacity, "capacity", capacity, "Measure the capacity for this `time`")
	flags.Float64Var(&o.Known, "known", 0, "Take this `rate` of events a second for the capacity, which is not measured then")
	flags.Float64Var(&o.Times, "times", times, "Send this `multiple` of the capacity")
	flags.DurationVar(&o.Overload, "overload", overload, "Send it for this `time`")
	flags.StringVar(&o.Dir, "report", "bin/overload", "Keep the report and the service's log in this `folder`")
	return cmd
}
