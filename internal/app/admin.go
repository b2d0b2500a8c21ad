package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os/user"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

func newRegistry(store *postgres.AccessStore, directory access.Refresher) *access.Registry {
	return access.NewRegistry(access.RegistryDeps{
		Applications: store, Keys: store, Cache: directory, Rand: rand.Reader, Now: time.Now,
	})
}

// The words of administration, for commands.
type (
	// Admin administers applications and keys.
	Admin = *access.Registry
	// Application is a trusted client.
	Application = access.Application
	// ApplicationSpec is what an application is created from.
	ApplicationSpec = access.ApplicationSpec
	// Key is what is known of a key, its secret apart.
	Key = access.Key
	// KeySpec is what a key is created from.
	KeySpec = access.KeySpec
	// CreatedKey is a key together with its text.
	CreatedKey = access.CreatedKey
	// Scope is a set of things that a key may do.
	Scope = access.Scope
)

// ApplicationPatch is what changes of an application; what is not set stays.
type ApplicationPatch = access.ApplicationPatch

// DisabledPatch is the change that turns an application off or on.
func DisabledPatch(disabled bool) ApplicationPatch {
	return ApplicationPatch{Disabled: access.Some(disabled)}
}

// WithRateLimit is the change that bounds an application's events a second, or with 0 takes
// the bound away.
func WithRateLimit(patch ApplicationPatch, rate int) ApplicationPatch {
	patch.RateLimit = access.Null[int]()
	if rate != 0 {
		patch.RateLimit = access.Some(rate)
	}

	return patch
}

// WithOrigins is the change of the origins whose browsers may call.
func WithOrigins(patch ApplicationPatch, origins []string) ApplicationPatch {
	patch.AllowedOrigins = access.Some(origins)
	return patch
}

// WithAdmin runs use with the registry of applications and keys, for commands
// that work on the database without a service. Changes reach running services
// within their refresh.
func WithAdmin(ctx context.Context, c config.Config, use func(Admin) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error { return use(newRegistry(postgres.NewAccessStore(db), nil)) })
}

// withDatabase runs use with a database whose schema is current.
func withDatabase(ctx context.Context, c config.Config, use func(*postgres.DB) error) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	db, err := postgres.Open(ctx, databaseConfig(c))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}
	defer db.Close()

	if err := db.CheckSchema(ctx); err != nil {
		if errors.Is(err, postgres.ErrEncoding) {
			return fmt.Errorf("%w: %w", ErrConfiguration, err)
		}

		if wrong := postgres.AsPoolerError(err); wrong != nil {
			return fmt.Errorf("%w: %w", ErrConfiguration, wrong)
		}

		return err
	}

	return use(db)
}

// WithCommandActor returns a context in which what is changed is put down to theeye's
// commands, and to the operating system's user who runs this one, if that has a name.
func WithCommandActor(ctx context.Context) context.Context {
	name := audit.CommandActor
	if who, err := user.Current(); err == nil && who.Username != "" {
		name += ":" + who.Username
	}

	return audit.WithActor(ctx, audit.Actor{Name: name})
}

// Log is a logger, its level, and the count of what sampling left out.
type Log = telemetry.Log

// NewLog makes the logger that the settings ask for.
func NewLog(c config.Config, version string, w io.Writer) (*Log, error) {
	log, err := telemetry.NewLog(telemetry.LogConfig{Level: c.Log.Level, Format: c.Log.Format}, w)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	log.Logger = log.With(zap.String("version", version))
	return log, nil
}

// ErrSchemaBehind tells that the schema is older than this build.
var ErrSchemaBehind = postgres.ErrSchemaBehind

// Migration is one step of the schema.
type Migration = postgres.Migration

// MigrationStep is what is done with a migration.
type MigrationStep = postgres.MigrationStep

// The states of a step.
const (
	MigrationBegins  = postgres.MigrationBegins
	MigrationWaits   = postgres.MigrationWaits
	MigrationApplied = postgres.MigrationApplied
)

// Migrate brings the schema up to date, and tells each step. It is safe to run several at once.
func Migrate(ctx context.Context, c config.Config, tell func(MigrationStep)) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	err := postgres.MigrateWithProgress(ctx, c.Database.URL.Reveal(), tell)
	if errors.Is(err, postgres.ErrEncoding) || errors.Is(err, postgres.ErrPlanted) {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	return err
}

// Roles names the roles that a database is used with.
type Roles = postgres.Roles

// MakeRoles makes the roles that are missing, and grants each what it needs and no
// more. It may run again at any time.
func MakeRoles(ctx context.Context, c config.Config, roles Roles) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	return postgres.MakeRoles(ctx, c.Database.URL.Reveal(), roles)
}

// MigrateDown takes back the last step of the schema, and the data it held.
func MigrateDown(ctx context.Context, c config.Config) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	return postgres.MigrateDown(ctx, c.Database.URL.Reveal())
}

// Migrations tells which steps there are, and which were taken.
func Migrations(ctx context.Context, c config.Config) ([]Migration, error) {
	if err := c.RequireDatabase(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	return postgres.Migrations(ctx, c.Database.URL.Reveal())
}
