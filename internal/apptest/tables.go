package apptest

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/oracle"
)

// Contradictions returns where the tables contradict one another: sessions, their
// events, and the ledger.
func Contradictions(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	sessions, err := oracle.BrokenSessions(ctx, pool, oracle.Scope{})
	ledger, ledgerErr := oracle.BrokenLedger(ctx, pool)
	return append(sessions, ledger...), errors.Join(err, ledgerErr)
}

// Gaps returns the sessions in which not every number from 1 on is taken. Only
// erasures and moves may leave one.
func Gaps(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	return oracle.Gaps(ctx, pool, oracle.Scope{})
}
