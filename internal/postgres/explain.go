package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ExplainTo returns a store that runs each statement only to pass its plan, with the actual
// times and rows, to onPlan. It is for measuring tools and tests, which so see exactly the
// statements of the service.
func (s *QueryStore) ExplainTo(onPlan func(plan string)) *QueryStore {
	return &QueryStore{db: s.db, mode: s.mode, prepared: s.prepared, onPlan: onPlan}
}

// explainSQL runs the statement that follows and takes its locks.
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
