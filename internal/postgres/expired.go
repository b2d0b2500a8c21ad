package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// How retention removes a partition: it is marked as expired, detached, renamed, emptied and
// dropped. Functions of the schema do these steps with the rights of the owner of the tables,
// and touch no table that is not marked: see migrations/00005_ownership.sql. Only an owner can
// improve one step, and detaches without blocking other transactions.
//
// The mark identifies the table by its oid and is written first. So interrupted work is
// continued, and a table that a person detached, restored or named like a partition is left
// alone.

// errNotExpired reports that a table may no longer be emptied.
var errNotExpired = errors.New("the table is no longer marked as expired")

// markExpiredSQL calls a function of the schema, which waits for transactions that detach the
// partition. It locks the row of the mark until the end of the transaction.
const markExpiredSQL = `select theeye_mark_expired($1, $2, $3)`

// detachAsOwnerSQL calls a function of the schema, which also marks the partition. It takes
// ACCESS EXCLUSIVE on the parent and waits at most 200 ms for it, because other transactions
// queue behind it meanwhile.
const detachAsOwnerSQL = `select theeye_detach_partition($1, $2, $3)`

// setAsideSQL calls a function of the schema, which takes the lock of lockPurgeSQL.
const setAsideSQL = `select theeye_set_aside($1, $2)`

// dropExpiredSQL calls a function of the schema, which takes the lock of lockPurgeSQL.
const dropExpiredSQL = `select theeye_drop_expired($1, $2)`

// stillExpiredSQL reads the catalogue and, by its primary key, the mark. It takes no lock.
const stillExpiredSQL = `
select exists (select from expired_partition m join pg_class c on c.oid = m.table_oid
	where c.oid = to_regclass(quote_ident($1)) and not c.relispartition and m.ends_at <= $2)`

// detachExpired detaches the expired partitions of a table.
func (s *RetentionStore) detachExpired(ctx context.Context, table string, before time.Time) error {
	owned, err := owns(ctx, s.db.change, table)
	if err != nil {
		return err
	}

	attached, err := listPartitions(ctx, s.db.change, table)
	if err != nil {
		return err
	}

	for name, pending := range attached {
		m, ok := parseMonth(table, name)
		if !ok || m.end().After(before) {
			continue
		}

		if owned {
			err = s.detachConcurrently(ctx, table, name, pending, before)
		} else {
			err = s.detachAsOwner(ctx, table, name, before)
		}

		if err != nil {
			if sqlState(err) == stateNotInPrerequisite || sqlState(err) == stateUndefinedTable || isContention(err) {
				continue // another replica does it, or a person
			}

			return err
		}

		// Before this, no partition of the same name can be created again.
		if _, err := s.setAside(ctx, table, before); err != nil {
			return err
		}
	}

	return nil
}

// detachConcurrently marks a partition and detaches it, or finishes an interrupted detachment.
// DETACH CONCURRENTLY waits for the transactions that use the table and blocks none.
func (s *RetentionStore) detachConcurrently(ctx context.Context, table, partition string, pending bool, before time.Time) error {
	var marked bool
	if err := s.db.change.QueryRow(ctx, markExpiredSQL, table, partition, before).Scan(&marked); err != nil {
		return err
	}

	if !marked {
		return fmt.Errorf("%s is half detached, and not by retention: end that with `alter table %s detach partition %s finalize`; no partition can be detached before", partition, table, partition)
	}

	how := "concurrently"
	if pending {
		how = "finalize"
	}

	statement := fmt.Sprintf("alter table %s detach partition %s %s", table, partition, how)
	_, err := s.db.change.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol) // it must not be part of a transaction
	return err
}

// detachAsOwner needs a moment without a transaction that uses the table. If there is none
// within some seconds, the next round tries again.
func (s *RetentionStore) detachAsOwner(ctx context.Context, table, partition string, before time.Time) error {
	policy := retryPolicy{attempts: 10, first: time.Second, longest: time.Second}

	return policy.run(ctx, func() (retryDecision, error) {
		_, err := s.db.change.Exec(ctx, detachAsOwnerSQL, table, partition, before)
		if sqlState(err) == stateLockNotAvailable {
			return retryCounted, err
		}

		return giveUp, err
	})
}

// setAside lists the marked tables that are detached, and renames them: their old names become
// free for an event so late that its partition has to be created again. One replica at a time
// does it.
func (s *RetentionStore) setAside(ctx context.Context, table string, before time.Time) (found []string, err error) {
	// Renaming a table waits for another replica that is renaming one, which may wait for this
	// one.
	err = retryOnContention(ctx, func() (err error) {
		found, err = collectRows(ctx, s.db.change, pgx.RowTo[string], setAsideSQL, table, before)
		return err
	})

	return found, err
}

// dropExpired drops a table that was set aside, and reports whether it still existed.
func dropExpired(ctx context.Context, on executor, table string, before time.Time) (dropped bool, err error) {
	err = on.QueryRow(ctx, dropExpiredSQL, table, before).Scan(&dropped)
	return dropped, err
}

// stillExpired returns errNotExpired for a table that was attached again, or whose mark is gone.
// Once rows of the table were deleted, it cannot be attached before the transaction ends.
func stillExpired(ctx context.Context, on executor, table string, before time.Time) error {
	var expired bool
	if err := on.QueryRow(ctx, stillExpiredSQL, table, before).Scan(&expired); err != nil {
		return err
	}

	if !expired {
		return errNotExpired
	}

	return nil
}
