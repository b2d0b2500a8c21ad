package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// The standby freezes, senders time out and send again, the primary dies, the standby is
// promoted: every acknowledged event is there, and the rest can be sent again.
func TestNothingAcknowledgedIsLostInAFailover(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t)
	db := openDB(t, pair.DSN())
	store := newStore(db, keepAll())
	pool, err := pgxpool.New(context.Background(), pair.PrimaryDSN())
	require.NoError(t, err)
	_, err = pool.Exec(context.Background(), "insert into application (name) values ('shop'), ('blog')")
	require.NoError(t, err)
	pool.Close()
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	before := request(shop, envelope(session, noon))
	submit(t, collector(t, store, 1), before)

	pair.FreezeStandby(t)
	lost := request(shop, envelope(session, noon), envelope(uuid.New(), noon))
	for range 3 {
		verdicts, err := newCollectorWithBudget(t, store, commitWait).Submit(context.Background(), resend(lost))
		require.Error(t, err, "%v", verdicts)
	}

	pair.KillPrimary(t)
	pair.Promote(t)

	require.Eventually(t, func() bool {
		verdicts, err := newCollectorWithBudget(t, store, 5*time.Second).Submit(context.Background(), resend(before))
		return err == nil && verdicts[0].Status == ingest.Duplicate
	}, time.Minute, 10*time.Millisecond, "it was acknowledged before the failover")
	again := submit(t, collector(t, store, 1), resend(lost))
	require.NotContains(t, statuses(again), ingest.Conflict)
	require.Equal(t, int64(2), again[0].Sequence)
}
