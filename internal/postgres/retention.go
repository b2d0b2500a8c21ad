package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/retention"
)

// RetentionStore makes and drops partitions. It implements retention.Store and is
// safe for concurrent use, over several replicas, too.
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
	err = s.db.read.QueryRow(ctx, clockSQL).Scan(&now)
	return now.UTC(), translate(err, "read the database's clock")
}

// Prepare implements retention.Store.
func (s *RetentionStore) Prepare(ctx context.Context, from, to time.Time) error {
	var months []month
	for m := monthOf(from); m <= monthOf(to); m++ {
		months = append(months, m)
	}
	s.partitions.forget() // another replica may have dropped what is known here
	if err := s.partitions.ensure(ctx, eventTable, months); err != nil {
		return err
	}
	return s.partitions.ensure(ctx, rejectionTable, months)
}

// ExpireEvents implements retention.Store. A partition is detached, which blocks
// nobody, and its events are then taken out of the ledger and their sessions in
// small transactions. If that is cut off, the next round goes on with it.
func (s *RetentionStore) ExpireEvents(ctx context.Context, before time.Time) (events int64, err error) {
	if err := s.detach(ctx, eventTable, before); err != nil {
		return 0, translate(err, "detach expired events")
	}
	expired, err := s.detached(ctx, eventTable)
	if err != nil {
		return 0, translate(err, "list expired events")
	}
	for _, table := range expired {
		for {
			n, err := s.purge(ctx, table)
			if err != nil && !contention(err) {
				return events, translate(err, "take expired events out of the ledger")
			}
			events += n
			if n == 0 && err == nil {
				break
			}
		}
	}
	for {
		gone, err := s.db.read.Exec(ctx, expireAmendmentsSQL, before, erasedAtOnce)
		if err != nil {
			return events, translate(err, "drop marks of expired events")
		}
		if gone.RowsAffected() == 0 {
			return events, nil
		}
	}
}

// ExpireRejections implements retention.Store.
func (s *RetentionStore) ExpireRejections(ctx context.Context, before time.Time) (partitions int, err error) {
	if err := s.detach(ctx, rejectionTable, before); err != nil {
		return 0, translate(err, "detach expired errors")
	}
	expired, err := s.detached(ctx, rejectionTable)
	for _, table := range expired {
		if err := s.drop(ctx, s.db.read, rejectionTable, table); err != nil {
			return partitions, translate(err, "drop expired errors")
		}
		partitions++
	}
	if err == nil {
		_, err = s.db.read.Exec(ctx, expireCountsSQL, before)
	}
	return partitions, translate(err, "drop expired errors")
}

// ForgetErasures implements retention.Store.
func (s *RetentionStore) ForgetErasures(ctx context.Context, before time.Time) error {
	_, err := s.db.read.Exec(ctx, forgetErasuresSQL, before)
	return translate(err, "forget erasures")
}

// forgetErasuresSQL uses session_erased_at_idx and locks the rows it deletes.
const forgetErasuresSQL = `delete from session where erased_at < $1`

// expireCountsSQL scans rejection_count, which is small.
const expireCountsSQL = `delete from rejection_count where hour < $1`

// expireAmendmentsSQL uses event_amendment_timestamp_idx, event_amendment_pkey and
// event_key_pkey. It counts the marks that it drops.
const expireAmendmentsSQL = `
with part as (select event_id from event_amendment where "timestamp" < $1 limit $2),
	gone as (delete from event_amendment a using part where a.event_id = part.event_id returning a.event_id, a.erased_at),
	keys as (delete from event_key k using gone where k.event_id = gone.event_id and gone.erased_at is not null
		and not exists (select from event e where e."timestamp" = k."timestamp" and e.event_id = k.event_id))
select from gone`

