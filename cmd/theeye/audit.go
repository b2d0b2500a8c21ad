package main

import (
	"context"
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
	cmd := newDatabaseCommand(cli.WithDataAdmin, "audit", "List what administrators changed, the newest first", 0,
		func(ctx context.Context, d cli.DataAdmin, _ []string) ([]audit.Entry, error) {
			if wanted.Limit < 1 {
				return nil, usageError{fmt.Errorf("--limit is a number from 1 on")}
			}

			return d.ListAudit(ctx, wanted)
		}, func(w *tabwriter.Writer, entries []audit.Entry) {
			fmt.Fprintln(w, "AT\tACTOR\tACTION\tTARGET\tDETAIL") //nolint:errcheck // Flush tells
			for i := range entries {
				e := &entries[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format(time.RFC3339), e.Actor.Name, e.Action, e.Target, e.Detail) //nolint:errcheck // as above
			}
		})
	const defaultLimit = 100
	cmd.Flags().StringVar(&wanted.Actor, "actor", "", "Only changes by this actor, such as key:ID")
	cmd.Flags().StringVar(&wanted.Action, "action", "", "Only changes of this kind: "+strings.Join(cli.AuditActions(), ", "))
	cmd.Flags().StringVar(&wanted.Target, "target", "", "Only changes of what has this name or id")
	cmd.Flags().StringVar(&wanted.From, "from", "", "Only changes from this time or day on")
	cmd.Flags().StringVar(&wanted.To, "to", "", "Only changes before this time or day")
	cmd.Flags().IntVar(&wanted.Limit, "limit", defaultLimit, "At most so many")
	return cmd
}
