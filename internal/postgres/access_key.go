package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/event"
)

// createKeySQL finds the application by application_name_key, keeps it from being
// deleted (for key share, by the foreign key), and adds to api_key_pkey.
const createKeySQL = `
insert into api_key (key_id, application_id, secret_hash, scopes, organisation_wide, description, expires_at,
	public, any_origin, registered_only, rate_limit)
select $2::text, application_id, $3::bytea, $4::text[], $5::boolean, $6::text, $7::timestamptz,
	$8::boolean, $9::boolean, $10::boolean, $11::integer
from application where name = $1
returning created_at`

// CreateKey implements access.KeyStore.
func (s *AccessStore) CreateKey(ctx context.Context, key access.HashedKey) (access.Key, error) {
	created := key.Key
	err := s.commitChange(ctx, "create a key", func(tx pgx.Tx) (bool, error) {
		err := tx.QueryRow(ctx, createKeySQL, key.Application, key.ID, key.Hash[:], textArray(key.Scopes),
			key.OrganisationWide, key.Description, key.ExpiresAt,
			key.Public, key.AnyOrigin, key.RegisteredOnly, key.RateLimit).Scan(&created.CreatedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, errNoApplication
		}

		if err != nil {
			return false, err
		}

		return true, recordAudit(ctx, tx, audit.KeyCreated, key.ID, describeKey(&key.Key))
	})
	if err != nil {
		return access.Key{}, err
	}

	return created, nil
}

// describeKey returns what the audit log keeps of a new key.
func describeKey(key *access.Key) map[string]any {
	described := map[string]any{
		"application": key.Application, "scopes": key.Scopes, "organisation_wide": key.OrganisationWide, "expires_at": key.ExpiresAt,
	}
	if key.Public {
		described["public"] = true
		described["any_origin"] = key.AnyOrigin
		described["registered_only"] = key.RegisteredOnly
		described["rate_limit"] = key.RateLimit
	}

	return described
}

// keysSQL scans api_key, which is small, and takes no row lock.
const keysSQL = `
select key_id, $2::text, scopes, organisation_wide, description, created_at, expires_at, revoked_at,
	public, any_origin, registered_only, rate_limit
from api_key where application_id = $1 order by created_at, key_id`

// ListKeys implements access.KeyStore.
func (s *AccessStore) ListKeys(ctx context.Context, application string) ([]access.Key, error) {
	var id event.ApplicationID
	err := s.db.change.QueryRow(ctx, applicationIDSQL, application).Scan(&id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errNoApplication
	case err != nil:
		return nil, translateError(err, "find an application")
	}

	found, err := collectRows(ctx, s.db.change, scanKey, keysSQL, id, application)
	return found, translateError(err, "list the keys of an application")
}

// lockKeySQL finds the key by api_key_pkey and its application by application_pkey,
// and locks the key until the transaction ends.
const lockKeySQL = `
select k.revoked_at from api_key k join application a using (application_id)
where k.key_id = $1 and a.name = $2
for update of k`

// revokeKeySQL finds the row, which is locked already, by api_key_pkey.
const revokeKeySQL = `update api_key set revoked_at = now() where key_id = $1`

// RevokeKey implements access.KeyStore.
func (s *AccessStore) RevokeKey(ctx context.Context, application, id string) error {
	return s.commitChange(ctx, "revoke a key", func(tx pgx.Tx) (bool, error) {
		var revokedAt *time.Time
		err := tx.QueryRow(ctx, lockKeySQL, id, application).Scan(&revokedAt)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return false, errNoKey
		case err != nil || revokedAt != nil:
			return false, err
		}

		if _, err = tx.Exec(ctx, revokeKeySQL, id); err != nil {
			return false, err
		}

		return true, recordAudit(ctx, tx, audit.KeyRevoked, id, map[string]any{"application": application})
	})
}
