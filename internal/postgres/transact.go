package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// runTransaction runs a transaction whose outcome is reported to a caller, and commits it. It
// returns nil only when everything that the transaction wrote or read has the durability
// configured in the database: also when the transaction changed nothing, because an earlier
// attempt, whose answer was lost, had already made the change.
//
// An error of run is returned unchanged, after a rollback.
func (db *DB) runTransaction(ctx context.Context, pool *pgxpool.Pool, run func(pgx.Tx) error) error {
	var durability Durability
	replicated := error(nil)

	err := pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
			if err := run(tx); err != nil {
				return err
			}

			durability, err = scanDurability(tx.QueryRow(ctx, db.confirmSQL()), db.ignoredColumns()...)
			return err
		})
		if err == nil {
			replicated = checkReplicated(conn.Conn().PgConn())
		}

		return err
	})

	switch {
	case isUnsafeCommit(err):
		db.recordUnsafeCommit(ctx)
		return errUnsafeCommit
	case err != nil:
		return err
	}

	db.recordCommit(durability)
	return replicated
}

// confirmDurable returns nil only when everything that was committed before, and that is about
// to be reported to a caller, has the durability configured in the database.
func (db *DB) confirmDurable(ctx context.Context, pool *pgxpool.Pool) error {
	return db.runTransaction(ctx, pool, func(pgx.Tx) error { return nil })
}

// ignoredColumns returns destinations for the columns of confirmSQL that follow the durability.
func (db *DB) ignoredColumns() []any {
	if db.requireDurability {
		return []any{nil, nil}
	}

	return []any{nil}
}
