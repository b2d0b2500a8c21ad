package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

func newMigrate() *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Short: "Bring the database schema up to date, or show its state"}
	up := newMigrateUp()
	status := newMigrateStatus()
	confirmed := false
	down := &cobra.Command{
		Use:   "down",
		Short: "Revert the last migration and delete its data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			if !confirmed {
				return usageError{fmt.Errorf("migrate down deletes data; add --yes to confirm")}
			}

			if err := cli.MigrateDown(cmd.Context(), c); err != nil {
				return err
			}

			return printText(cmd, "the last migration was reverted\n")
		},
	}
	down.Flags().BoolVar(&confirmed, "yes", false, "Confirm that data is deleted")
	for _, sub := range []*cobra.Command{up, status, down, newMigrateRoles()} {
		bindDatabaseFlags(sub)
		cmd.AddCommand(sub)
	}

	return cmd
}

// migrationReport lists the migrations that migrate up applied.
type migrationReport struct {
	Applied []appliedMigration `json:"applied"`
}

type appliedMigration struct {
	Version int64   `json:"version"`
	Name    string  `json:"name"`
	TookMS  float64 `json:"took_ms"`
}

func newMigrateUp() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Apply every missing migration; safe to run several at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			done := migrationReport{Applied: []appliedMigration{}}
			shown := newProgress(cmd)
			var printErr error
			err = cli.Migrate(cmd.Context(), c, func(s postgres.MigrationStep) {
				switch s.State {
				case postgres.MigrationBegins:
					shown.showText("applying %s", s.Name)
				case postgres.MigrationWaits:
					shown.clearLine()
					cmd.PrintErrln("theeye: another transaction uses a table; trying again in a few seconds")
				case postgres.MigrationApplied:
					shown.clearLine()
					done.Applied = append(done.Applied, appliedMigration{s.Version, s.Name, toMilliseconds(s.Took)})
					if !asJSON && printErr == nil {
						printErr = printText(cmd, fmt.Sprintf("applied %s in %s\n", s.Name, s.Took.Round(time.Millisecond)))
					}
				}
			})
			shown.clearLine()
			if err != nil {
				return err
			}

			if printErr != nil {
				return printErr
			}

			return printMigrated(cmd, done, asJSON)
		},
	}
	bindJSON(cmd, &asJSON)
	return cmd
}

func printMigrated(cmd *cobra.Command, done migrationReport, asJSON bool) error {
	switch {
	case asJSON:
		return printJSON(cmd, done)
	case len(done.Applied) == 0:
		return printText(cmd, "nothing to do: the schema is current\n")
	}

	return printText(cmd, "the schema is current\n")
}

func toMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 } //nolint:mnd // microseconds in a millisecond

func newMigrateStatus() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the migrations and when each was applied",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			migrations, err := cli.Migrations(cmd.Context(), c)
			if err != nil {
				return err
			}

			if asJSON {
				return printJSON(cmd, migrations)
			}

			return printTable(cmd, "VERSION\tMIGRATION\tAPPLIED", func(w *tabwriter.Writer) {
				for _, m := range migrations {
					applied := "no"
					if m.Applied {
						applied = m.AppliedAt.UTC().Format(time.RFC3339)
					}

					fmt.Fprintf(w, "%d\t%s\t%s\n", m.Version, m.Name, applied) //nolint:errcheck // Flush returns the error
				}
			})
		},
	}
	bindJSON(cmd, &asJSON)
	return cmd
}

func newMigrateRoles() *cobra.Command {
	var roles postgres.Roles
	cmd := &cobra.Command{
		Use:   "roles",
		Short: "Create the roles of the service and of analysts, and grant their privileges",
		Args:  cobra.NoArgs,
		Long: `Create the roles of the service and of analysts where they are missing, and grant each
role the privileges that it needs and no others. Run the command as the role that ran the
migrations, and repeat it at any time, for example after a migration. A new role has no
password yet.

The service's role reads and writes rows, adds to the audit log, and cannot create, alter
or drop anything. The analysts' role reads events, sessions, event types, the names of
applications, and rejections without their raw text.

The command fails and changes nothing if a role could still become the owner through its
own functions in a schema on the service's search path. Up to Postgres 14, every role can
create functions in the schema public. The error lists the statements to run, and as which
role.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if roles == (postgres.Roles{}) || roles.Service == roles.Analyst {
				return usageError{errors.New("give --service or --analyst or both, with different roles")}
			}

			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			if err := cli.MakeRoles(cmd.Context(), c, roles); err != nil {
				return err
			}

			return printText(cmd, "the roles exist and have their privileges\n")
		},
	}
	cmd.Flags().StringVar(&roles.Service, "service", "", "Role of the service")
	cmd.Flags().StringVar(&roles.Analyst, "analyst", "", "Role of the analysts")
	return cmd
}
