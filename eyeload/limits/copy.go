package limits

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/testing/barecopy"
)

// copyRows is the number of rows in a transaction of the COPY limit.
const copyRows = 1000

// copyLimit measures what Postgres alone can do: binary COPY of prepared rows into event and
// event_key, a thousand rows in a transaction, until the time is up. It returns rows a second.
func copyLimit(ctx context.Context, pool *pgxpool.Pool, connections int, during time.Duration, now func() time.Time) (float64, error) {
	// All rows that may be needed are prepared first, so that only COPY is measured.
	const maxRate, maxTransactions = 300_000, 1500 // rows a second; bounds the memory

	transactions := min(int(during.Seconds()*maxRate)/copyRows, maxTransactions)
	source := newGenerator(Workload{Sessions: spreadSessions}, 0, now)
	prepared := make([]barecopy.Transaction, transactions)
	for i := range prepared {
		prepared[i] = barecopy.Render(copyRows, i*copyRows, source.nextRow)
	}

	var next, done atomic.Int64
	failures := make([]error, connections)
	var group sync.WaitGroup
	begin := now()
	for n := range connections {
		group.Go(func() {
			failures[n] = copyUntil(ctx, pool, func() (t barecopy.Transaction, more bool) {
				i := int(next.Add(1)) - 1
				if i >= transactions || now().Sub(begin) >= during {
					return t, false
				}

				done.Add(copyRows)

				return prepared[i], true
			})
		})
	}

	group.Wait()

	took := now().Sub(begin)
	for _, err := range failures {
		if err != nil {
			return 0, err
		}
	}

	return float64(done.Load()) / took.Seconds(), nil
}

// copyUntil runs transactions on one connection as long as there are more.
func copyUntil(ctx context.Context, pool *pgxpool.Pool, next func() (t barecopy.Transaction, more bool)) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect for COPY: %w", err)
	}
	defer conn.Release()

	raw := conn.Conn().PgConn()
	for {
		transaction, more := next()
		if !more {
			return nil
		}

		if err := transaction.Send(ctx, raw); err != nil {
			return err
		}
	}
}

// nextRow makes a row of the COPY limit.
func (g *generator) nextRow() barecopy.Row {
	now := g.now()

	return barecopy.Row{ID: g.ids.nextID(now), Session: g.drawSession(), At: now, Data: []byte(payload)}
}
