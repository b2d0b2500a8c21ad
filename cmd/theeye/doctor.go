package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/doctor"
)

// The environment variables that dev.env sets for clients.
const (
	urlVariable    = "THEEYE_URL"
	opsURLVariable = "THEEYE_OPS_URL"
)

func newDoctor() *cobra.Command {
	options := cli.DoctorOptions{Version: version}
	asJSON := false
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a running deployment and report problems with their fixes; changes nothing",
		Args:  cobra.NoArgs,
		Long: `Check a running deployment, both its database and the service from outside, and report
each finding with its fix. Nothing is changed, and no key is needed.

With a service of theeye dev running:

  source .theeye/dev.env && theeye doctor

The exit code is 0 when no check failed, even with warnings; 1 when a check failed; and
69 when neither the database nor the service can be reached.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.Replicas < 0 {
				return usageError{errors.New("--replicas cannot be negative")}
			}

			if !cmd.Flags().Changed("url") {
				options.URL = os.Getenv(urlVariable)
			}

			if !cmd.Flags().Changed("ops-url") {
				options.OpsURL = os.Getenv(opsURLVariable)
			}

			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			return runDoctor(cmd, c, options, asJSON)
		},
	}
	bindDatabaseFlags(cmd)
	cmd.Flags().StringVar(&options.URL, "url", "", "Call the API at this `URL` (variable "+urlVariable+")")
	cmd.Flags().StringVar(&options.OpsURL, "ops-url", "", "Call the ops port at this `URL` (variable "+opsURLVariable+")")
	cmd.Flags().IntVar(&options.Replicas, "replicas", 0, "Number of services that share the database; 0 counts the connected ones")
	bindJSON(cmd, &asJSON)
	return cmd
}

// runDoctor checks the deployment and prints the report.
func runDoctor(cmd *cobra.Command, c config.Config, options cli.DoctorOptions, asJSON bool) error {
	report, err := cli.RunDoctor(cmd.Context(), c, options)
	if errors.Is(err, cli.ErrURL) {
		return usageError{err}
	}

	if err != nil {
		return err
	}

	if err := cmd.Context().Err(); err != nil { // an interrupted check finds only its own interruption
		return err
	}

	if asJSON {
		err = printJSON(cmd, report)
	} else {
		err = report.WriteText(cmd.OutOrStdout())
	}

	if err != nil {
		return err
	}

	return reportError(report)
}

// reportError returns the error that sets the exit code.
func reportError(report doctor.Report) error {
	switch {
	case !report.Summary.Reached:
		return fmt.Errorf("%w, nor can the service", app.ErrDependency)
	case report.Summary.Failed == 1:
		return errors.New("1 check failed")
	case report.Summary.Failed > 0:
		return fmt.Errorf("%d checks failed", report.Summary.Failed)
	}

	return nil
}
