package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// AccessStore stores applications and keys. It implements the stores of package access and is
// safe for concurrent use.
//
// Every change increments access_version in its own transaction. That row is locked last, after
// application and api_key, so changes wait for one another there and cannot deadlock.
type AccessStore struct {
	db *DB
}

var (
	_ access.Store            = (*AccessStore)(nil)
	_ access.ApplicationStore = (*AccessStore)(nil)
	_ access.KeyStore         = (*AccessStore)(nil)
)

// NewAccessStore makes a store on a database whose schema is current.
func NewAccessStore(db *DB) *AccessStore { return &AccessStore{db: db} }

var (
	errNoApplication = fault.New(fault.NotFound, fault.CodeNotFound, "there is no application of this name")
	errNoKey         = fault.New(fault.NotFound, fault.CodeNotFound, "the application has no key with this id")
	errNameTaken     = fault.New(fault.Conflict, fault.CodeAlreadyExists, "an application of this name exists already")
)

// accessVersionSQL reads the table's only row and takes no row lock.
const accessVersionSQL = `select version, clock_timestamp() from access_version`

// bumpAccessSQL locks the table's only row until the transaction ends.
const bumpAccessSQL = `update access_version set version = version + 1`

// ReadVersion implements access.Store.
func (s *AccessStore) ReadVersion(ctx context.Context) (version int64, at time.Time, err error) {
	err = s.db.watch.QueryRow(ctx, accessVersionSQL).Scan(&version, &at)
	return version, at, translateError(err, "read the version of applications and keys")
}

// liveKeysSQL scans api_key, of which it needs nearly every row, and finds the
// applications by application_pkey. It takes no row lock.
const liveKeysSQL = `
select k.key_id, a.name, k.scopes, k.organisation_wide, k.description, k.created_at, k.expires_at, k.revoked_at,
	k.public, k.any_origin, k.registered_only, k.rate_limit, k.application_id, k.secret_hash
from api_key k join application a using (application_id)
where k.revoked_at is null`

// ReadSnapshot implements access.Store. It reads at one moment, so that a key is never
// seen without its application or under another version.
func (s *AccessStore) ReadSnapshot(ctx context.Context) (access.Snapshot, error) {
	var read access.Snapshot
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.db.watch, options, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, accessVersionSQL).Scan(&read.Version, &read.At)
		if err != nil {
			return err
		}

		if read.Applications, err = collectRows(ctx, tx, scanApplication, applicationsSQL); err != nil {
			return err
		}

		read.Keys, err = collectRows(ctx, tx, scanHashedKey, liveKeysSQL)
		return err
	})
	return read, translateError(err, "read applications and keys")
}

// commitChange runs one change in a transaction of its own and, if anything changed, increments
// the version that every cache polls.
func (s *AccessStore) commitChange(ctx context.Context, doing string, run func(pgx.Tx) (changed bool, err error)) error {
	err := s.db.runTransaction(ctx, s.db.change, func(tx pgx.Tx) error {
		changed, err := run(tx)
		if err != nil || !changed {
			return err
		}

		_, err = tx.Exec(ctx, bumpAccessSQL)
		return err
	})

	if errors.Is(err, errNameTaken) { // scripts read this answer as a promise that the application exists
		if unconfirmed := s.db.confirmDurable(ctx, s.db.change); unconfirmed != nil {
			err = unconfirmed
		}
	}

	return translateError(err, doing)
}

// collectRows reads all rows, and returns an empty slice for none.
func collectRows[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}

	return pgx.CollectRows(rows, scan)
}

func scanApplication(row pgx.CollectableRow) (access.Application, error) { return readApplication(row) }

func readApplication(row pgx.Row) (a access.Application, err error) {
	err = row.Scan(&a.ID, &a.Name, &a.Disabled, &a.RateLimit, &a.AllowedOrigins, &a.CreatedAt)
	a.CreatedAt = a.CreatedAt.UTC()
	return a, err
}

func scanKey(row pgx.CollectableRow) (access.Key, error) {
	var k access.Key
	err := row.Scan(keyColumns(&k)...)
	return k, err
}

func scanHashedKey(row pgx.CollectableRow) (access.HashedKey, error) {
	var k access.HashedKey
	var hash []byte
	if err := row.Scan(append(keyColumns(&k.Key), &k.ApplicationID, &hash)...); err != nil {
		return k, err
	}

	copy(k.Hash[:], hash) // of 32 bytes, by api_key_secret_hash_check
	return k, nil
}

func keyColumns(k *access.Key) []any {
	return []any{
		&k.ID, &k.Application, &k.Scopes, &k.OrganisationWide, &k.Description,
		&k.CreatedAt, &k.ExpiresAt, &k.RevokedAt,
		&k.Public, &k.AnyOrigin, &k.RegisteredOnly, &k.RateLimit,
	}
}
