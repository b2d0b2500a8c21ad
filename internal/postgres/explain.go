package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Explaining returns a store that answers nothing: of each statement that it would
// run it tells the plan, with what it really took. For measuring tools and tests, so
// that they see the very statements of the service.
func (s *QueryStore) Explaining(tell func(plan string)) *QueryStore {
	return &QueryStore{db: s.db, mode: s.mode, prepared: s.prepared, tell: tell}
}

// explainSQL runs the statement behind it and takes its locks.
const explainSQL = "explain (analyze, buffers) "

func (s *QueryStore) explain(ctx context.Context, mode pgx.QueryExecMode, sql string, args []any) error {
	rows, err := s.db.read.Query(ctx, explainSQL+sql, append([]any{mode}, args...)...)
	if err != nil {
		return translate(err, "explain")
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return translate(err, "explain")
	}
	s.tell(strings.Join(lines, "\n"))
	return nil
}
