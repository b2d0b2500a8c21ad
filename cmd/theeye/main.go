// Command theeye is The Eye: the service, its administration, and a complete
// development service with a private Postgres. It holds arguments and exit codes;
// everything else is in internal/app, which serves, and internal/cli.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/export"
	"github.com/the-eye-events/the-eye/internal/cli/kube"
	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/cli/top"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// The linker sets these when the program is built.
var (
	version  = "dev"
	revision = "" //nolint:gochecknoglobals // for builds without a repository to read it from
)

// Exit codes, as sysexits.h has them.
const (
	exitFailure       = 1  // the command did not do what it was asked
	exitUsage         = 64 // the arguments are invalid
	exitData          = 65 // a file cannot be used, or an existing Secret belongs to something else
	exitDependency    = 69 // the database, or the service to watch, cannot be reached
	exitInternal      = 70 // a bug, or requests were abandoned
	exitConfiguration = 78 // a setting or the schema is wrong

	exitSignal = 128 // plus the number of the signal that ended the command, as in shells
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, out, errOut io.Writer) int {
	ctx, hurry, stop := watchSignals()
	defer stop()

	root := newRoot(hurry)
	root.SetArgs(arguments)
	root.SetOut(out)
	root.SetErr(errOut)
	err := explainInterruption(ctx, root.ExecuteContext(cli.WithCommandActor(ctx)))
	if text := errorMessage(err); text != "" {
		fmt.Fprintln(errOut, "theeye: "+text) //nolint:errcheck // there is nowhere to report it
	}

	return exitCode(err)
}

func newRoot(hurry <-chan struct{}) *cobra.Command {
	root := &cobra.Command{
		Use:           "theeye",
		Short:         "The Eye collects user-behaviour events and stores them in Postgres",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{suggestFlag(cmd, err)} })
	root.AddCommand(
		newServe(hurry),
		newDev(hurry),
		newMigrate(),
		newConfig(),
		newApplication(),
		newKey(),
		newEventType(),
		newRejection(),
		newErase(),
		newErasure(),
		newSubject(),
		newAudit(),
		newTop(),
		newDoctor(),
		newCheck(),
		newHealthcheck(),
		newExport(),
		newVersion(),
	)
	addMan(root)
	enforceArguments(root)
	addCompletions(root)
	return root
}

// usageError marks an error in the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	var stopped interruption
	f, isFault := fault.As(err)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &stopped):
		return exitSignal + int(stopped.signal)
	case errors.As(err, &usage), isFault && f.Kind == fault.Invalid:
		return exitUsage
	case errors.Is(err, plan.ErrInvalid), errors.Is(err, cli.ErrForeignKey):
		return exitData
	case errors.Is(err, app.ErrConfiguration),
		errors.Is(err, postgres.ErrSchemaBehind),
		errors.Is(err, postgres.ErrEncoding),
		errors.Is(err, postgres.ErrPlanted),
		postgres.AsPoolerError(err) != nil,
		errors.Is(err, kube.ErrNotInCluster):
		return exitConfiguration
	case errors.Is(err, app.ErrDependency),
		errors.Is(err, cli.ErrPrivatePostgres),
		errors.Is(err, top.ErrUnreachable),
		errors.Is(err, export.ErrUnreachable),
		errors.Is(err, cli.ErrUnreachable),
		isFault && f.Kind == fault.Unavailable:
		return exitDependency
	case errors.Is(err, app.ErrAbandoned), isFault && f.Kind == fault.Internal:
		return exitInternal
	}

	return exitFailure
}

// errorMessage returns the text of an error: of a fault, its detail and its violations.
func errorMessage(err error) string {
	if err == nil {
		return ""
	}

	if f, ok := fault.As(err); ok && f.Kind != fault.Unavailable && f.Kind != fault.Internal && f.Detail != "" {
		lines := []string{f.Detail}
		for _, v := range f.Violations {
			if v.Detail != f.Detail {
				lines = append(lines, "  "+v.Pointer+": "+v.Detail)
			}
		}

		return strings.Join(lines, "\n")
	}

	return err.Error()
}

// loadConfig reads the settings from a command's flags, the environment and the file.
func loadConfig(cmd *cobra.Command) (config.Config, error) {
	file, err := cmd.Flags().GetString(config.FileFlag)
	if err != nil {
		return config.Config{}, fmt.Errorf("read --%s: %w", config.FileFlag, err)
	}

	c, err := config.Load(config.Sources{Flags: config.SetFlags(cmd.Flags()), Environ: os.Environ(), File: file})
	if err != nil {
		return c, fmt.Errorf("%w:\n%w", app.ErrConfiguration, err)
	}

	return c, nil
}

// thisBuild returns the version and the revision of this build.
func thisBuild() telemetry.Build {
	build := telemetry.Build{Version: version, GoVersion: runtime.Version(), Revision: cmp.Or(revision, "unknown")}
	if info, ok := debug.ReadBuildInfo(); ok && revision == "" {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				build.Revision = setting.Value
			}
		}
	}

	return build
}

// newLogger logs to standard error. Errors of OpenTelemetry are logged too, because its SDK
// would write its own lines to standard error otherwise.
func newLogger(c config.Config) (*telemetry.Log, error) {
	log, err := app.NewLog(c, version, os.Stderr)
	if err == nil {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { //nolint:forbidigo // the SDK has no other way, and this is the main program
			log.Warn("OpenTelemetry error", zap.Error(err))
		}))
	}

	return log, err
}
