package cli

import (
	"context"
	"fmt"
	"os/user"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// WithAdmin calls use with the registry of applications and keys, for commands
// that use the database without a service. Running services notice changes with
// their next refresh.
func WithAdmin(ctx context.Context, c config.Config, use func(*access.Registry) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error { return use(app.NewRegistry(postgres.NewAccessStore(db), nil)) })
}

// withDatabase calls use with a database whose schema is current.
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
		if wrong := postgres.AsPoolerError(err); wrong != nil {
			return wrong
		}

		return err
	}

	return use(db)
}

// WithCommandActor returns a context in which changes are attributed to theeye's commands,
// and to the operating system's user who runs the command, if the user has a name.
func WithCommandActor(ctx context.Context) context.Context {
	name := audit.CommandActor
	if current, err := user.Current(); err == nil && current.Username != "" {
		name += ":" + current.Username
	}

	return audit.WithActor(ctx, audit.Actor{Name: name})
}

// Migrate brings the schema up to date, and reports each step. It is safe to run several at
// once.
func Migrate(ctx context.Context, c config.Config, report func(postgres.MigrationStep)) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.MigrateWithProgress(ctx, c.Database.URL.Reveal(), report)
}

// MakeRoles creates the missing roles, and grants each the privileges that it needs and no
// others. It is safe to repeat.
func MakeRoles(ctx context.Context, c config.Config, roles postgres.Roles) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.MakeRoles(ctx, c.Database.URL.Reveal(), roles)
}

// MigrateDown reverts the last migration, deletes its data, and reports the migration if there
// was one.
func MigrateDown(ctx context.Context, c config.Config, report func(postgres.MigrationStep)) error {
	if err := c.RequireDatabase(); err != nil {
		return fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.MigrateDown(ctx, c.Database.URL.Reveal(), report)
}

// Migrations lists the migrations, and whether each is applied.
func Migrations(ctx context.Context, c config.Config) ([]postgres.Migration, error) {
	if err := c.RequireDatabase(); err != nil {
		return nil, fmt.Errorf("%w: %w", app.ErrConfiguration, err)
	}

	return postgres.Migrations(ctx, c.Database.URL.Reveal())
}
