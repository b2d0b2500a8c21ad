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

	"github.com/the-eye-events/the-eye/internal/app"
)

func newErase() *cobra.Command {
	cmd := &cobra.Command{Use: "erase", Short: "Erase what is stored, for good, on the database"}
	session := onDatabase(app.WithDesk, "session ID", "Erase a session, its events and its errors; later events of it are refused", 1,
		func(ctx context.Context, d app.Desk, args []string) (app.ErasedSession, error) {
			return d.EraseSession(ctx, args[0])
		}, func(w *tabwriter.Writer, erased app.ErasedSession) {
			fmt.Fprintf(w, "sessions\t%d\nevents\t%d\nerrors\t%d\n", erased.Sessions, erased.Events, erased.Rejections) //nolint:errcheck // Flush tells
		})
	event := onDatabase(app.WithDesk, "event ID", "Erase one event; its number in the session stays unused", 1,
		func(ctx context.Context, d app.Desk, args []string) (app.ErasedEvent, error) {
			return d.EraseEvent(ctx, args[0])
		}, func(w *tabwriter.Writer, _ app.ErasedEvent) {
			fmt.Fprintln(w, "events\t1") //nolint:errcheck // Flush tells
		})
	for _, sub := range []*cobra.Command{session, event} {
		confirmed(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

// confirmed makes a command that is given an id ask before it erases, unless it is given
// --yes. Where nobody can be asked, --yes is needed.
func confirmed(cmd *cobra.Command) {
	yes := false
	cmd.Flags().BoolVar(&yes, "yes", false, "Erase without asking")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := app.CheckID(args[0]); err != nil {
			return err
		}
		if !yes {
			in := cmd.InOrStdin()
			unasked := usageError{fmt.Errorf("%s deletes data; add --yes to do it", cmd.CommandPath())}
			if !isTerminal(in) {
				return unasked
			}
			err := ask(in, cmd.ErrOrStderr(), fmt.Sprintf("Erase the %s %s for good? Type yes: ", cmd.Name(), args[0]))
			if errors.Is(err, io.EOF) {
				return unasked
			}
			if err != nil {
				return err
			}
		}
		return run(cmd, args)
	}
}

var errNotConfirmed = errors.New("nothing was erased")

// ask asks a question that only "yes" answers. It returns io.EOF when there is nobody.
func ask(in io.Reader, out io.Writer, question string) error {
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
