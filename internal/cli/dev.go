package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/background"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/localpg"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// ErrPrivatePostgres means that the Postgres of a development service does not start.
var ErrPrivatePostgres = errors.New("the private Postgres does not start")

// DevOptions are the options of a development service.
type DevOptions struct {
	// DataDir holds all data that is kept between starts.
	DataDir string
	// FallbackDir is the parent folder of the database if this process is root and the
	// account of Postgres cannot reach DataDir, such as below /root. DataDir then holds a
	// link to it. If FallbackDir is empty, such a DataDir is an error.
	FallbackDir string
	// PgBin is the folder of Postgres' server binaries; empty searches for them.
	PgBin string
	// Load reads the settings, given the private database's URL.
	Load func(databaseURL string) (config.Config, error)
	// Tune applies the settings to the process.
	Tune func(config.Config)
	// Build describes this build.
	Build telemetry.Build
	// Logger returns the logger of the settings.
	Logger func(config.Config) (*telemetry.Log, error)
	// Out receives the greeting.
	Out io.Writer
}

// devDatabase is the database of the development service.
const devDatabase = "theeye"

// RunDev runs a complete service with a private Postgres until ctx ends, and stops
// both. hurry ends the shutdown early.
func RunDev(ctx context.Context, o DevOptions, hurry <-chan struct{}) (err error) {
	c, err := o.Load("postgres:///pending")
	if err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	o.Tune(c)
	log, err := o.Logger(c)
	if err != nil {
		return err
	}

	dataDir, err := o.databaseDir()
	if err != nil {
		return err
	}

	database, err := localpg.Start(ctx, localpg.Options{DataDir: dataDir, BinDir: o.PgBin, Durable: true, Logger: log.Logger})
	switch {
	case errors.Is(err, localpg.ErrInUse):
		return fmt.Errorf("%w; stop it, or use another --data-dir", err)
	case errors.Is(err, localpg.ErrClosed):
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrPrivatePostgres, err)
	}

	defer func() {
		const patience = 30 * time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()

		err = errors.Join(err, database.Stop(ctx))
	}()

	if err := createDatabase(ctx, database.DSN("postgres")); err != nil {
		return err
	}

	url := database.DSN(devDatabase)
	if err := postgres.Migrate(ctx, url); err != nil {
		return err
	}

	if c, err = o.Load(url); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return serveDev(ctx, o, c, log, database, hurry)
}

func serveDev(ctx context.Context, o DevOptions, c config.Config, log *telemetry.Log, database *localpg.Server, hurry <-chan struct{}) error {
	keys, err := createDemoKeys(ctx, c, filepath.Join(o.DataDir, envFile))
	if err != nil {
		return err
	}

	service, err := app.Start(ctx, c, o.Build, log.Logger, app.WithLog(log))
	if err != nil {
		return err
	}

	keys.url = "http://" + service.Addr()
	keys.opsURL = "http://" + service.OpsAddr()
	keys.databaseURL = c.Database.URL.Reveal()
	keys.dataDir = database.DataDir()
	if err := keys.writeEnv(filepath.Join(o.DataDir, envFile)); err != nil {
		return errors.Join(err, service.Drain(ctx, nil))
	}

	if err := keys.printGreeting(o.Out, filepath.Join(o.DataDir, envFile)); err != nil {
		return errors.Join(err, service.Drain(ctx, nil))
	}

	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)

		restartPostgres(watching, database, log.Logger)
	}()
	err = service.Run(ctx, hurry)
	stop()
	<-watched
	return err
}

// restartPostgres starts the private Postgres again whenever it has ended.
func restartPostgres(ctx context.Context, database *localpg.Server, logger *zap.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-database.Done():
		}

		logger.Warn("the private Postgres ended; starting it again")
		if err := database.Restart(ctx); err != nil {
			logger.Error("the private Postgres does not start", zap.Error(err))
			background.Wait(ctx, 5*time.Second)
		}
	}
}

// createDatabase creates the service's database unless it exists.
func createDatabase(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to the private Postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending on it

	var found bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", devDatabase).Scan(&found); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}

	if found {
		return nil
	}

	if _, err := conn.Exec(ctx, "create database "+devDatabase); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}

	return nil
}
