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
	for _, sub := range []*cobra.Command{newMigrateUp(), newMigrateStatus(), newMigrateDown(), newMigrateRoles()} {
		bindDatabaseFlags(sub)
		cmd.AddCommand(sub)
	}

	return cmd
}

type finishedMigration struct {
	Version int64   `json:"version"`
	Name    string  `json:"name"`
	TookMS  float64 `json:"took_ms"`
}

// migrationReport shows migrations while they run, and lists those that are finished.
type migrationReport struct {
	cmd *cobra.Command
	// quiet prints nothing on standard output.
	quiet bool
	shown *progress
	done  []finishedMigration
	err   error
}

func newMigrationReport(cmd *cobra.Command, quiet bool) *migrationReport {
	return &migrationReport{cmd: cmd, quiet: quiet, shown: newProgress(cmd), done: []finishedMigration{}}
}

func (r *migrationReport) showStep(s postgres.MigrationStep) {
	switch s.State {
	case postgres.MigrationBegins:
		r.shown.showText("applying %s", s.Name)
	case postgres.MigrationWaits:
		r.shown.clearLine()
		r.cmd.PrintErrln("theeye: another transaction uses a table; trying again in a few seconds")
	case postgres.MigrationApplied:
		r.addDone("applied", s)
	case postgres.MigrationReverted:
		r.addDone("reverted", s)
	}
}

func (r *migrationReport) addDone(verb string, s postgres.MigrationStep) {
	r.shown.clearLine()
	r.done = append(r.done, finishedMigration{s.Version, s.Name, toMilliseconds(s.Took)})
	if !r.quiet && r.err == nil {
		r.err = printText(r.cmd, fmt.Sprintf("%s %s in %s\n", verb, s.Name, s.Took.Round(time.Millisecond)))
	}
}

// end ends the report, and returns the error of the run or of the output.
func (r *migrationReport) end(err error) error {
	r.shown.clearLine()
	if err == nil {
		err = r.err
	}

	return err
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

			report := newMigrationReport(cmd, asJSON)
			if err := report.end(cli.Migrate(cmd.Context(), c, report.showStep)); err != nil {
				return err
			}

			switch {
			case asJSON:
				return printJSON(cmd, map[string][]finishedMigration{"applied": report.done})
			case len(report.done) == 0:
				return printText(cmd, "nothing to do: the schema is current\n")
			}

			return printText(cmd, "the schema is current\n")
		},
	}
	bindJSON(cmd, &asJSON)
	return cmd
}

func newMigrateDown() *cobra.Command {
	confirmed := false
	asJSON := false
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Revert the last migration and delete its data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			if !confirmed {
				return usageError{errors.New("migrate down deletes data; add --yes to confirm")}
			}

			report := newMigrationReport(cmd, asJSON)
			if err := report.end(cli.MigrateDown(cmd.Context(), c, report.showStep)); err != nil {
				return err
			}

			switch {
			case asJSON:
				return printJSON(cmd, map[string][]finishedMigration{"reverted": report.done})
			case len(report.done) == 0:
				return printText(cmd, "nothing to revert: no migration is applied\n")
			}

			return nil
		},
	}
	cmd.Flags().BoolVar(&confirmed, "yes", false, "Confirm that data is deleted")
	bindJSON(cmd, &asJSON)
	return cmd
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
