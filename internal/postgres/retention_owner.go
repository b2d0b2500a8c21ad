package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What retention has functions of the schema do, where its role owns no table. They
// work as the owner and do no more than is said here: see migrations/00004_upkeep.sql.

// detachAsOwnerSQL calls a function of the schema. It takes ACCESS EXCLUSIVE on the
// parent, for which it waits 200 ms: so long others wait behind it.
const detachAsOwnerSQL = `select theeye_detach_partition($1, $2)`

// detachAsOwner needs a moment in which nobody is inside of a transaction with the
// table. If there is none within some seconds, the next round tries again.
func (s *RetentionStore) detachAsOwner(ctx context.Context, table, partition string) error {
	const attempts, pause = 10, time.Second
	for attempt := 1; ; attempt++ {
		_, err := s.db.change.Exec(ctx, detachAsOwnerSQL, table, partition)
		if sqlState(err) != stateLockNotAvailable || attempt == attempts || !wait(ctx, pause) {
			return err
		}
	}
}

// setAsideSQL calls a function of the schema, which takes the lock of lockPurgeSQL.
const setAsideSQL = `select theeye_set_aside($1)`

// dropExpiredSQL calls a function of the schema.
const dropExpiredSQL = `select theeye_drop_expired($1)`

// executor is what a pool and a transaction have in common.
type executor interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
}

// drop drops a table that was set aside.
func (s *RetentionStore) drop(ctx context.Context, on executor, parent, table string) error {
	owned, err := owns(ctx, on, parent)
	if err != nil {
		return err
	}
	if owned {
		_, err = on.Exec(ctx, "drop table if exists "+pgx.Identifier{table}.Sanitize())
	} else {
		_, err = on.Exec(ctx, dropExpiredSQL, table)
	}
	return err
}
