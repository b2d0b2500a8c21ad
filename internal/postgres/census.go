package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/census"
)

// CensusStore measures the database. It implements census.Store and is safe for concurrent use.
// Its connections are not those of ingest, nor those that follow the keys.
type CensusStore struct {
	db *DB
}

var _ census.Store = (*CensusStore)(nil)

// NewCensusStore makes a store on a database whose schema is current.
func NewCensusStore(db *DB) *CensusStore { return &CensusStore{db: db} }

// boundCensusSQL bounds each statement of its transaction, waits for locks included.
const boundCensusSQL = `set local statement_timeout = '3s'`

// sizesSQL reads the catalogue and the sizes of files. It holds ACCESS SHARE on each table while
// it reads the size of that table. A partition that is being dropped has no size.
const sizesSQL = `
select pg_database_size(current_database()),
	(select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint from pg_inherits where inhparent = to_regclass('event')),
	pg_total_relation_size(to_regclass('event_key')),
	pg_total_relation_size(to_regclass('session')),
	(select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint from pg_inherits where inhparent = to_regclass('rejection'))`

// spanSQL uses event_timestamp_idx: partitions are in the order of time, so it reads one entry
// of the first and of the last partition that is not empty. It takes ACCESS SHARE on all of
// them.
const spanSQL = `
select (select "timestamp" from event order by "timestamp" limit 1),
	(select "timestamp" from event order by "timestamp" desc limit 1)`

// ReadStatistics implements census.Store.
func (s *CensusStore) ReadStatistics(ctx context.Context, now time.Time) (census.Statistics, error) {
	var found census.Statistics
	err := pgx.BeginTxFunc(ctx, s.db.change, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, boundCensusSQL); err != nil {
			return err
		}

		t := &found.Tables
		if err := tx.QueryRow(ctx, sizesSQL).Scan(&found.Size, &t.Event, &t.EventKey, &t.Session, &t.Rejection); err != nil {
			return err
		}

		var err error
		if found.Events, err = countPartitions(ctx, tx, eventTable, now); err != nil {
			return err
		}

		if found.Rejections, err = countPartitions(ctx, tx, rejectionTable, now); err != nil {
			return err
		}

		var oldest, newest *time.Time
		if err := tx.QueryRow(ctx, spanSQL).Scan(&oldest, &newest); err != nil {
			return err
		}

		if oldest != nil && newest != nil {
			found.Oldest, found.Newest = *oldest, *newest
		}

		return nil
	})
	return found, translateError(err, "measure the state of the database")
}

// countPartitions counts the attached partitions of a table, and finds the end of those that
// follow one another without a gap from now on.
func countPartitions(ctx context.Context, q querier, table string, now time.Time) (census.Partitions, error) {
	attached, err := listPartitions(ctx, q, table)
	if err != nil {
		return census.Partitions{}, err
	}

	var found census.Partitions
	exists := map[month]bool{}
	for name, detaching := range attached {
		if detaching {
			continue
		}

		found.Count++
		if m, ok := parseMonth(table, name); ok {
			exists[m] = true
		}
	}

	for m := monthOf(now); exists[m]; m++ {
		found.Until = m.end()
	}

	return found, nil
}
