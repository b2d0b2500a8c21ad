package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/erasure"
)

func newErasure() *cobra.Command {
	return newDatabaseCommand(cli.WithDataAdmin, "erasure ID", "Show the progress of an erasure, and its receipt", 1,
		func(ctx context.Context, d cli.DataAdmin, args []string) (*erasure.Erasure, error) {
			return d.FindErasure(ctx, args[0])
		}, showErasure)
}

// showErasure prints an erasure as text.
func showErasure(w *tabwriter.Writer, e *erasure.Erasure) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, name+"\t"+format+"\n", args...) //nolint:errcheck // Flush returns the error
	}
	at := func(name string, moment time.Time) {
		if !moment.IsZero() {
			line(name, "%s", moment.UTC().Format(time.RFC3339))
		}
	}
	line("erasure", "%s", e.ID)
	line("state", "%s", e.State())
	line("requested by", "%s", e.Actor.Name)
	at("requested at", e.RequestedAt)
	at("started at", e.StartedAt)
	if e.FinishedAt.IsZero() {
		line("step", "%s, %d examined", e.Step, e.Scanned)
	}

	at("finished at", e.FinishedAt)
	at("erased until", e.ErasedUntil)
	if len(e.Paths) > 0 {
		line("by the values of", "%s", strings.Join(e.Paths, ", "))
		line("values sha256", "%s", hex.EncodeToString(e.FilterDigest))
	}

	line("sessions", "%d", e.Sessions)
	line("events", "%d", e.Events)
	line("errors", "%d", e.Rejections)
	if !e.FinishedAt.IsZero() {
		line("ids sha256 sum", "%s", hex.EncodeToString(e.Digest))
	}
}

func newSubject() *cobra.Command {
	cmd := &cobra.Command{Use: "subject", Short: "Export the data stored about a person, from the database"}
	var values []string
	export := &cobra.Command{
		Use:   "export",
		Short: "Write all events and errors whose payloads have these values, one JSON object per line",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			return cli.WithDataAdmin(cmd.Context(), c, func(d cli.DataAdmin) error {
				events, errors, err := d.ExportSubject(cmd.Context(), values, func(line []byte) error {
					return printText(cmd, string(line)+"\n")
				})
				if err != nil {
					return fmt.Errorf("the export is incomplete: %w", err)
				}

				cmd.PrintErrf("%d events and %d errors\n", events, errors)
				return nil
			})
		},
	}
	bindDatabaseFlags(export)
	dataFlag(export, &values)
	cmd.AddCommand(export)
	return cmd
}

// dataFlag adds the flag that names a person. A value may hold commas.
func dataFlag(cmd *cobra.Command, values *[]string) {
	cmd.Flags().StringArrayVar(values, "data", nil, "The `path=value` of a payload, such as user.id=8612; may be repeated, and all must match")
}

// showErasure shows the progress of an erasure.
func (p *progress) showErasure(e erasure.Erasure) {
	p.showText("erasure %s: %s; %d examined; %d events and %d errors erased", e.ID, e.Step, e.Scanned, e.Events, e.Rejections)
}
