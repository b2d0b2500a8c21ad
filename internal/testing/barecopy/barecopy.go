// Package barecopy writes events with binary COPY and nothing else: the rate that a service which
// does more is compared with. Benchmarks and eyeload use it.
package barecopy

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/the-eye-events/the-eye/internal/pgcopy"
)

const (
	keysSQL   = `copy event_key from stdin (format binary)`
	eventsSQL = `copy event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id) from stdin (format binary)`
)

// Row is what differs between two rows. They are page views of the application with the number 1.
type Row struct {
	ID      uuid.UUID
	Session uuid.UUID
	At      time.Time
	Data    []byte
}

// Transaction is the data of one transaction, ready to be sent.
type Transaction struct {
	events []byte
	keys   []byte
}

// Render renders a transaction of n rows. Sequences begin behind the number after, so that no two
// rows are the same.
func Render(n, after int, next func() Row) Transaction {
	const (
		application  = 1
		eventColumns = 9
		keyColumns   = 2
	)

	events := pgcopy.AppendHeader(nil)
	keys := pgcopy.AppendHeader(nil)
	for i := range n {
		row := next()

		events = pgcopy.AppendRow(events, eventColumns)
		events = pgcopy.AppendBytes(events, row.ID[:])
		events = pgcopy.AppendBytes(events, row.Session[:])
		events = pgcopy.AppendInt64(events, int64(after+i+1))
		events = pgcopy.AppendBytes(events, "page")
		events = pgcopy.AppendBytes(events, "view")
		events = pgcopy.AppendJSONB(events, row.Data)
		events = pgcopy.AppendTime(events, row.At)
		events = pgcopy.AppendTime(events, row.At)
		events = pgcopy.AppendInt32(events, application)

		keys = pgcopy.AppendRow(keys, keyColumns)
		keys = pgcopy.AppendBytes(keys, row.ID[:])
		keys = pgcopy.AppendTime(keys, row.At)
	}

	return Transaction{events: pgcopy.AppendTrailer(events), keys: pgcopy.AppendTrailer(keys)}
}

// Send writes the rows to event and event_key, and commits.
func (t Transaction) Send(ctx context.Context, conn *pgconn.PgConn) error {
	if _, err := conn.CopyFrom(ctx, bytes.NewReader(t.keys), "begin; "+keysSQL); err != nil {
		return fmt.Errorf("copy the ledger: %w", err)
	}

	if _, err := conn.CopyFrom(ctx, bytes.NewReader(t.events), eventsSQL+"; commit"); err != nil {
		return fmt.Errorf("copy events: %w", err)
	}

	return nil
}
