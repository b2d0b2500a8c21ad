package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/audit"
)

// createApplicationSQL adds to application_name_key, and waits there for another
// transaction that adds the same name.
const createApplicationSQL = `
insert into application (name, disabled, rate_limit, allowed_origins) values ($1, $2, $3, $4)
returning application_id, name, disabled, rate_limit, allowed_origins, created_at`

// CreateApplication implements access.ApplicationStore.
func (s *AccessStore) CreateApplication(ctx context.Context, spec access.ApplicationSpec) (access.Application, error) {
	var created access.Application
	err := s.commitChange(ctx, "create an application", func(tx pgx.Tx) (bool, error) {
		var err error
		created, err = readApplication(tx.QueryRow(ctx, createApplicationSQL,
			spec.Name, spec.Disabled, spec.RateLimit, textArray(spec.AllowedOrigins)))
		if violatesConstraint(err, "application_name_key") {
			return false, errNameTaken
		}

		if err != nil {
			return false, err
		}

		return true, recordAudit(ctx, tx, audit.ApplicationCreated, spec.Name, settingsOf(&created))
	})
	if err != nil {
		return access.Application{}, err
	}

	return created, nil
}

// applicationsSQL reads application_name_key in its order, or sorts the few rows
// there are. It takes no row lock.
const applicationsSQL = `
select application_id, name, disabled, rate_limit, allowed_origins, created_at
from application order by name`

// ListApplications implements access.ApplicationStore.
func (s *AccessStore) ListApplications(ctx context.Context) ([]access.Application, error) {
	found, err := collectRows(ctx, s.db.change, scanApplication, applicationsSQL)
	return found, translateError(err, "list the applications")
}

// applicationSQL finds its row by application_name_key and takes no row lock.
const applicationSQL = `
select application_id, name, disabled, rate_limit, allowed_origins, created_at
from application where name = $1`

// applicationIDSQL finds its row by application_name_key and takes no row lock.
const applicationIDSQL = `select application_id from application where name = $1`

// FindApplication implements access.ApplicationStore.
func (s *AccessStore) FindApplication(ctx context.Context, name string) (access.Application, error) {
	found, err := readApplication(s.db.change.QueryRow(ctx, applicationSQL, name))
	if errors.Is(err, pgx.ErrNoRows) {
		return found, errNoApplication
	}

	return found, translateError(err, "read an application")
}

// lockApplicationSQL finds its row by application_name_key and locks it until the transaction
// ends, so that neither of two concurrent patches undoes the other.
const lockApplicationSQL = applicationSQL + ` for update`

// updateApplicationSQL finds the row, which is locked already, by application_pkey.
const updateApplicationSQL = `
update application set disabled = $2, rate_limit = $3, allowed_origins = $4 where application_id = $1`

// UpdateApplication implements access.ApplicationStore.
func (s *AccessStore) UpdateApplication(ctx context.Context, name string, patch access.ApplicationPatch) (access.Application, error) {
	var updated access.Application
	err := s.commitChange(ctx, "change an application", func(tx pgx.Tx) (bool, error) {
		var err error
		updated, err = readApplication(tx.QueryRow(ctx, lockApplicationSQL, name))
		if errors.Is(err, pgx.ErrNoRows) {
			return false, errNoApplication
		}

		if err != nil {
			return false, err
		}

		patch.ApplyTo(&updated)
		_, err = tx.Exec(ctx, updateApplicationSQL,
			updated.ID, updated.Disabled, updated.RateLimit, textArray(updated.AllowedOrigins))
		if err != nil {
			return false, err
		}

		return true, recordAudit(ctx, tx, audit.ApplicationChanged, name, settingsOf(&updated))
	})
	if err != nil {
		return access.Application{}, err
	}

	return updated, nil
}

// settingsOf returns the settings that an audit entry records of an application.
func settingsOf(a *access.Application) map[string]any {
	return map[string]any{"disabled": a.Disabled, "rate_limit": a.RateLimit, "allowed_origins": a.AllowedOrigins}
}

// textArray converts texts of any kind for a text[] column that is not null.
func textArray[T ~string](values []T) []string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		texts = append(texts, string(v))
	}

	return texts
}
