package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// WithAdmin runs use with the registry of applications and keys, for commands
// that work on the database without a service. Changes reach running services
// within their refresh.
func WithAdmin(ctx context.Context, c config.Config, use func(*access.Registry) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error { return use(app.NewRegistry(postgres.NewAccessStore(db), nil)) })
}

// withDatabase runs use with a database whose schema is current.
func withDatabase(ctx context.Context, c config.Config, use func(*postgres.DB) error) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	db, err := postgres.Open(ctx, app.DatabaseConfig(c))
	if err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}
	defer db.Close()

	if err := db.CheckSchema(ctx); err != nil {
		if errors.Is(err, postgres.ErrEncoding) {
			return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
		}

		if wrong := postgres.AsPoolerError(err); wrong != nil {
			return fmt.Errorf("%w: %w", app.ErrConfiguration, wrong)
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

// Migrate brings the schema up to date, and tells each step. It is safe to run several at once.
func Migrate(ctx context.Context, c config.Config, tell func(postgres.MigrationStep)) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	err := postgres.MigrateWithProgress(ctx, c.Database.URL.Reveal(), tell)
	if errors.Is(err, postgres.ErrEncoding) || errors.Is(err, postgres.ErrPlanted) {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return err
}

// MakeRoles makes the roles that are missing, and grants each what it needs and no
// more. It may run again at any time.
func MakeRoles(ctx context.Context, c config.Config, roles postgres.Roles) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.MakeRoles(ctx, c.Database.URL.Reveal(), roles)
}

// MigrateDown takes back the last step of the schema, and the data it held.
func MigrateDown(ctx context.Context, c config.Config) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.MigrateDown(ctx, c.Database.URL.Reveal())
}

// Migrations tells which steps there are, and which were taken.
func Migrations(ctx context.Context, c config.Config) ([]postgres.Migration, error) {
	if err := c.RequireDatabase(); err != nil {
		return nil, fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.Migrations(ctx, c.Database.URL.Reveal())
}
