package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/chaos"
)

func newChaos() *cobra.Command {
	o := chaos.Options{Environ: unset(os.Environ())}
	cmd := &cobra.Command{
		Use: "chaos", Short: "Break everything under load, and compare what was acknowledged with the tables", Args: cobra.NoArgs,
		Long: `Starts a private Postgres and two services on this machine and sends events at a
rate that waits for nobody. In every cycle one fault is inflicted and healed; then
what was acknowledged is held against the tables, by SQL. Anything lost, stored
twice, out of sequence or unreadable is exit code 1.

Faults: ` + strings.Join(chaos.Faults(), ", ") + ".",
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := chaos.Run(cmd.Context(), o, chaos.Deps{Now: time.Now, Progress: cmd.ErrOrStderr()})
			if report == nil {
				return err
			}
			return errors.Join(err, report.WriteText(cmd.OutOrStdout()), report.Err())
		},
	}
	const cycles, rate = 20, 400
	flags := cmd.Flags()
	flags.StringVar(&o.Service, "service", "bin/theeye", "Put this `program` to the test")
	flags.IntVar(&o.Cycles, "cycles", cycles, "Inflict this `number` of faults")
	flags.Uint64Var(&o.Seed, "seed", 1, "Make the contents and the faults follow from this `number`")
	flags.IntVar(&o.Rate, "rate", rate, "Send this `number` of events a second")
	flags.StringSliceVar(&o.Only, "only", nil, "Inflict these `faults` alone")
	flags.StringVar(&o.Dir, "report", "bin/chaos", "Keep the reports and the services' logs in this `folder`")
	return cmd
}
