package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// AsPoolerError returns what a pooler refused and what to do, alone and without what came of it,
// where that is why an error came about; else nil.
func AsPoolerError(err error) error {
	if wrong, ok := errors.AsType[poolerError](err); ok {
		return wrong
	}

	return nil
}

// What PgBouncer says. It has one SQLSTATE for all of it.
const (
	rejectedParameter = "unsupported startup parameter"
	statementMode     = "statement pooling mode"
)

// The advice for both.
const (
	adviceParameter = "set database.pooler to transaction (THEEYE_DATABASE_POOLER=transaction), and pool_mode of PgBouncer to transaction"
	adviceStatement = "set pool_mode of PgBouncer to transaction, and database.pooler, too: in statement mode there are no transactions"
)

// newPoolerError returns a poolerError for an error by which a pooler refuses what the service
// cannot do without, and nil for all others.
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

// poolerError tells that a pooler stands between, and cannot be worked through as it is set
// up, or as database.pooler is.
type poolerError struct{ message, advice string }

func (e poolerError) Error() string {
	return "a pooler such as PgBouncer refuses what the service needs (" + e.message + "): " + e.advice
}
