package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// EventTypeStore stores event types. It implements the stores of package eventtype and is safe
// for concurrent use.
//
// Every change first locks the only row of event_type_revision, so that changes follow one
// another, and increments it.
type EventTypeStore struct {
	db *DB
}

var (
	_ eventtype.SnapshotStore = (*EventTypeStore)(nil)
	_ eventtype.Store         = (*EventTypeStore)(nil)
	_ eventtype.SampleStore   = (*EventTypeStore)(nil)
)

// NewEventTypeStore makes a store on a database whose schema is current.
func NewEventTypeStore(db *DB) *EventTypeStore { return &EventTypeStore{db: db} }

var errNoEventType = fault.New(fault.NotFound, fault.CodeNotFound, "no event type is registered under this category and name")

// revisionSQL reads the table's only row and takes no row lock.
const revisionSQL = `select revision from event_type_revision`

// lockRevisionSQL locks the table's only row until the transaction ends.
const lockRevisionSQL = revisionSQL + ` for update`

const bumpRevisionSQL = `update event_type_revision set revision = revision + 1`

// ReadRevision implements eventtype.SnapshotStore.
func (s *EventTypeStore) ReadRevision(ctx context.Context) (int64, error) {
	var revision int64
	err := s.db.watch.QueryRow(ctx, revisionSQL).Scan(&revision)
	return revision, translateError(err, "read the revision of the event types")
}

// selectTypesSQL scans event_type, which is small, and finds the versions by
// event_type_version_pkey. It takes no row lock.
const selectTypesSQL = `
select t.category, t.name, v.version, v.schema, v.mode, v.description, v.created_at
from event_type t join event_type_version v using (event_type_id)`

const (
	currentTypesSQL = selectTypesSQL + ` where v.version = t.version and t.deleted_at is null order by t.category, t.name`
	// oneTypeSQL uses event_type_category_name_key.
	oneTypeSQL  = selectTypesSQL + ` where t.category = $1 and t.name = $2 and case $3::integer when 0 then v.version = t.version and t.deleted_at is null else v.version = $3 end`
	versionsSQL = selectTypesSQL + ` where t.category = $1 and t.name = $2 order by v.version desc`
	hashKeySQL  = `select revision, hash_key from event_type_revision`
)

// ReadSnapshot implements eventtype.SnapshotStore. It reads at one moment.
func (s *EventTypeStore) ReadSnapshot(ctx context.Context) (eventtype.Snapshot, error) {
	var read eventtype.Snapshot
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.db.watch, options, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, hashKeySQL).Scan(&read.Revision, &read.HashKey)
		if err != nil {
			return err
		}

		read.Types, err = collectRows(ctx, tx, scanType, currentTypesSQL)
		return err
	})
	return read, translateError(err, "read the event types")
}

func scanType(row pgx.CollectableRow) (eventtype.Type, error) { return readType(row) }

func readType(row pgx.Row) (t eventtype.Type, err error) {
	var schema []byte
	err = row.Scan(&t.Category, &t.Name, &t.Version, &schema, &t.Mode, &t.Description, &t.CreatedAt)
	t.Schema = schema
	t.CreatedAt = t.CreatedAt.UTC()
	return t, err
}

// ListTypes implements eventtype.Store.
func (s *EventTypeStore) ListTypes(ctx context.Context) ([]eventtype.Type, error) {
	found, err := collectShared(ctx, s.db, scanType, currentTypesSQL)
	return found, translateError(err, "list the event types")
}

// FindType implements eventtype.Store.
func (s *EventTypeStore) FindType(ctx context.Context, key eventtype.Key, version int32) (eventtype.Type, error) {
	release, err := acquireShare(ctx, s.db.readShares, false)
	if err != nil {
		return eventtype.Type{}, err
	}
	defer release()

	found, err := readType(s.db.read.QueryRow(ctx, oneTypeSQL, key.Category, key.Name, version))
	if errors.Is(err, pgx.ErrNoRows) {
		return found, errNoEventType
	}

	return found, translateError(err, "read an event type")
}

// ListVersions implements eventtype.Store.
func (s *EventTypeStore) ListVersions(ctx context.Context, key eventtype.Key) ([]eventtype.Type, error) {
	found, err := collectShared(ctx, s.db, scanType, versionsSQL, key.Category, key.Name)
	if err == nil && len(found) == 0 {
		return nil, errNoEventType
	}

	return found, translateError(err, "read the versions of an event type")
}

// errDryRun ends the transaction of a dry run.
var errDryRun = errors.New("the changes are a dry run")

