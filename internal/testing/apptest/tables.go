package apptest

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/testing/oracle"
)

// FindContradictions returns where the tables contradict one another: sessions, their
// events, and the ledger.
func FindContradictions(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	sessions, err := oracle.FindBrokenSessions(ctx, pool, oracle.Scope{})
	ledger, ledgerErr := oracle.FindBrokenLedger(ctx, pool)
	return append(sessions, ledger...), errors.Join(err, ledgerErr)
}

// FindGaps returns the sessions whose sequence numbers have a gap. Only erasures and moves
// may leave one.
func FindGaps(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	return oracle.FindGaps(ctx, pool, oracle.Scope{})
}
