package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/the-eye-events/the-eye/migrations"
)

// versionTable is the table in which goose records the applied migrations.
const versionTable = "schema_version"

// Migration is one step of the schema.
type Migration struct {
	Version   int64     `json:"version"`
	Name      string    `json:"name"`
	Applied   bool      `json:"applied"`
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

// MigrationStep reports the progress of a migration.
type MigrationStep struct {
	State MigrationState
	// Version and Name are those of the migration; Version is 0 while it waits.
	Version int64
	Name    string
	// Took is its duration, once it is applied or reverted.
	Took time.Duration
}

// MigrationState is the state of a step.
type MigrationState int

// The states of a step. A step that waits for a table that is in use lets others pass, and
// starts again.
const (
	MigrationBegins MigrationState = iota
	MigrationWaits
	MigrationApplied
	MigrationReverted
)

// Migrate brings the schema up to date. Several may run at once: one works, the others wait for
// it and then find nothing to do. It changes neither a database that does not use UTF-8
// (ErrEncoding), nor one in which a function of an untrusted role would be run (ErrPlanted).
func Migrate(ctx context.Context, url string) error {
	return MigrateWithProgress(ctx, url, func(MigrationStep) {})
}

// MigrateWithProgress does the same as Migrate, and reports each step.
func MigrateWithProgress(ctx context.Context, url string, report func(MigrationStep)) error {
	if err := checkBeforeMigrating(ctx, url); err != nil {
		return err
	}

	return withMigrator(url, func(p *goose.Provider) error {
		return retryWhileLocked(ctx, func() { report(MigrationStep{State: MigrationWaits}) }, func() error {
			for {
				if err := applyNext(ctx, p, report); errors.Is(err, goose.ErrNoNextVersion) {
					return nil
				} else if err != nil {
					return err
				}
			}
		})
	})
}

func checkBeforeMigrating(ctx context.Context, url string) error {
	config, err := parseURL(url)
	if err != nil {
		return err
	}

	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return translateError(err, "connect")
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending on it

	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := checkEncoding(ctx, tx); err != nil {
			return err
		}

		return checkPlanted(ctx, tx)
	})
	return translateError(err, "check the database")
}

// applyNext applies the first migration that is missing, or returns goose.ErrNoNextVersion.
func applyNext(ctx context.Context, p *goose.Provider, report func(MigrationStep)) error {
	states, err := p.Status(ctx)
	if err != nil {
		return err
	}

	missing := slices.IndexFunc(states, func(s *goose.MigrationStatus) bool { return s.State == goose.StatePending })
	if missing >= 0 {
		report(MigrationStep{State: MigrationBegins, Version: states[missing].Source.Version, Name: states[missing].Source.Path})
	}

	result, err := p.UpByOne(ctx)
	if err == nil {
		report(MigrationStep{MigrationApplied, result.Source.Version, result.Source.Path, result.Duration})
	}

	return err
}

// MigrateDown reverts the last step, deletes the data that belongs to it, and reports the step.
// It reports none if no step was applied.
func MigrateDown(ctx context.Context, url string, report func(MigrationStep)) error {
	return withMigrator(url, func(p *goose.Provider) error {
		return retryWhileLocked(ctx, func() { report(MigrationStep{State: MigrationWaits}) }, func() error {
			result, err := p.Down(ctx)
			if errors.Is(err, goose.ErrNoNextVersion) {
				return nil
			}

			if err == nil {
				report(MigrationStep{MigrationReverted, result.Source.Version, result.Source.Path, result.Duration})
			}

			return err
		})
	})
}

// errTableInUse reports that a step never got exclusive access to a table.
var errTableInUse = errors.New("a table was in use for five minutes: find the old transaction in pg_stat_activity")

