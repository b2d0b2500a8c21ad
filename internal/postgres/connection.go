package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// querier is what a pool, a connection and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// executor is what a pool and a transaction have in common.
type executor interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
}

// rollbackBudget bounds a rollback, and a request to cancel.
const rollbackBudget = 2 * time.Second

// withConnection runs a transaction that ends with its own COMMIT, and rolls back a transaction
// that is left open. The rollback has a budget of its own, so that a request that ran out of
// time does not leave its locks behind.
func withConnection(ctx context.Context, pool *pgxpool.Pool, run func(*pgx.Conn) error) error {
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}

	conn := pooled.Conn()
	defer func() {
		if conn.IsClosed() {
			pooled.Hijack() // its slot is free at once; Release would wait for a server that may be down
			return
		}

		pooled.Release() // closes the connection unless it is idle
	}()

	err = run(conn)
	if err == nil || conn.IsClosed() {
		return err
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBudget)
	defer cancel()

	if _, failed := conn.Exec(ctx, "rollback"); failed != nil {
		return errors.Join(err, failed)
	}

	return err
}

// abandonConnection closes a connection on which a statement runs, and asks the server to cancel
// the statement. The server would otherwise hold its locks until it checks the client, which it
// does not do while it waits for a lock.
func abandonConnection(ctx context.Context, conn *pgconn.PgConn) error {
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBudget)
		defer cancel()

		_ = conn.CancelRequest(ctx) // a server that is down has nothing to cancel
	}()

	return conn.Close(ctx)
}
