package limits

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/pgcopy"
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
	events := make([][]byte, transactions)
	keys := make([][]byte, transactions)
	for i := range events {
		events[i], keys[i] = renderCopy(source, i*copyRows)
	}

	var next, done atomic.Int64
	failures := make([]error, connections)
	var group sync.WaitGroup
	begin := now()
	for n := range connections {
		group.Go(func() {
			failures[n] = copyUntil(ctx, pool, func() (event, key []byte, more bool) {
				i := int(next.Add(1)) - 1
				if i >= transactions || now().Sub(begin) >= during {
					return nil, nil, false
				}

				done.Add(copyRows)

				return events[i], keys[i], true
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
func copyUntil(ctx context.Context, pool *pgxpool.Pool, next func() (events, keys []byte, more bool)) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect for COPY: %w", err)
	}
	defer conn.Release()

	raw := conn.Conn().PgConn()
	for {
		events, keys, more := next()
		if !more {
			return nil
		}

		if _, err := raw.CopyFrom(ctx, bytes.NewReader(keys), "begin; copy event_key from stdin (format binary)"); err != nil {
			return fmt.Errorf("copy the ledger: %w", err)
		}

		if _, err := raw.CopyFrom(ctx, bytes.NewReader(events), copyEventsSQL+"; commit"); err != nil {
			return fmt.Errorf("copy events: %w", err)
		}
	}
}

// renderCopy renders rows of event and of event_key. Sequences begin behind the number after,
// so that no two rows are the same.
func renderCopy(g *generator, after int) (events, keys []byte) {
	const application = 1

	events = pgcopy.AppendHeader(nil)
	keys = pgcopy.AppendHeader(nil)
	for i := range copyRows {
		now := g.now()
		id := g.ids.nextID(now)
		session := g.drawSession()

		events = pgcopy.AppendRow(events, 9)
		events = pgcopy.AppendBytes(events, id[:])
		events = pgcopy.AppendBytes(events, session[:])
		events = pgcopy.AppendInt64(events, int64(after+i+1))
		events = pgcopy.AppendBytes(events, "page")
		events = pgcopy.AppendBytes(events, "view")
		events = pgcopy.AppendJSONB(events, []byte(payload))
		events = pgcopy.AppendTime(events, now)
		events = pgcopy.AppendTime(events, now)
		events = pgcopy.AppendInt32(events, application)

		keys = pgcopy.AppendRow(keys, 2)
		keys = pgcopy.AppendBytes(keys, id[:])
		keys = pgcopy.AppendTime(keys, now)
	}

	return pgcopy.AppendTrailer(events), pgcopy.AppendTrailer(keys)
}
