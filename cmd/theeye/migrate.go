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
	cmd := &cobra.Command{Use: "migrate", Short: "Bring the database's schema up to date, or show how far it is"}
	up, status := newMigrateUp(), newMigrateStatus()
	confirmed := false
	down := &cobra.Command{
		Use: "down", Short: "Take back the last migration, and the data it held", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			if !confirmed {
				return usageError{fmt.Errorf("migrate down deletes data; add --yes to do it")}
			}

			if err := cli.MigrateDown(cmd.Context(), c); err != nil {
				return err
			}

			return printText(cmd, "the last migration was taken back\n")
		},
	}
	down.Flags().BoolVar(&confirmed, "yes", false, "Really delete data")
	for _, sub := range []*cobra.Command{up, status, down, newMigrateRoles()} {
		bindDatabaseFlags(sub)
		cmd.AddCommand(sub)
	}

	return cmd
}

// migrationReport is what migrate up did.
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
		Use: "up", Short: "Apply every migration that is missing; safe when several run at once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			done, shown := migrationReport{Applied: []appliedMigration{}}, newProgress(cmd)
			var unsaid error
			err = cli.Migrate(cmd.Context(), c, func(s postgres.MigrationStep) {
				switch s.State {
				case postgres.MigrationBegins:
					shown.showText("applying %s", s.Name)
				case postgres.MigrationWaits:
					shown.clearLine()
					cmd.PrintErrln("theeye: a table is in use by somebody else; trying again in some seconds")
				case postgres.MigrationApplied:
					shown.clearLine()
					done.Applied = append(done.Applied, appliedMigration{s.Version, s.Name, toMilliseconds(s.Took)})
					if !asJSON && unsaid == nil {
						unsaid = printText(cmd, fmt.Sprintf("applied %s in %s\n", s.Name, s.Took.Round(time.Millisecond)))
					}
				}
			})
			shown.clearLine()
			if err != nil {
				return err
			}

			if unsaid != nil {
				return unsaid
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

func toMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 } //nolint:mnd // of them in one

func newMigrateStatus() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "status", Short: "List the migrations and whether they were applied", Args: cobra.NoArgs,
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

					fmt.Fprintf(w, "%d\t%s\t%s\n", m.Version, m.Name, applied) //nolint:errcheck // Flush tells
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
		Use: "roles", Short: "Make the roles of the service and of analysts, and grant them what they need", Args: cobra.NoArgs,
		Long: `Make the roles of the service and of analysts where they are missing, and grant each
what it needs and no more. Run it as the role that ran the migrations, and again
whenever you like, after a migration say. A role that is made has no password yet.

The service's role reads and writes rows, adds to the audit log, and can make, change
and drop nothing. The analysts' role reads events, sessions, event types, the names of
applications, and what was refused but for its raw text.

It fails and changes nothing where a role could become the owner all the same, by functions
of its own in a schema that the service looks into, as up to Postgres 14 everybody can make
them in public. It says then what has to be run, and as whom.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if roles == (postgres.Roles{}) || roles.Service == roles.Analyst {
				return usageError{errors.New("name the role of the service by --service, or another one of analysts by --analyst, or both")}
			}

			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			if err := cli.MakeRoles(cmd.Context(), c, roles); err != nil {
				return err
			}

			return printText(cmd, "the roles are there and have their privileges\n")
		},
	}
	cmd.Flags().StringVar(&roles.Service, "service", "", "The role that the service connects as")
	cmd.Flags().StringVar(&roles.Analyst, "analyst", "", "The role that analysts connect as")
	return cmd
}
