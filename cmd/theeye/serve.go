package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
)

func newServe(hurry <-chan struct{}) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API on the database that database.url names",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			logger, err := newLogger(c)
			if err != nil {
				return err
			}
			defer logger.Sync() //nolint:errcheck // standard error needs no flushing

			settings := make([]zap.Field, 0, len(c.Describe()))
			for _, line := range c.Describe() {
				settings = append(settings, zap.String(line.Key, line.Value))
			}

			tuneMemory(c)
			logger.Info("starting", zap.Dict("settings", settings...))
			service, err := app.Start(cmd.Context(), c, thisBuild(), logger.Logger, app.WithLog(logger))
			if err != nil {
				return withListenAdvice(err, serveListenAdvice)
			}

			return service.Run(cmd.Context(), hurry)
		},
	}
	config.BindFlags(cmd.Flags())
	return cmd
}

// tuneMemory trades memory for time. With an empty queue the live heap is a few
// megabytes, and by default the garbage collector would run dozens of times a second
// under load. At 400 % it costs a quarter of that, for about ten megabytes. With a long
// queue, the memory limit makes the collector run as often as necessary; the queue, the
// bodies in flight and the groups in flight fit below the limit. GOGC and GOMEMLIMIT take
// precedence.
func tuneMemory(c config.Config) {
	const percent, base = 400, 128 << 20
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}

	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(base + 3*int64(c.Ingest.QueueBytes))
	}
}

func newDev(hurry <-chan struct{}) *cobra.Command {
	const listen, ops = "127.0.0.1:8080", "127.0.0.1:8081"
	defaults := map[string]string{"http.listen": listen, "ops.listen": ops, "log.format": "console", "drain.delay": "0s"}
	options := cli.DevOptions{Logger: newLogger, Build: thisBuild(), Tune: tuneMemory}
	var address string
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a complete service on this machine, with a private Postgres",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Out = cmd.OutOrStdout()
			if !cmd.Flags().Changed("data-dir") {
				options.FallbackDir = "/var/lib"
			}

			if err := options.PrepareDataDir(); err != nil {
				return err
			}

			file, err := cmd.Flags().GetString(config.FileFlag)
			if err != nil {
				return fmt.Errorf("read --%s: %w", config.FileFlag, err)
			}

			options.Load = func(databaseURL string) (config.Config, error) {
				flags := config.SetFlags(cmd.Flags())
				flags["database.url"] = databaseURL // the private one, regardless of the settings
				if cmd.Flags().Changed("listen") {
					flags["http.listen"] = address
				}

				return config.Load(config.Sources{
					Defaults: defaults,
					Flags:    flags,
					Environ:  withoutDatabase(os.Environ()),
					File:     file,
				})
			}
			return withListenAdvice(cli.RunDev(cmd.Context(), options, hurry), devListenAdvice)
		},
	}
	config.BindFlags(cmd.Flags())
	cmd.Flags().StringVar(&options.DataDir, "data-dir", ".theeye", "Keep all data in this `folder`")
	cmd.Flags().StringVar(&options.PgBin, "pg-bin", "", "Use the Postgres server binaries in this `folder`")
	cmd.Flags().StringVar(&address, "listen", listen, "Serve the API at this `host:port`")
	for _, setting := range config.Settings() {
		if standard, differs := defaults[setting.Key]; differs {
			cmd.Flags().Lookup(setting.Flag).DefValue = standard
		}
	}

	for _, hidden := range []string{"http-listen", "database-url"} {
		cmd.Flags().Lookup(hidden).Hidden = true
	}

	return cmd
}

// withoutDatabase removes the variables that name a database. A shell that sourced dev.env,
// or is set up for another database, must not redirect the private service.
func withoutDatabase(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "THEEYE_DATABASE_URL") {
			kept = append(kept, variable)
		}
	}

	return kept
}

func newConfig() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in force and the source of each, without secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			if asJSON {
				return printJSON(cmd, c.Describe())
			}

			return printTable(cmd, "SETTING\tVALUE\tFROM", func(w *tabwriter.Writer) {
				for _, line := range c.Describe() {
					fmt.Fprintf(w, "%s\t%s\t%s\n", line.Key, line.Value, line.Source) //nolint:errcheck // Flush returns the error
				}
			})
		},
	}
	config.BindFlags(cmd.Flags())
	bindJSON(cmd, &asJSON)
	return cmd
}
