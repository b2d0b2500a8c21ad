package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/retention"
)

// RetentionStore creates and drops partitions. It implements retention.Store and is safe for
// concurrent use, also by several replicas.
type RetentionStore struct {
	db         *DB
	partitions *partitions
}

var _ retention.Store = (*RetentionStore)(nil)

// NewRetentionStore makes a store on a database whose schema is current.
func NewRetentionStore(db *DB) *RetentionStore {
	return &RetentionStore{db: db, partitions: &partitions{db: db, known: map[string]bool{}}}
}

// clockSQL reads the server's clock and no table.
const clockSQL = `select clock_timestamp()`

// Now implements retention.Store.
func (s *RetentionStore) Now(ctx context.Context) (now time.Time, err error) {
	err = s.db.change.QueryRow(ctx, clockSQL).Scan(&now)
	return now.UTC(), translateError(err, "read the database's clock")
}

// CreatePartitions implements retention.Store.
func (s *RetentionStore) CreatePartitions(ctx context.Context, from, to time.Time) error {
	var months []month
	for m := monthOf(from); m <= monthOf(to); m++ {
		months = append(months, m)
	}

	s.partitions.forgetKnown() // another replica may have dropped a partition that is known here
	if err := s.partitions.ensureMonths(ctx, eventTable, months); err != nil {
		return err
	}

	return s.partitions.ensureMonths(ctx, rejectionTable, months)
}

// ExpireEvents implements retention.Store. It detaches a partition, which blocks no transaction,
// and then deletes its events from the ledger and from their sessions in small transactions. If
// it is interrupted, the next round continues.
func (s *RetentionStore) ExpireEvents(ctx context.Context, before time.Time) (events int64, err error) {
	if err := s.detachExpired(ctx, eventTable, before); err != nil {
		return 0, translateError(err, "detach expired events")
	}

	expired, err := s.setAside(ctx, eventTable, before)
	if err != nil {
		return 0, translateError(err, "list expired events")
	}

	for _, table := range expired {
		for {
			n, err := s.purgeTable(ctx, table, before)
			if err != nil && !isContention(err) {
				return events, translateError(err, "delete expired events from the ledger")
			}

			events += n
			if n == 0 && err == nil {
				break
			}
		}
	}

	for {
		deleted, err := s.db.change.Exec(ctx, expireAmendmentsSQL, before, eraseBatchSize)
		if err != nil {
			return events, translateError(err, "drop marks of expired events")
		}

		if deleted.RowsAffected() == 0 {
			return events, nil
		}
	}
}

// ExpireRejections implements retention.Store.
func (s *RetentionStore) ExpireRejections(ctx context.Context, before time.Time) (partitions int, err error) {
	if err := s.detachExpired(ctx, rejectionTable, before); err != nil {
		return 0, translateError(err, "detach expired errors")
	}

	expired, err := s.setAside(ctx, rejectionTable, before)
	for _, table := range expired {
		dropped, err := dropExpired(ctx, s.db.change, table, before)
		if err != nil {
			return partitions, translateError(err, "drop expired errors")
		}

		if dropped {
			partitions++
		}
	}

	if err == nil {
		_, err = s.db.change.Exec(ctx, expireCountsSQL, before)
	}

	return partitions, translateError(err, "drop expired errors")
}

// PruneErasures implements retention.Store.
func (s *RetentionStore) PruneErasures(ctx context.Context, before time.Time) error {
	_, err := s.db.change.Exec(ctx, forgetErasuresSQL, before)
	return translateError(err, "forget erasures")
}

// forgetErasuresSQL uses session_erased_at_idx and locks the rows that it deletes.
const forgetErasuresSQL = `delete from session where erased_at < $1`

// expireCountsSQL scans rejection_count, which is small.
const expireCountsSQL = `delete from rejection_count where hour < $1`

// expireAmendmentsSQL uses event_amendment_timestamp_idx, event_amendment_pkey and
// event_key_pkey. It counts the marks that it deletes.
const expireAmendmentsSQL = `
with part as (select event_id from event_amendment where "timestamp" < $1 limit $2),
	gone as (delete from event_amendment a using part where a.event_id = part.event_id returning a.event_id, a.erased_at),
	keys as (delete from event_key k using gone where k.event_id = gone.event_id and gone.erased_at is not null
		and not exists (select from event e where e."timestamp" = k."timestamp" and e.event_id = k.event_id))
select from gone`

