package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// transact runs a transaction whose outcome is told to a caller, and commits it. It
// returns nil only when everything that the transaction wrote or read is as durable as
// the database is set up to make it: also when the transaction changed nothing, because
// an earlier attempt, whose answer was lost, had changed it already.
//
// An error of run is returned as it is, after the transaction was rolled back.
func (db *DB) transact(ctx context.Context, pool *pgxpool.Pool, run func(pgx.Tx) error) error {
	var durability Durability
	replicated := error(nil)

	err := pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
			if err := run(tx); err != nil {
				return err
			}
			durability, err = scanDurability(tx.QueryRow(ctx, db.confirmSQL()), db.ignored()...)
			return err
		})
		if err == nil {
			replicated = checkReplicated(conn.Conn().PgConn())
		}
		return err
	})

	switch {
	case refusesUnsafeCommit(err):
		db.noteRefusal(ctx)
		return errUnsafeCommit
	case err != nil:
		return err
	}
	db.noteCommit(durability)
	return replicated
}

// confirm returns nil only when everything that was committed before, and that a caller is
// about to be told of, is as durable as the database is set up to make it.
func (db *DB) confirm(ctx context.Context, pool *pgxpool.Pool) error {
	return db.transact(ctx, pool, func(pgx.Tx) error { return nil })
}

// ignored are destinations for the columns of confirmSQL behind the durability.
func (db *DB) ignored() []any {
	if db.requireDurability {
		return []any{nil, nil}
	}
	return []any{nil}
}