// ApplyChanges implements eventtype.Store.
func (s *EventTypeStore) ApplyChanges(ctx context.Context, changes []eventtype.Change, prune, dry bool) ([]eventtype.Result, error) {
	var results []eventtype.Result
	err := s.db.runTransaction(ctx, s.db.change, func(tx pgx.Tx) error {
		results = results[:0]
		if _, err := tx.Exec(ctx, lockRevisionSQL); err != nil {
			return err
		}

		current, err := collectRows(ctx, tx, scanType, currentTypesSQL)
		if err != nil {
			return err
		}

		changed := false
		for _, c := range eventtype.AddDeletions(changes, current, prune) {
			result, err := changeType(ctx, tx, c, current)
			if err != nil {
				return err
			}

			changed = changed || result.Outcome != eventtype.Unchanged
			results = append(results, result)
		}

		switch {
		case dry:
			return errDryRun
		case !changed:
			return nil
		}

		_, err = tx.Exec(ctx, bumpRevisionSQL)
		return err
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}

	return results, translateError(err, "change the event types")
}

// nextVersionSQL uses event_type_category_name_key and locks the row.
const nextVersionSQL = `
insert into event_type as t (category, name, version) values ($1, $2, 1)
on conflict (category, name) do update set version = t.version + 1, deleted_at = null
returning event_type_id, version`

const addVersionSQL = `
insert into event_type_version (event_type_id, version, schema, mode, description) values ($1, $2, $3::json, $4, $5)
returning created_at`

const deleteTypeSQL = `update event_type set deleted_at = now() where category = $1 and name = $2`

// changeType makes one change in a transaction that has locked the registry.
func changeType(ctx context.Context, tx pgx.Tx, c eventtype.Change, current []eventtype.Type) (eventtype.Result, error) {
	var before *eventtype.Type
	for i := range current {
		if current[i].Key == c.Key {
			before = &current[i]
		}
	}

	result := eventtype.Result{Outcome: eventtype.Unchanged, Before: before, After: before}
	if c.Spec == nil && before == nil {
		return result, nil
	}

	if err := c.Precondition.Allows(before.ETag()); err != nil {
		return result, err
	}

	switch {
	case c.Spec != nil && before != nil && c.Spec.Equal(before.Spec):
		return result, nil
	case c.Spec == nil:
		result.Outcome = eventtype.Deleted
		result.After = nil
		if _, err := tx.Exec(ctx, deleteTypeSQL, c.Key.Category, c.Key.Name); err != nil {
			return result, err
		}

		return result, recordAudit(ctx, tx, audit.EventTypeDeleted, c.Key.Path(), map[string]any{"version": before.Version})
	case before == nil:
		result.Outcome = eventtype.Created
	default:
		result.Outcome = eventtype.Changed
	}

	after := &eventtype.Type{Key: c.Key, Spec: *c.Spec}
	var id int32
	if err := tx.QueryRow(ctx, nextVersionSQL, c.Key.Category, c.Key.Name).Scan(&id, &after.Version); err != nil {
		return result, err
	}

	var schema *string
	if c.Spec.Schema != nil {
		text := string(c.Spec.Schema)
		schema = &text
	}

	var created time.Time
	if err := tx.QueryRow(ctx, addVersionSQL, id, after.Version, schema, string(after.Mode), after.Description).Scan(&created); err != nil {
		return result, err
	}

	after.CreatedAt = created.UTC()
	result.After = after
	return result, recordAudit(ctx, tx, audit.EventTypeChanged, c.Key.Path(), map[string]any{"version": after.Version, "mode": after.Mode})
}

// sampleEventsSQL uses event_category_idx from its newest entry on.
const sampleEventsSQL = `
select event_id, data from event where category = $1 and name = $2 order by "timestamp" desc limit $3`

// sampleRejectionsSQL walks rejection_pkey from its newest entry on.
const sampleRejectionsSQL = `
select rejection_id, raw from rejection
where category = $1 and name = $2 and code = 'schema_violation' and status = 'open' and raw is not null
order by received_at desc, rejection_id desc limit $3`

// Events implements eventtype.SampleStore.
func (s *EventTypeStore) Events(ctx context.Context, key eventtype.Key, limit int, yield func(eventtype.StoredEvent) bool) error {
	return readSample(ctx, s.db, sampleEventsSQL, key, limit, func(row pgx.Row) (e eventtype.StoredEvent, err error) {
		var data []byte
		err = row.Scan(&e.ID, &data)
		e.Data = event.ShortenNumbers(data)
		return e, err
	}, yield)
}

// Rejections implements eventtype.SampleStore.
func (s *EventTypeStore) Rejections(ctx context.Context, key eventtype.Key, limit int, yield func(eventtype.RejectedEvent) bool) error {
	return readSample(ctx, s.db, sampleRejectionsSQL, key, limit, func(row pgx.Row) (r eventtype.RejectedEvent, err error) {
		err = row.Scan(&r.ID, &r.Raw)
		return r, err
	}, yield)
}

func readSample[T any](ctx context.Context, db *DB, sql string, key eventtype.Key, limit int, scan func(pgx.Row) (T, error), yield func(T) bool) error {
	release, err := acquireShare(ctx, db.readShares, true)
	if err != nil {
		return err
	}
	defer release()

	rows, err := db.read.Query(ctx, sql, NewQueryStore(db).mode, key.Category, key.Name, limit)
	if err != nil {
		return translateError(err, "read a sample")
	}
	defer rows.Close()

	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return translateError(err, "read a sample")
		}

		if !yield(one) {
			return nil
		}
	}

	return translateError(rows.Err(), "read a sample")
}
