package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/fair"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// maxReadsWaiting bounds how many queries of one key wait for a connection.
const maxReadsWaiting = 256

// newReadShares shares the read connections among the keys: at most half of them go to one key,
// at most a quarter to the heavy queries of one key, and at most half to all heavy queries, so
// that a connection for a light one is soon free.
func newReadShares(connections int) *fair.Shares {
	const half, quarter = 2, 4
	return fair.New(fair.Config{
		Slots:          connections,
		HeavySlots:     connections / half,
		PerCaller:      connections / half,
		HeavyPerCaller: connections / quarter,
		MaxWaiting:     maxReadsWaiting,
	})
}

// newDryRunShares shares the connections for dry runs among the keys. They are a third of the
// connections for changes.
func newDryRunShares() *fair.Shares {
	const slots = ChangeConnections / 3
	return fair.New(fair.Config{
		Slots:          slots,
		HeavySlots:     slots,
		PerCaller:      1,
		HeavyPerCaller: 1,
		MaxWaiting:     maxReadsWaiting,
	})
}

// acquireShare waits for the caller's share of a kind of connections. The function that it
// returns releases the share.
func acquireShare(ctx context.Context, shares *fair.Shares, heavy bool) (release func(), err error) {
	release, err = shares.Acquire(ctx, fair.CallerOf(ctx), heavy)
	switch {
	case errors.Is(err, fair.ErrTooManyWaiting):
		return nil, fault.NewUnavailable(err, fault.CodeOverloaded, "too many questions of this key wait for their turn; ask again when some of them are answered", time.Second)
	case err != nil:
		return nil, translateError(err, "wait for a connection")
	}

	return release, nil
}

// collectShared reads all rows of a light query when it is the caller's turn.
func collectShared[T any](ctx context.Context, db *DB, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	release, err := acquireShare(ctx, db.readShares, false)
	if err != nil {
		return nil, err
	}
	defer release()

	return collectRows(ctx, db.read, scan, sql, args...)
}
