package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

func newRejection() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rejection", Short: "List, replay and discard refused events, on the database",
		Long: `List, replay and discard refused events, which the API calls errors.

  theeye rejection list --code schema_violation --status open
  theeye rejection replay --code schema_violation --category shop --dry-run
  theeye rejection replay --code schema_violation --category shop

Where a schema was changed just before, a replay goes by the new one.`,
	}
	cmd.AddCommand(newRejectionList(), newRejectionShow(), newReplay(), newDiscard())
	return cmd
}

// rejectionFlags adds the filters.
func rejectionFlags(cmd *cobra.Command, q *cli.RejectionQuery) {
	f := cmd.Flags()
	f.StringVar(&q.Code, "code", "", "Only those with this code among their reasons")
	f.StringVar(&q.Application, "application", "", "Only those of this application")
	f.StringVar(&q.Category, "category", "", "Only those of this category")
	f.StringVar(&q.Name, "name", "", "Only those of this name")
	f.StringVar(&q.Session, "session-id", "", "Only those of this session")
	f.StringVar(&q.From, "from", "", "Only those received from this time or day on")
	f.StringVar(&q.To, "to", "", "Only those received before this time or day")
}

// withRejections loads the settings and runs use on the database.
func withRejections(cmd *cobra.Command, use func(cli.Rejections) error) error {
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}

	return cli.WithRejections(cmd.Context(), c, use)
}

func newRejectionList() *cobra.Command {
	var q cli.RejectionQuery
	asJSON := false
	cmd := &cobra.Command{
		Use: "list", Short: "List refused events, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 {
				return usageError{fmt.Errorf("--limit is a number from 1 on")}
			}

			if err := checkOneOf("--status", q.Status, cli.RejectionStatuses()); err != nil {
				return err
			}

			return withRejections(cmd, func(r cli.Rejections) error {
				if asJSON {
					return r.List(cmd.Context(), q, func(one *query.Rejection) error { return printRejection(cmd, one) })
				}

				var failed error
				err := printTable(cmd, "RECEIVED AT\tSTATUS\tCODE\tAPPLICATION\tCATEGORY\tNAME\tERROR ID", func(w *tabwriter.Writer) {
					failed = r.List(cmd.Context(), q, func(one *query.Rejection) error {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.ReceivedAt.UTC().Format(time.RFC3339), one.Status, one.Code, one.Application, //nolint:errcheck // Flush tells
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
	cmd.Flags().StringVar(&q.Status, "status", "", "Only those in this status: "+strings.Join(cli.RejectionStatuses(), ", "))
	cmd.Flags().IntVar(&q.Limit, "limit", defaultLimit, "At most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print one a line as JSON, as the API has them")
	return cmd
}

// checkOneOf refuses a flag's text that is none of a few.
func checkOneOf(flag, text string, values []string) error {
	if text == "" || slices.Contains(values, text) {
		return nil
	}

	return usageError{fmt.Errorf("%s is one of: %s", flag, strings.Join(values, ", "))}
}

// formatCell shows a text that a client sent, or that there is none.
func formatCell(text *string) string {
	if text == nil {
		return "-"
	}

	return fmt.Sprintf("%q", *text)
}

func newRejectionShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ERROR_ID", Short: "Show a refused event as JSON, with the text as it was sent", Args: cobra.ExactArgs(1),
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

// newBulkCommand builds a command that does something to open rejections, which are named or
// filtered. Its progress goes to standard error and its totals to standard output.
func newBulkCommand[T any](use, short string, run func(cmd *cobra.Command, r cli.Rejections, q cli.RejectionQuery, progress func(T)) (T, error)) *cobra.Command {
	var q cli.RejectionQuery
	cmd := &cobra.Command{
		Use: use + " [ERROR_ID ...]", Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				q.IDs = args
			}

			if q.Limit < 0 {
				return usageError{fmt.Errorf("--limit is a number from 1 on")}
			}

			if !q.HasSelection() {
				return usageError{errors.New("say which errors are meant: their ids, or filters such as --code and --category, or --all")}
			}

			return withRejections(cmd, func(r cli.Rejections) error {
				shown := newProgress(cmd)
				totals, err := run(cmd, r, q, func(totals T) {
					if text, err := json.Marshal(totals); err == nil {
						shown.showText("%s", text)
					}
				})
				shown.clearLine()
				if fault.Is(err, fault.CodeInvalidRequest) {
					return usageError{err}
				}

				text, failed := json.Marshal(totals)
				if failed == nil {
					failed = printText(cmd, string(text)+"\n")
				}

				if err != nil {
					err = unfinishedError{err, "the totals count what was done; errors that were being worked on can be worked on again after a minute"}
				}

				return cmp.Or(err, failed)
			})
		},
	}
	bindDatabaseFlags(cmd)
	rejectionFlags(cmd, &q)
	cmd.Flags().BoolVar(&q.All, "all", false, "Take all open ones, where no filter is given")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "At most so many, the oldest first; 0 is no bound")
	cmd.Flags().BoolVar(&q.DryRun, "dry-run", false, "Print what would become of them, and change nothing")
	return cmd
}

func newReplay() *cobra.Command {
	return newBulkCommand("replay", "Send open refused events through again; what is refused again stays open",
		func(cmd *cobra.Command, r cli.Rejections, q cli.RejectionQuery, progress func(rejection.ReplayTotals)) (rejection.ReplayTotals, error) {
			return r.Replay(cmd.Context(), q, progress)
		})
}

func newDiscard() *cobra.Command {
	return newBulkCommand("discard", "Close open refused events for good",
		func(cmd *cobra.Command, r cli.Rejections, q cli.RejectionQuery, progress func(rejection.DiscardTotals)) (rejection.DiscardTotals, error) {
			return r.Discard(cmd.Context(), q, progress)
		})
}
