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

// copySQL writes to the indexes of event's partitions. It locks nothing but its own rows.
const copySQL = `copy event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id, judged_us, group_id, trace_id, event_type_version, violations) from stdin (format binary)`

// copyColumns is the number of columns in copySQL.
const copyColumns = 14

// copyAndCommit writes rows into event and commits the open transaction. It returns nil
// only when everything that the transaction wrote or read is as durable as the database
// is set up to make it.
//
// COPY, its data, the reading of what the commit waits for, and COMMIT go out as one
// message, which spares round trips. No change of the server's settings comes between
// them, for the server looks for such changes before a message.
func (db *DB) copyAndCommit(ctx context.Context, conn *pgx.Conn, p *groupPlan, rows []int, s *groupSessions) error {
	message := commitMessage{sql: db.confirmSQL() + "; commit"}
	if len(rows) > 0 { // what is written makes the commit wait
		message = commitMessage{sql: copySQL + "; select " + db.settingsSQL() + "; commit", data: p.encodeCopy(rows, s)}
	}

	answer, err := message.send(ctx, conn.PgConn())
	switch {
	case refusesUnsafeCommit(err):
		return errUnsafeCommit
	case err != nil:
		return err
	case answer.tag != "COMMIT":
		return fmt.Errorf("the transaction ended with %q", answer.tag)
	}

	db.noteCommit(answer.durability)
	return checkReplicated(conn.PgConn())
}

// commitMessage is statements that end with COMMIT, and the data of the COPY that they
// begin with, if they do.
type commitMessage struct {
	sql  string
	data []byte
}

// commitAnswer is what the server said to a commitMessage.
type commitAnswer struct {
	// tag is the last command's.
	tag        string
	durability Durability
}

// send sends the statements and the data at once, without waiting for the server to ask
// for the data. What comes behind a COPY that the server refuses is passed over by it
// (PostgreSQL sources, PostgresMain: copy messages outside of a COPY are ignored).
func (m commitMessage) send(ctx context.Context, conn *pgconn.PgConn) (commitAnswer, error) {
	front := conn.Frontend()
	front.SendQuery(&pgproto3.Query{String: m.sql})
	if m.data != nil {
		front.Send(&pgproto3.CopyData{Data: m.data})
		front.Send(&pgproto3.CopyDone{})
	}

	stop := context.AfterFunc(ctx, func() { _ = conn.Conn().SetWriteDeadline(time.Unix(1, 0)) })
	err := front.Flush()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return commitAnswer{}, errors.Join(err, abandonConnection(ctx, conn)) // half a message may be on its way
	}

	return receiveCommit(ctx, conn)
}

// receiveCommit reads what the server says to a commitMessage.
func receiveCommit(ctx context.Context, conn *pgconn.PgConn) (answer commitAnswer, err error) {
	var refused error
	for {
		message, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return commitAnswer{}, errors.Join(err, abandonConnection(ctx, conn))
		}
		switch message := message.(type) {
		case *pgproto3.DataRow:
			answer.durability, _ = readDurability(message.Values)
		case *pgproto3.CommandComplete:
			answer.tag = string(message.CommandTag)
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(message)
		case *pgproto3.ReadyForQuery:
			return answer, refused
		}
	}
}

// abandonConnection closes a connection on which something runs, and asks the server to end it:
// it would else hold its locks until it looks for the client, which a wait for a lock
// does not do.
func abandonConnection(ctx context.Context, conn *pgconn.PgConn) error {
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBudget)
		defer cancel()
		_ = conn.CancelRequest(ctx) // a server that is away has nothing to end
	}()
	return conn.Close(ctx)
}

// encodeCopy renders rows in the binary format of COPY (PostgreSQL documentation,
// COPY, "Binary Format").
func (p *groupPlan) encodeCopy(rows []int, s *groupSessions) []byte {
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
		b = appendInt64(b, s.sequenceOf(r))
		b = appendField(b, e.Category)
		b = appendField(b, e.Name)
		b = appendDocument(b, e.Data)
		b = appendInt64(b, microseconds(e.Timestamp))
		b = appendInt64(b, microseconds(r.item.Request.ReceivedAt))
		request := r.item.Request
		b = appendInt32(b, int32(request.Application))
		b = appendInt32(b, durationMicroseconds(request.ValidatedAfter))
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

// durationMicroseconds returns a duration in microseconds, as the columns hold it: half an hour at most.
func durationMicroseconds(d time.Duration) int32 {
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
