package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// copySQL writes to the three indexes of event's partitions. COPY and COMMIT go
// out as one message, which spares a round trip. It locks nothing but its own rows.
const copySQL = `copy event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id) from stdin (format binary); commit`

// copyColumns is the number of columns in copySQL.
const copyColumns = 9

// copyAndCommit writes rows into event and commits the open transaction.
func (p *plan) copyAndCommit(ctx context.Context, conn *pgx.Conn, rows []int, s *sessions) error {
	if len(rows) == 0 {
		_, err := conn.Exec(ctx, "commit")
		return err
	}
	tag, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(p.encode(rows, s)), copySQL)
	if err != nil {
		return err
	}
	if tag.String() != "COMMIT" {
		return fmt.Errorf("the transaction ended with %q", tag)
	}
	return nil
}

// encode renders rows in the binary format of COPY (PostgreSQL documentation,
// COPY, "Binary Format").
func (p *plan) encode(rows []int, s *sessions) []byte {
	const fixed = 2 + copyColumns*4 + 2*16 + 8 + 1 + 2*8 + 4
	size := 32
	for _, i := range rows {
		e := p.rows[i].event()
		size += fixed + len(e.Category) + len(e.Name) + len(e.Data)
	}
	b := make([]byte, 0, size)
	b = append(b, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, i := range rows {
		r := &p.rows[i]
		e := r.event()
		b = binary.BigEndian.AppendUint16(b, copyColumns)
		b = appendField(b, e.ID[:])
		b = appendField(b, e.SessionID[:])
		b = appendInt64(b, s.sequence(r))
		b = appendField(b, e.Category)
		b = appendField(b, e.Name)
		b = binary.BigEndian.AppendUint32(b, uint32(1+len(e.Data))) //nolint:gosec // bounded by the event limit
		b = append(b, jsonbVersion)
		b = append(b, e.Data...)
		b = appendInt64(b, microseconds(e.Timestamp))
		b = appendInt64(b, microseconds(r.item.Request.ReceivedAt))
		b = binary.BigEndian.AppendUint32(b, 4)
		b = binary.BigEndian.AppendUint32(b, uint32(r.item.Request.Application)) //nolint:gosec // same bits
	}
	return binary.BigEndian.AppendUint16(b, 0xffff)
}

// jsonbVersion precedes the text of a jsonb in binary form.
const jsonbVersion = 1

func appendField[T string | []byte](b []byte, value T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(value))) //nolint:gosec // bounded by the event limit
	return append(b, value...)
}

func appendInt64(b []byte, value int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(value)) //nolint:gosec // same bits
}

// microseconds counts from Postgres' epoch, 2000-01-01.
func microseconds(at time.Time) int64 {
	const epoch = 946_684_800_000_000
	return at.UnixMicro() - epoch
}
