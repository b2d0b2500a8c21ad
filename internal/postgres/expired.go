package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// How retention takes a partition off: it is marked as expired, detached, given another
// name, emptied and dropped. Functions of the schema do it, which work as the owner of the
// tables and touch no table that is not marked: see migrations/00005_ownership.sql. Only an
// owner can do better in one thing, and detaches without blocking anybody.
//
// The mark names the table by its number and is written first. So whatever is cut off is
// gone on with, and what a person detached, restored or named so is left alone.

// errNotExpired tells that a table is no longer one that may be emptied.
var errNotExpired = errors.New("the table is not marked as expired any more")

// markExpiredSQL calls a function of the schema, which waits for those who detach the
// partition. It locks the row of the mark until the end of the transaction.
const markExpiredSQL = `select theeye_mark_expired($1, $2, $3)`

// detachAsOwnerSQL calls a function of the schema, which marks the partition, too. It
// takes ACCESS EXCLUSIVE on the parent, for which it waits 200 ms: so long others wait
// behind it.
const detachAsOwnerSQL = `select theeye_detach_partition($1, $2, $3)`

// setAsideSQL calls a function of the schema, which takes the lock of lockPurgeSQL.
const setAsideSQL = `select theeye_set_aside($1, $2)`

// dropExpiredSQL calls a function of the schema, which takes the lock of lockPurgeSQL.
const dropExpiredSQL = `select theeye_drop_expired($1, $2)`

// stillExpiredSQL reads the catalogue and the mark, by its primary key. It takes no lock.
const stillExpiredSQL = `
select exists (select from expired_partition m join pg_class c on c.oid = m.table_oid
	where c.oid = to_regclass(quote_ident($1)) and not c.relispartition and m.ends_at <= $2)`

// detachExpired takes the expired partitions off a table.
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
				continue // another replica is at it, or a person
			}

			return err
		}

		// Whoever needs a partition of that name again cannot make one before this.
		if _, err := s.setAside(ctx, table, before); err != nil {
			return err
		}
	}

	return nil
}

// detachConcurrently marks a partition and detaches it, or ends what was cut off while
// doing so. DETACH CONCURRENTLY waits for those who use the table and blocks nobody.
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

// detachAsOwner needs a moment in which nobody is inside of a transaction with the
// table. If there is none within some seconds, the next round tries again.
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

// setAside lists the marked tables that are detached, and gives them names of their own:
// those they had are free then, for an event so late that its partition has to be made
// again. One replica at a time does it.
func (s *RetentionStore) setAside(ctx context.Context, table string, before time.Time) (found []string, err error) {
	// To rename a table is to wait for another replica that is renaming one, which may wait
	// for this one.
	err = retryOnContention(ctx, func() (err error) {
		found, err = collectRows(ctx, s.db.change, pgx.RowTo[string], setAsideSQL, table, before)
		return err
	})

	return found, err
}

// dropExpired drops a table that was set aside, and tells whether it was still there.
func dropExpired(ctx context.Context, on executor, table string, before time.Time) (dropped bool, err error) {
	err = on.QueryRow(ctx, dropExpiredSQL, table, before).Scan(&dropped)
	return dropped, err
}

// stillExpired returns errNotExpired for a table that was attached again, or whose mark
// is gone. Once rows of it were deleted, nobody can attach it before the transaction ends.
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
