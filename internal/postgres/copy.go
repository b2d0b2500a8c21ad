package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/the-eye-events/the-eye/internal/event"
)

// copySQL writes to the three indexes of event's partitions. COPY and COMMIT go
// out as one message, which spares a round trip. It locks nothing but its own rows.
const copySQL = `copy event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id, judged_us, group_id, trace_id, event_type_version, violations) from stdin (format binary); commit`

// copyColumns is the number of columns in copySQL.
const copyColumns = 14

// copyAndCommit writes rows into event and commits the open transaction.
func (p *plan) copyAndCommit(ctx context.Context, conn *pgx.Conn, rows []int, s *sessions) error {
	if len(rows) == 0 {
		_, err := conn.Exec(ctx, "commit")
		return err
	}
	tag, err := copyAtOnce(ctx, conn.PgConn(), copySQL, p.encode(rows, s))
	if err != nil {
		return err
	}
	if tag != "COMMIT" {
		return fmt.Errorf("the transaction ended with %q", tag)
	}
	return nil
}

// copyAtOnce sends a COPY and its data in one message after the other, without
// waiting for the server to ask for them, and returns the last command's tag. What
// comes behind a COPY that the server refuses is passed over by it (PostgreSQL
// sources, PostgresMain: copy messages outside of a COPY are ignored).
func copyAtOnce(ctx context.Context, conn *pgconn.PgConn, sql string, data []byte) (tag string, err error) {
	front := conn.Frontend()
	front.SendQuery(&pgproto3.Query{String: sql})
	front.Send(&pgproto3.CopyData{Data: data})
	front.Send(&pgproto3.CopyDone{})
	stop := context.AfterFunc(ctx, func() { _ = conn.Conn().SetWriteDeadline(time.Unix(1, 0)) })
	err = front.Flush()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", errors.Join(err, giveUp(ctx, conn)) // half a message may be on its way
	}
	var refused error
	for {
		message, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return "", errors.Join(err, giveUp(ctx, conn))
		}
		switch message := message.(type) {
		case *pgproto3.CommandComplete:
			tag = string(message.CommandTag)
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(message)
		case *pgproto3.ReadyForQuery:
			return tag, refused
		}
	}
}

// giveUp closes a connection on which something runs, and asks the server to end it:
// it would else hold its locks until it looks for the client, which a wait for a lock
// does not do.
func giveUp(ctx context.Context, conn *pgconn.PgConn) error {
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBudget)
		defer cancel()
		_ = conn.CancelRequest(ctx) // a server that is away has nothing to end
	}()
	return conn.Close(ctx)
}

// encode renders rows in the binary format of COPY (PostgreSQL documentation,
// COPY, "Binary Format").
func (p *plan) encode(rows []int, s *sessions) []byte {
	const fixed = 2 + copyColumns*4 + 3*16 + 2*8 + 1 + 2*8 + 3*4
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
		b = appendDocument(b, e.Data)
		b = appendInt64(b, microseconds(e.Timestamp))
		b = appendInt64(b, microseconds(r.item.Request.ReceivedAt))
		request := r.item.Request
		b = appendInt32(b, int32(request.Application))
		b = appendInt32(b, wholeMicroseconds(request.Judged))
		b = appendInt64(b, int64(p.id))
		b = appendField(b, request.TraceID[:])
		b = appendType(b, r.item.Envelope)
	}
	return binary.BigEndian.AppendUint16(b, 0xffff)
}

// appendType appends the version of the event's type and what that objects to.
func appendType(b []byte, e *event.Envelope) []byte {
	const null = math.MaxUint32 // -1
	version, violations := judgement(e)
	if version == nil {
		b = binary.BigEndian.AppendUint32(b, null)
	} else {
		b = appendInt32(b, *version)
	}
	if violations == nil {
		return binary.BigEndian.AppendUint32(b, null)
	}
	return appendDocument(b, violations)
}

// appendDocument appends a jsonb: its text behind the version of the binary form.
func appendDocument(b, text []byte) []byte {
	const version = 1
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(text))) //nolint:gosec // bounded by the event limit
	return append(append(b, version), text...)
}

func appendField[T string | []byte](b []byte, value T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(value))) //nolint:gosec // bounded by the event limit
	return append(b, value...)
}

func appendInt32(b []byte, value int32) []byte {
	b = binary.BigEndian.AppendUint32(b, 4)
	return binary.BigEndian.AppendUint32(b, uint32(value)) //nolint:gosec // same bits
}

// wholeMicroseconds returns a duration in microseconds, as the columns hold it: half an hour at most.
func wholeMicroseconds(d time.Duration) int32 {
	return int32(min(max(d.Microseconds(), 0), math.MaxInt32))
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