// retryWhileLocked runs steps. A step that waits for a table blocks every transaction that comes
// after it, so each gives up after a second, by a lock_timeout of its own, and is retried from
// its beginning, for five minutes. waits is called after each step that met a lock.
func retryWhileLocked(ctx context.Context, waits func(), steps func() error) error {
	policy := retryPolicy{attempts: 60, first: 4 * time.Second, longest: 4 * time.Second}

	err := policy.run(ctx, func() (retryDecision, error) {
		err := steps()
		if sqlState(err) != stateLockNotAvailable {
			return giveUp, translateError(err, "migrate")
		}

		waits()
		return retryCounted, errTableInUse
	})
	if errors.Is(err, errTableInUse) && ctx.Err() != nil {
		return fmt.Errorf("wait for a table that is in use: %w", context.Cause(ctx))
	}

	return err
}

// Migrations lists the steps and whether each was applied.
func Migrations(ctx context.Context, url string) ([]Migration, error) {
	var found []Migration
	err := withMigrator(url, func(p *goose.Provider) error {
		states, err := p.Status(ctx)
		for _, s := range states {
			found = append(found, Migration{
				Version:   s.Source.Version,
				Name:      s.Source.Path,
				Applied:   s.State == goose.StateApplied,
				AppliedAt: s.AppliedAt,
			})
		}

		return translateError(err, "read the state of the migrations")
	})
	return found, err
}

// withMigrator works under a lock in a table row, which unlike an advisory lock also holds
// behind a pooler. The lock of a migrator that died expires because it is no longer renewed.
func withMigrator(url string, use func(*goose.Provider) error) error {
	config, err := parseURL(url)
	if err != nil {
		return err
	}

	db := stdlib.OpenDB(*config)
	defer db.Close() //nolint:errcheck // nothing is pending on it

	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName("schema_lock"),
		lock.WithTableLockTimeout(200*time.Millisecond, 5*60*5), // five minutes
		// A missing privilege is not a lock of another migrator.
		lock.WithTableRetryPolicy(func(err error) bool { return sqlState(err) != stateInsufficientPrivilege }),
	)
	if err != nil {
		return fmt.Errorf("make the migration lock: %w", err)
	}

	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files(),
		goose.WithLocker(locker), goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}

	return explainDenied(db, use(provider))
}

// ErrSchemaBehind reports that the schema is older than this build.
var ErrSchemaBehind = errors.New("the database schema is not current: run `theeye migrate up`")

// versionSQL reads the few rows of goose's table.
const versionSQL = `select coalesce(max(version_id), 0) from schema_version where is_applied`

// CheckSchema returns ErrSchemaBehind unless every migration of this build was applied, and
// ErrEncoding for a database that does not use UTF-8. A newer schema is accepted: migrations
// keep the previous release working.
func (db *DB) CheckSchema(ctx context.Context) error {
	needed, err := newestMigration()
	if err != nil {
		return err
	}

	if err := checkEncoding(ctx, db.write); err != nil {
		return translateError(err, "read the encoding")
	}

	var version int64
	// The query runs in a transaction, so that a pooler without transactions is found at the
	// start.
	err = pgx.BeginFunc(ctx, db.write, func(tx pgx.Tx) error { return tx.QueryRow(ctx, versionSQL).Scan(&version) })
	switch {
	case sqlState(err) == stateUndefinedTable, errors.Is(err, pgx.ErrNoRows):
		return ErrSchemaBehind
	case err != nil:
		return translateError(err, "read the schema's version")
	case version < needed:
		return fmt.Errorf("%w (it is at %d, this build needs %d)", ErrSchemaBehind, version, needed)
	}

	return nil
}

func newestMigration() (int64, error) {
	entries, err := migrations.Files().ReadDir(".")
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}

	var newest int64
	for _, entry := range entries {
		version, err := goose.NumericComponent(entry.Name())
		if err != nil {
			return 0, fmt.Errorf("read the migrations: %w", err)
		}

		newest = max(newest, version)
	}

	return newest, nil
}
