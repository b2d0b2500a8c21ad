package main

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli/top"
)

// newTop builds the command that watches running services from outside. It needs neither
// settings nor a key.
func newTop() *cobra.Command {
	o := top.Options{Colour: os.Getenv("NO_COLOR") == ""}
	ops := cmp.Or(os.Getenv(opsURLVariable), "http://127.0.0.1:8081")
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch running services by the metrics of their ops ports",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return usageError{err}
			}

			o.Once = o.Once || o.JSON || !top.IsInteractive(cmd.OutOrStdout())
			transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1}
			defer transport.CloseIdleConnections()

			err := top.Run(cmd.Context(), o, top.Deps{
				Client: &http.Client{Transport: transport},
				Now:    time.Now,
				After:  time.After,
				Out:    cmd.OutOrStdout(),
			})
			if err != nil {
				return fmt.Errorf("top: %w", err)
			}

			return nil
		},
	}
	cmd.Flags().StringArrayVar(&o.Ops, "ops", []string{ops}, "Watch the ops port at this `URL` ($"+opsURLVariable+"); repeat it to add up several replicas")
	cmd.Flags().DurationVar(&o.Interval, "interval", time.Second, "Time between two readings; 0.2s to 1m")
	cmd.Flags().BoolVar(&o.Once, "once", false, "Print one snapshot as plain text after one interval; the default when the output is not a terminal")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "Print one snapshot as JSON, as --once does as text")
	return cmd
}
