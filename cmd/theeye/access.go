package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
)

// newAdminCommand builds a command that manages applications and keys.
func newAdminCommand[T any](use, short string, args int, do func(ctx context.Context, a *access.Registry, args []string) (T, error), show func(w *tabwriter.Writer, answer T)) *cobra.Command {
	return newDatabaseCommand(cli.WithAdmin, use, short, args, do, show)
}

// newDatabaseCommand builds a command that runs a tool on the database. show prints
// the answer as text; --json prints it as the API would.
func newDatabaseCommand[A, T any](with func(context.Context, config.Config, func(A) error) error, use, short string, args int,
	do func(ctx context.Context, tool A, args []string) (T, error), show func(w *tabwriter.Writer, answer T),
) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			return with(cmd.Context(), c, func(tool A) error {
				answer, err := do(cmd.Context(), tool, args)
				if err != nil {
					return err
				}

				if asJSON {
					return printJSON(cmd, answer)
				}

				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				show(w, answer)
				if err := w.Flush(); err != nil {
					return fmt.Errorf("print: %w", err)
				}

				return nil
			})
		},
	}
	bindDatabaseFlags(cmd)
	bindJSON(cmd, &asJSON)
	return cmd
}
