package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/rejection"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

func newRejection() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rejection",
		Short: "List, replay and discard rejected events, directly in the database",
		Long: `List, replay and discard rejected events, which the API calls errors.

  theeye rejection list --code schema_violation --status open
  theeye rejection replay --code schema_violation --category shop --dry-run
  theeye rejection replay --code schema_violation --category shop

A replay uses the schemas in force, also one that was changed just before.`,
	}
	cmd.AddCommand(newRejectionList(), newRejectionShow(), newReplay(), newDiscard())
	return cmd
}

// rejectionFlags adds the filters to a command.
func rejectionFlags(cmd *cobra.Command, q *cli.RejectionQuery) {
	f := cmd.Flags()
	addFilter(f, &q.Code, "code", "Only events with this code among their violations")
	addFilter(f, &q.Application, "application", "Only events of this application")
	addFilter(f, &q.Category, "category", "Only events of this category")
	addFilter(f, &q.Name, "name", "Only events of this name")
	addFilter(f, &q.Session, "session-id", "Only events of this session")
	addFilter(f, &q.From, "from", "Only events received since this time or day")
	addFilter(f, &q.To, "to", "Only events received before this time or day")
}

// withRejections loads the settings and calls use with the rejections of the database.
func withRejections(cmd *cobra.Command, use func(cli.Rejections) error) error {
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}

	log, err := telemetry.NewLog(telemetry.LogConfig{Level: "error", Format: telemetry.FormatConsole}, cmd.ErrOrStderr())
	if err != nil {
		return err
	}

	return cli.WithRejections(cmd.Context(), c, log.Logger, use)
}

func newRejectionList() *cobra.Command {
	var q cli.RejectionQuery
	asJSON := false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List rejected events, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 {
				return usageError{errors.New("--limit must be at least 1")}
			}

			if err := checkOneOf("--status", q.Status, query.RejectionStatuses()); err != nil {
				return err
			}

			if err := q.Check(); err != nil {
				return err
			}

			return withRejections(cmd, func(r cli.Rejections) error {
				if asJSON {
					return r.List(cmd.Context(), q, func(one *query.Rejection) error { return printRejection(cmd, one) })
				}

				var failed error
				err := printTable(cmd, "RECEIVED AT\tSTATUS\tCODE\tAPPLICATION\tCATEGORY\tNAME\tERROR ID", func(w *tabwriter.Writer) {
					failed = r.List(cmd.Context(), q, func(one *query.Rejection) error {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.ReceivedAt.UTC().Format(time.RFC3339), one.Status, one.Code, one.Application, //nolint:errcheck // Flush returns the error
							formatCell(one.Category), formatCell(one.Name), one.ID)
						return nil
					})
				})
				return cmp.Or(failed, err)
			})
		},
	}
	const defaultLimit = 100
	bindDatabaseFlags(cmd)
	rejectionFlags(cmd, &q)
	addFilter(cmd.Flags(), &q.Status, "status", "Only events in this status: "+strings.Join(query.RejectionStatuses(), ", "))
	cmd.Flags().IntVar(&q.Limit, "limit", defaultLimit, "Maximum number of events")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print one JSON object per line, as in the API")
	return cmd
}

func newRejectionShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ERROR_ID",
		Short: "Show a rejected event as JSON, with the raw text",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRejections(cmd, func(r cli.Rejections) error {
				found, err := r.Find(cmd.Context(), args[0])
				if err != nil {
					return err
				}

				return printRejection(cmd, found)
			})
		},
	}
	bindDatabaseFlags(cmd)
	return cmd
}

func printRejection(cmd *cobra.Command, one *query.Rejection) error {
	text, err := httpapi.RejectionJSON(one)
	if err != nil {
		return err
	}

	return printText(cmd, string(text)+"\n")
}

// newBulkCommand builds a command that processes open rejections, selected by ids or filters.
// Its progress goes to standard error and its totals to standard output.
func newBulkCommand[T any](use, short string, run func(cmd *cobra.Command, r cli.Rejections, q cli.RejectionQuery, progress func(T)) (T, error)) *cobra.Command {
	var q cli.RejectionQuery
	cmd := &cobra.Command{
		Use:   use + " [ERROR_ID ...]",
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				q.IDs = args
			}

			if q.Limit < 0 {
				return usageError{errors.New("--limit cannot be negative")}
			}

			if !q.HasSelection() {
				return usageError{errors.New("no errors selected: give their ids, or filters such as --code and --category, or --all")}
			}

			if err := q.Check(); err != nil {
				return err
			}

			return withRejections(cmd, func(r cli.Rejections) error {
				shown := newProgress(cmd)
				totals, err := run(cmd, r, q, func(totals T) {
					if text, err := json.Marshal(totals); err == nil {
						shown.showText("%s", text)
					}
				})
				shown.clearLine()
				if f, ok := fault.As(err); ok && f.Kind == fault.Invalid { // the run did not begin
					return err
				}

				text, failed := json.Marshal(totals)
				if failed == nil {
					failed = printText(cmd, string(text)+"\n")
				}

				if err != nil {
					err = unfinishedError{err, "the totals count the finished errors; the others can be processed again after a minute"}
				}

				return cmp.Or(err, failed)
			})
		},
	}
	bindDatabaseFlags(cmd)
	rejectionFlags(cmd, &q)
	cmd.Flags().BoolVar(&q.All, "all", false, "Without a filter: process all open errors")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "Maximum number of errors, oldest first; 0 means no limit")
	cmd.Flags().BoolVar(&q.DryRun, "dry-run", false, "Print the results and change nothing")
	return cmd
}

func newReplay() *cobra.Command {
	return newBulkCommand("replay", "Send open rejected events through ingest again; those rejected again stay open",
		func(cmd *cobra.Command, r cli.Rejections, q cli.RejectionQuery, progress func(rejection.ReplayTotals)) (rejection.ReplayTotals, error) {
			return r.Replay(cmd.Context(), q, progress)
		})
}

func newDiscard() *cobra.Command {
	return newBulkCommand("discard", "Close open rejected events for good",
		func(cmd *cobra.Command, r cli.Rejections, q cli.RejectionQuery, progress func(rejection.DiscardTotals)) (rejection.DiscardTotals, error) {
			return r.Discard(cmd.Context(), q, progress)
		})
}
