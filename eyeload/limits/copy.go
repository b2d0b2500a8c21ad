package limits

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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

// renderCopy renders rows of event and of event_key in the binary format of COPY (PostgreSQL
// documentation, COPY, "Binary Format"). Sequences begin behind the number after, so that no
// two rows are the same.
func renderCopy(g *generator, after int) (events, keys []byte) {
	const header = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

	const epoch = 946_684_800_000_000

	events = []byte(header)
	keys = []byte(header)
	field := func(b, value []byte) []byte {
		return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...) //nolint:gosec // short
	}

	number := func(value int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(value)) } //nolint:gosec // same bits
	for i := range copyRows {
		now := g.now()
		at := number(now.UnixMicro() - epoch)
		id := g.ids.nextID(now)
		session := g.drawSession()

		const columns = 9
		events = binary.BigEndian.AppendUint16(events, columns)
		for _, value := range [][]byte{
			id[:], session[:], number(int64(after + i + 1)), []byte("page"), []byte("view"),
			append([]byte{1}, payload...), at, at,
			{0, 0, 0, 1},
		} {
			events = field(events, value)
		}

		keys = binary.BigEndian.AppendUint16(keys, 2)
		keys = field(field(keys, id[:]), at)
	}

	return binary.BigEndian.AppendUint16(events, 0xffff), binary.BigEndian.AppendUint16(keys, 0xffff)
}