// lockPurgeSQL lets only one replica at a time delete from a table: two that deleted the same
// rows would find none left, and drop a table that has more. The lock ends with the transaction.
const lockPurgeSQL = `select pg_advisory_xact_lock(hashtext('theeye purge'))`

// purgeSQL deletes events from a detached partition and their ids from the ledger, by
// event_key_pkey, and counts them by session.
const purgeSQL = `
with part as (delete from %[1]s where ctid = any (array(select ctid from %[1]s limit $1)) returning event_id, session_id),
	keys as (delete from event_key k using part where k.event_id = part.event_id)
select session_id, count(*) from part group by session_id order by session_id`

// lockSessionsSQL locks rows of session by id, ascending, by session_pkey.
const lockSessionsSQL = `select session_id from session where session_id = any ($1) order by session_id for update`

// shrinkSessionsSQL recomputes the rows of sessions that lost events from the events that are
// left, by event_pkey. If a row counts more events than that, no query sees the others: they are
// in another expiring partition, whose purge recomputes the row again, or in one that a person
// detached and may attach again. Those stay counted, and the row stays as it is. The rows are
// locked.
const shrinkSessionsSQL = `
update session s set event_count = greatest(n.events, s.event_count - n.lost),
	started_at = case when s.event_count - n.lost > n.events then s.started_at else n.started_at end,
	last_event_at = case when s.event_count - n.lost > n.events then s.last_event_at else n.last_event_at end,
	application_ids = case when s.event_count - n.lost > n.events then s.application_ids else n.application_ids end
from (
	select lost.session_id, lost.events as lost, count(e.event_id) as events, min(e."timestamp") as started_at, max(e."timestamp") as last_event_at,
		coalesce(array_agg(distinct e.application_id order by e.application_id) filter (where e.event_id is not null), '{}') as application_ids
	from unnest($1::uuid[], $2::bigint[]) as lost (session_id, events) left join event e on e.session_id = lost.session_id
	group by lost.session_id, lost.events
) n
where s.session_id = n.session_id and s.erased_at is null`

// dropSessionsSQL deletes sessions that have no event left.
const dropSessionsSQL = `delete from session where session_id = any ($1) and event_count = 0 and erased_at is null`

// purgeTable deletes some events of a table that was set aside, and drops the table when it is
// empty. It leaves a table alone that was attached again in the meantime.
func (s *RetentionStore) purgeTable(ctx context.Context, table string, before time.Time) (events int64, err error) {
	err = pgx.BeginFunc(ctx, s.db.change, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, briefLocksSQL); err != nil {
			return err
		}

		if _, err := tx.Exec(ctx, lockPurgeSQL); err != nil {
			return err
		}

		rows, err := tx.Query(ctx, fmt.Sprintf(purgeSQL, table), eraseBatchSize) //nolint:rowserrcheck // ForEachRow returns it
		if err != nil {
			return err
		}

		var ids [][16]byte
		var lost []int64
		var id [16]byte
		var count int64
		_, err = pgx.ForEachRow(rows, []any{&id, &count}, func() error {
			ids = append(ids, id)
			lost = append(lost, count)
			events += count
			return nil
		})
		if err != nil {
			return err
		}

		if events == 0 {
			_, err := dropExpired(ctx, tx, table, before)
			return err
		}

		if err := stillExpired(ctx, tx, table, before); err != nil {
			return err
		}

		batch := &pgx.Batch{}
		batch.Queue(lockSessionsSQL, ids)
		batch.Queue(shrinkSessionsSQL, ids, lost)
		batch.Queue(dropSessionsSQL, ids)
		return tx.SendBatch(ctx, batch).Close()
	})
	if sqlState(err) == stateUndefinedTable || errors.Is(err, errNotExpired) {
		return 0, nil // another replica dropped it, or a person attached it again
	}

	if err != nil {
		return 0, err
	}

	return events, nil
}
