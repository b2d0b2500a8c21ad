package chaos_test

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// unreadableDatabase is a database that cannot be read.
type unreadableDatabase struct{}

func (unreadableDatabase) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errors.New("it cannot be read")
}
