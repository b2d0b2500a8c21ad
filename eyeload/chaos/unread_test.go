package chaos_test

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// unread is a database that cannot be read.
type unread struct{}

func (unread) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errors.New("it cannot be read")
}