// detach takes partitions that end before a time from their table. DETACH
// CONCURRENTLY waits for those who use the table and blocks nobody.
func (s *RetentionStore) detach(ctx context.Context, table string, before time.Time) error {
	owned, err := owns(ctx, s.db.read, table)
	if err != nil {
		return err
	}
	attached, err := listPartitions(ctx, s.db.read, table)
	if err != nil {
		return err
	}
	for name, pending := range attached {
		m, ok := parseMonth(table, name)
		if !ok || m.end().After(before) {
			continue
		}
		how := "concurrently"
		if pending { // an earlier attempt was cut off
			how = "finalize"
		}
		if owned {
			err = s.run(ctx, fmt.Sprintf("alter table %s detach partition %s %s", table, name, how))
		} else {
			err = s.detachAsOwner(ctx, table, name)
		}
		if err != nil {
			if sqlState(err) == stateNotInPrerequisite || sqlState(err) == stateUndefinedTable || contention(err) {
				continue // another replica is at it
			}
			return err
		}
		// Whoever needs a partition of that name again cannot make one before this.
		if _, err := s.detached(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

// run runs a statement that must not be part of a transaction.
func (s *RetentionStore) run(ctx context.Context, statement string) error {
	_, err := s.db.read.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	return err
}

// listDetachedSQL reads the catalogue: tables that are named like partitions of a
// table in its schema, and are none, or that were set aside before.
const listDetachedSQL = `
select c.relname, $1 || '_expired_' || c.oid from pg_class c join pg_class p on p.oid = to_regclass($1) and p.relnamespace = c.relnamespace
where c.relkind = 'r' and not c.relispartition and (c.relname like $1 || '\_p____\_%' or c.relname = $1 || '_expired_' || c.oid)`

// detached lists the tables that were partitions, and sets them aside: their names
// are free then, for an event so late that its partition has to be made again. One
// replica at a time does it: a name that was listed may stand for such a new partition
// as soon as another has set the old one aside.
func (s *RetentionStore) detached(ctx context.Context, table string) ([]string, error) {
	for attempt := 1; ; attempt++ {
		found, err := s.setAside(ctx, table)
		// To rename a table is to wait for another replica that is at it, which may wait
		// for this one.
		if err == nil || !contention(err) || attempt == maxAttempts || !wait(ctx, firstBackoff) {
			return found, err
		}
	}
}

func (s *RetentionStore) setAside(ctx context.Context, table string) (found []string, err error) {
	if owned, err := owns(ctx, s.db.read, table); err != nil || !owned {
		if err != nil {
			return nil, err
		}
		return collect(ctx, s.db.read, pgx.RowTo[string], setAsideSQL, table)
	}
	err = pgx.BeginFunc(ctx, s.db.read, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPurgeSQL); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, listDetachedSQL, table)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Is, Aside string }])
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, ok := parseMonth(table, name.Is); ok {
				if _, err := tx.Exec(ctx, fmt.Sprintf("alter table %s rename to %s", name.Is, name.Aside)); err != nil {
					return err
				}
				name.Is = name.Aside
			}
			if name.Is == name.Aside {
				found = append(found, name.Is)
			}
		}
		return nil
	})
	return found, err
}

// lockPurgeSQL lets one replica at a time take from a table: two that take the same
// rows would find nothing left, and drop a table that has more. It ends with the
// transaction.
const lockPurgeSQL = `select pg_advisory_xact_lock(hashtext('theeye purge'))`

// purgeSQL takes events from a detached partition and their ids from the ledger,
// by event_key_pkey, and counts them by session.
const purgeSQL = `
with part as (delete from %[1]s where ctid = any (array(select ctid from %[1]s limit $1)) returning event_id, session_id),
	keys as (delete from event_key k using part where k.event_id = part.event_id)
select session_id, count(*) from part group by session_id order by session_id`

// lockSessionsSQL locks rows of session by id, ascending, by session_pkey.
const lockSessionsSQL = `select session_id from session where session_id = any ($1) order by session_id for update`

// shrinkSessionsSQL works out the rows of sessions that lost events from those that
// are left, by event_pkey. Subtracting would not do: events of other partitions that
// were detached are counted in the row, and no query sees them. The rows are locked.
const shrinkSessionsSQL = `
update session s set event_count = n.events, started_at = n.started_at, last_event_at = n.last_event_at, application_ids = n.application_ids
from (
	select lost.session_id, count(e.event_id) as events, min(e."timestamp") as started_at, max(e."timestamp") as last_event_at,
		coalesce(array_agg(distinct e.application_id order by e.application_id) filter (where e.event_id is not null), '{}') as application_ids
	from unnest($1::uuid[]) as lost (session_id) left join event e on e.session_id = lost.session_id
	group by lost.session_id
) n
where s.session_id = n.session_id and s.erased_at is null`

// dropSessionsSQL forgets sessions that have no event left.
const dropSessionsSQL = `delete from session where session_id = any ($1) and event_count = 0 and erased_at is null`

// purge takes some events out of a detached partition, and drops it when it is empty.
func (s *RetentionStore) purge(ctx context.Context, table string) (events int64, err error) {
	err = pgx.BeginFunc(ctx, s.db.read, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPurgeSQL); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, fmt.Sprintf(purgeSQL, table), erasedAtOnce) //nolint:rowserrcheck // ForEachRow returns it
		if err != nil {
			return err
		}
		var ids [][16]byte
		var id [16]byte
		var count int64
		_, err = pgx.ForEachRow(rows, []any{&id, &count}, func() error {
			ids, events = append(ids, id), events+count
			return nil
		})
		if err != nil {
			return err
		}
		if events == 0 {
			return s.drop(ctx, tx, eventTable, table)
		}
		batch := &pgx.Batch{}
		batch.Queue(lockSessionsSQL, ids)
		batch.Queue(shrinkSessionsSQL, ids)
		batch.Queue(dropSessionsSQL, ids)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil && sqlState(err) == stateUndefinedTable {
		return 0, nil // another replica dropped it
	}
	return events, err
}
