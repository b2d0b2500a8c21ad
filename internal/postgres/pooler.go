package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// AsPoolerError returns what a pooler refused and the remedy, without the errors that follow
// from it, if that is the cause of an error; otherwise nil.
func AsPoolerError(err error) error {
	if wrong, ok := errors.AsType[poolerError](err); ok {
		return wrong
	}

	return nil
}

// Messages of PgBouncer, which has one SQLSTATE for all of them.
const (
	rejectedParameter = "unsupported startup parameter"
	statementMode     = "statement pooling mode"
)

// The remedies for both.
const (
	adviceParameter = "set database.pooler to transaction (THEEYE_DATABASE_POOLER=transaction), and pool_mode of PgBouncer to transaction"
	adviceStatement = "set pool_mode of PgBouncer to transaction and database.pooler to transaction: statement mode does not support transactions"
)

// newPoolerError returns a poolerError for an error by which a pooler refuses a feature that the
// service requires, and nil for all others.
func newPoolerError(err error) error {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
	case strings.Contains(pg.Message, rejectedParameter):
		return poolerError{pg.Message, adviceParameter}
	case strings.Contains(pg.Message, statementMode):
		return poolerError{pg.Message, adviceStatement}
	}

	return nil
}

// poolerError reports that a pooler is in between, and that its configuration, or
// database.pooler, does not suit the service.
type poolerError struct{ message, advice string }

func (e poolerError) Error() string {
	return "a pooler such as PgBouncer refuses a feature that the service needs (" + e.message + "): " + e.advice
}
