package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

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

func newKey() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Manage the keys of applications"}
	var spec access.KeySpec
	var scopes []string
	var lifetime time.Duration
	create := newAdminCommand("create APPLICATION", "Create a key and print it, once; every replica accepts it within access.refresh, 1 s by default", 1,
		func(ctx context.Context, a *access.Registry, args []string) (access.CreatedKey, error) {
			for _, scope := range scopes {
				spec.Scopes = append(spec.Scopes, access.Scope(scope))
			}

			if lifetime != 0 {
				at := time.Now().Add(lifetime)
				spec.ExpiresAt = &at
			}

			return a.CreateKey(ctx, args[0], spec)
		}, func(w *tabwriter.Writer, made access.CreatedKey) {
			fmt.Fprintf(w, "%s\n", made.Text) //nolint:errcheck // Flush returns the error
		})
	create.Flags().StringSliceVar(&scopes, "scope", []string{"ingest"}, "Scopes of the key: ingest, read, admin")
	create.Flags().BoolVar(&spec.OrganisationWide, "organisation-wide", false, "Let the key read the events of all applications")
	create.Flags().StringVar(&spec.Description, "description", "", "What the key is for")
	create.Flags().DurationVar(&lifetime, "expires-in", 0, "Lifetime of the key; 0 means that it does not expire")
	list := newAdminCommand("list APPLICATION", "List an application's keys, without their secrets", 1,
		func(ctx context.Context, a *access.Registry, args []string) ([]access.Key, error) {
			return a.ListKeys(ctx, args[0])
		}, showKeys)
	revoke := newAdminCommand("revoke APPLICATION KEY_ID", "Revoke a key; every replica rejects it within 5 s", 2,
		func(ctx context.Context, a *access.Registry, args []string) (map[string]string, error) {
			return map[string]string{"revoked": args[1]}, a.RevokeKey(ctx, args[0], args[1])
		}, func(w *tabwriter.Writer, answer map[string]string) {
			fmt.Fprintf(w, "revoked %s\n", answer["revoked"]) //nolint:errcheck // Flush returns the error
		})
	cmd.AddCommand(create, list, revoke, newKeyBootstrap())
	return cmd
}

func showKeys(w *tabwriter.Writer, keys []access.Key) {
	fmt.Fprintln(w, "KEY ID\tSCOPES\tORGANISATION-WIDE\tCREATED\tSTATE\tDESCRIPTION") //nolint:errcheck // Flush returns the error
	for _, key := range keys {
		scopes := make([]string, len(key.Scopes))
		for i, scope := range key.Scopes {
			scopes[i] = string(scope)
		}

		state := "active"
		switch {
		case key.RevokedAt != nil:
			state = "revoked"
		case key.ExpiresAt != nil && key.ExpiresAt.Before(time.Now()):
			state = "expired"
		}

		fmt.Fprintf(w, "%s\t%s\t%t\t%s\t%s\t%s\n", key.ID, strings.Join(scopes, ","), key.OrganisationWide, //nolint:errcheck // as above
			key.CreatedAt.UTC().Format(time.RFC3339), state, key.Description)
	}
}
