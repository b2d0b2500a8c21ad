// Command eyeload is the load tester of The Eye. This package holds the arguments and exit
// codes; the rest is in load, limits and chaos.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/eyeload/chaos"
	"github.com/the-eye-events/the-eye/eyeload/limits"
	"github.com/the-eye-events/the-eye/eyeload/load"
)

// version is set when the program is built.
var version = "dev"

// Exit codes as in sysexits.h.
const (
	exitFailure    = 1  // a threshold or the reconciliation failed
	exitUsage      = 64 // the arguments are invalid
	exitDependency = 69 // the service cannot be reached
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, out, errOut io.Writer) int {
	ctx, stop := signalContext()
	defer stop()

	root := newRoot()
	root.SetArgs(arguments)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(errOut, "eyeload: "+err.Error()) //nolint:errcheck // nowhere to report it
	}

	return exitCode(err)
}

// signalContext returns a context that ends with the first SIGINT or SIGTERM, so that the run
// can finish in order. The second signal ends the program at once.
func signalContext() (ctx context.Context, stop func()) {
	ctx, stop = signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "eyeload",
		Short:         "Load tests for The Eye",
		Args:          cobra.NoArgs,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}

	root.AddCommand(newAttack(), newChaos(), newLimits(), newOverload())
	markUsageErrors(root)

	return root
}

// markUsageErrors makes invalid arguments a usage error in all commands.
func markUsageErrors(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, arguments []string) error {
		if err := check(cmd, arguments); err != nil {
			return usageError{err}
		}

		return nil
	}

	for _, sub := range cmd.Commands() {
		markUsageErrors(sub)
	}
}

// usageError marks invalid arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage), errors.Is(err, load.ErrOptions), errors.Is(err, limits.ErrOptions), errors.Is(err, chaos.ErrOptions):
		return exitUsage
	case errors.Is(err, load.ErrUnreachable):
		return exitDependency
	}

	return exitFailure
}
