package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/doctor"
)

// The variables that dev.env sets for clients.
const (
	urlVariable    = "THEEYE_URL"
	opsURLVariable = "THEEYE_OPS_URL"
)

func newDoctor() *cobra.Command {
	options := cli.DoctorOptions{Version: version}
	asJSON := false
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check a running deployment and say what to do; changes nothing", Args: cobra.NoArgs,
		Long: `Check a running deployment, its database and the service from outside, and say
what to do about each finding. Nothing is changed, and no key is needed.

With a service of theeye dev running:

  source .theeye/dev.env && theeye doctor

It ends with 0 when nothing failed, warnings or not; with 1 when something did; and
with 69 when neither the database nor the service can be reached.`,
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

			report, err := cli.RunDoctor(cmd.Context(), c, options)
			if errors.Is(err, cli.ErrURL) {
				return usageError{err}
			}

			if err != nil {
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
		},
	}
	bindDatabaseFlags(cmd)
	cmd.Flags().StringVar(&options.URL, "url", "", "Call the API at this `URL` (variable "+urlVariable+")")
	cmd.Flags().StringVar(&options.OpsURL, "ops-url", "", "Call the second port at this `URL` (variable "+opsURLVariable+")")
	cmd.Flags().IntVar(&options.Replicas, "replicas", 0, "How many services share the database; 0 counts those that are connected")
	bindJSON(cmd, &asJSON)
	return cmd
}

// reportError is the error that makes the exit code.
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

func printJSON(cmd *cobra.Command, answer any) error {
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return fmt.Errorf("render the answer: %w", err)
	}

	return printText(cmd, string(text)+"\n")
}
