package main

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/kube"
)

// newCheck builds the command that `helm test` runs.
func newCheck() *cobra.Command {
	const defaultPatience = time.Minute
	var url string
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Post an event to a running service, read it back and erase it",
		Args:  cobra.NoArgs,
		Long: `Post an event to a running service, read it back and erase it, as a client would.
The command creates a key in the database for this and revokes it at the end. The
application theeye-check, to which the key belongs, stays.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("url") {
				url = os.Getenv(urlVariable)
			}

			if url == "" {
				return missingURL()
			}

			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			err = cli.CheckService(cmd.Context(), c, url, patience)
			if errors.Is(err, cli.ErrURL) {
				return usageError{err}
			}

			if err != nil {
				return err
			}

			return printText(cmd, "an event was posted, read back and erased\n")
		},
	}
	bindDatabaseFlags(cmd)
	cmd.Flags().StringVar(&url, "url", "", "Call the API at this `URL` (variable "+urlVariable+")")
	cmd.Flags().DurationVar(&patience, "timeout", defaultPatience, "Time limit of the check")
	return cmd
}

// missingURL returns the error of a command that needs the URL of a service.
func missingURL() error {
	return usageError{errors.New("the URL of the service is missing: give --url, or set " + urlVariable)}
}

// newKeyBootstrap builds the command that the chart runs once.
func newKeyBootstrap() *cobra.Command {
	var o cli.BootstrapOptions
	cmd := &cobra.Command{
		Use:   "bootstrap APPLICATION",
		Short: "In a Kubernetes pod: create an admin key once and store it in a Secret",
		Args:  cobra.ExactArgs(1),
		Long: `In a Kubernetes pod: create an application and an admin key for it, and store the key
in an existing Secret, under "key". A Secret that holds a key already stays unchanged,
so the command is safe to repeat. The pod's service account needs the verbs get and
patch on that Secret.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Application = args[0]
			if o.Secret == "" {
				return usageError{errors.New("--secret is required")}
			}

			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			cluster, err := kube.InClusterConfig(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"), kube.ServiceAccountFolder)
			if err != nil {
				return err
			}

			made, err := cli.BootstrapKey(cmd.Context(), c, cluster, o)
			switch {
			case err != nil:
				return err
			case made:
				return printText(cmd, "an admin key of "+o.Application+" is in Secret "+o.Secret+"\n")
			}

			return printText(cmd, "Secret "+o.Secret+" holds a key already; nothing was changed\n")
		},
	}
	bindDatabaseFlags(cmd)
	cmd.Flags().StringVar(&o.Secret, "secret", "", "`NAME` of the Secret for the key")
	return cmd
}
