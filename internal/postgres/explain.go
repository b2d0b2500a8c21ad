package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ExplainTo returns a store that answers nothing: of each statement that it would
// run it tells the plan, with what it really took. For measuring tools and tests, so
// that they see the very statements of the service.
func (s *QueryStore) ExplainTo(tell func(plan string)) *QueryStore {
	return &QueryStore{db: s.db, mode: s.mode, prepared: s.prepared, onPlan: tell}
}

// explainSQL runs the statement behind it and takes its locks.
const explainSQL = "explain (analyze, buffers) "

func (s *QueryStore) explainStatement(ctx context.Context, mode pgx.QueryExecMode, sql string, args []any) error {
	rows, err := s.db.read.Query(ctx, explainSQL+sql, append([]any{mode}, args...)...)
	if err != nil {
		return translateError(err, "explain")
	}

	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return translateError(err, "explain")
	}

	s.onPlan(strings.Join(lines, "\n"))
	return nil
}
