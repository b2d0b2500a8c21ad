package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// readPooler finds out whether a pooler between this program and the server supports the
// service: it connects as the service does, and begins a transaction.
func (i *Inspector) readPooler(ctx context.Context) (fact doctor.Fact[doctor.Pooler]) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()

	err := i.connectAsService(ctx, func(conn *pgx.Conn) (err error) {
		if !i.config.Pooled {
			fact.Value.ParametersIgnored, err = i.ignoresParameters(ctx, conn)
		}

		if err != nil {
			return err
		}

		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}

		return tx.Rollback(ctx)
	})
	var wrong poolerError
	switch {
	case err == nil:
	case errors.As(newPoolerError(err), &wrong):
		fact.Value.ErrorMessage = wrong.message
		fact.Value.NoTransactions = wrong.advice == adviceStatement || i.rejectsTransactions(ctx)
	default:
		fact.Err = conciseError(err)
	}

	return fact
}

// connectAsService opens a connection with the startup parameters of the service.
func (i *Inspector) connectAsService(ctx context.Context, use func(*pgx.Conn) error) error {
	config := i.pool.Config().ConnConfig.Copy()
	if !i.config.Pooled {
		maps.Copy(config.RuntimeParams, startupParameters("theeye doctor", timeouts{i.config.WriteTimeout, i.config.WriteTimeout}))
	}

	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending on it

	return use(conn)
}

// ignoresParameters reports whether the startup parameters are not in force.
func (i *Inspector) ignoresParameters(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var setting string
	err := conn.QueryRow(ctx, "select setting from pg_settings where name = 'statement_timeout'").Scan(&setting)
	return setting != strconv.FormatInt(i.config.WriteTimeout.Milliseconds(), 10), err
}

// rejectsTransactions reports whether a pooler in statement mode refuses transactions on a
// connection that it accepted.
func (i *Inspector) rejectsTransactions(ctx context.Context) bool {
	tx, err := i.pool.Begin(ctx)
	if err != nil {
		return newPoolerError(err) != nil
	}

	_ = tx.Rollback(ctx) // it did nothing
	return false
}
