package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/cli"
)

func newAudit() *cobra.Command {
	var wanted cli.AuditQuery
	cmd := newDatabaseCommand(cli.WithDataAdmin, "audit", "List the changes by administrators, newest first", 0,
		func(ctx context.Context, d cli.DataAdmin, _ []string) ([]audit.Entry, error) {
			if wanted.Limit < 1 {
				return nil, usageError{errors.New("--limit must be at least 1")}
			}

			if err := checkOneOf("--action", wanted.Action, audit.ActionNames()); err != nil {
				return nil, err
			}

			return d.ListAudit(ctx, wanted)
		}, func(w *tabwriter.Writer, entries []audit.Entry) {
			fmt.Fprintln(w, "AT\tACTOR\tACTION\tTARGET\tDETAIL") //nolint:errcheck // Flush returns the error
			for i := range entries {
				e := &entries[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format(time.RFC3339), e.Actor.Name, e.Action, e.Target, e.Detail) //nolint:errcheck // as above
			}
		})
	const defaultLimit = 100
	addFilter(cmd.Flags(), &wanted.Actor, "actor", "List changes by this actor only, such as key:ID")
	addFilter(cmd.Flags(), &wanted.Action, "action", "List changes of this kind only: "+strings.Join(audit.ActionNames(), ", "))
	addFilter(cmd.Flags(), &wanted.Target, "target", "List changes to the object with this name or id only")
	addFilter(cmd.Flags(), &wanted.From, "from", "List changes since this time or day only")
	addFilter(cmd.Flags(), &wanted.To, "to", "List changes before this time or day only")
	cmd.Flags().IntVar(&wanted.Limit, "limit", defaultLimit, "Maximum number of changes")
	return cmd
}
