package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/erasure"
)

func newErase() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Erase stored data for good, directly in the database",
		Long: `Erase stored data for good, directly in the database.

  theeye erase session e2085be5-9137-4e4e-80b5-f1ffddc25423
  theeye erase subject --data user.id=8612

Once an erasure has begun, any service that runs on the database finishes it, even when
this command is interrupted. theeye erasure ID shows its progress.`,
	}
	session := newDatabaseCommand(cli.WithDataAdmin, "session ID", "Erase a session, its events and its errors; later events of the session are rejected", 1,
		func(ctx context.Context, d cli.DataAdmin, args []string) (cli.ErasedSession, error) {
			shown := newProgress(cmd)
			defer shown.clearLine()

			return d.EraseSession(ctx, args[0], shown.showErasure)
		}, func(w *tabwriter.Writer, erased cli.ErasedSession) {
			fmt.Fprintf(w, "sessions\t%d\nevents\t%d\nerrors\t%d\n", erased.Sessions, erased.Events, erased.Rejections) //nolint:errcheck // Flush returns the error
		})
	var values []string
	subject := newDatabaseCommand(cli.WithDataAdmin, "subject", "Erase all events and errors whose payloads have these values", 0,
		func(ctx context.Context, d cli.DataAdmin, _ []string) (*erasure.Erasure, error) {
			shown := newProgress(cmd)
			defer shown.clearLine()

			return d.EraseSubject(ctx, values, shown.showErasure)
		}, showErasure)
	dataFlag(subject, &values)
	event := newDatabaseCommand(cli.WithDataAdmin, "event ID", "Erase one event; its sequence number is not used again", 1,
		func(ctx context.Context, d cli.DataAdmin, args []string) (cli.ErasedEvent, error) {
			return d.EraseEvent(ctx, args[0])
		}, func(w *tabwriter.Writer, _ cli.ErasedEvent) {
			fmt.Fprintln(w, "events\t1") //nolint:errcheck // Flush returns the error
		})
	requireConfirmation(session, func(args []string) string { return "the session " + args[0] })
	requireConfirmation(event, func(args []string) string { return "the event " + args[0] })
	requireConfirmation(subject, func([]string) string { return "all events and errors with " + strings.Join(values, " and ") })
	cmd.AddCommand(session, event, subject)
	return cmd
}

// requireConfirmation makes a command ask before it erases, unless --yes is given. Without a
// terminal, --yes is required. describe names the data to erase.
func requireConfirmation(cmd *cobra.Command, describe func(args []string) string) {
	yes := false
	cmd.Flags().BoolVar(&yes, "yes", false, "Erase without asking")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, id := range args {
			if err := cli.CheckID(id); err != nil {
				return err
			}
		}

		if !yes {
			in := cmd.InOrStdin()
			noAnswer := usageError{fmt.Errorf("%s deletes data; add --yes to confirm", cmd.CommandPath())}
			if !isTerminal(in) {
				return noAnswer
			}

			err := promptForYes(in, cmd.ErrOrStderr(), "Erase "+describe(args)+" for good? Type yes: ")
			if errors.Is(err, io.EOF) {
				return noAnswer
			}

			if err != nil {
				return err
			}
		}

		return run(cmd, args)
	}
}

var errNotConfirmed = errors.New("nothing was erased")

// promptForYes asks a question and accepts only "yes". It returns io.EOF when the input ends
// without an answer.
func promptForYes(in io.Reader, out io.Writer, question string) error {
	if _, err := io.WriteString(out, question); err != nil {
		return fmt.Errorf("ask: %w", err)
	}

	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}

	if strings.TrimSpace(answer) != "yes" {
		return errNotConfirmed
	}

	return nil
}
