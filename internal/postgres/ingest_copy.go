package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/pgcopy"
)

// copySQL writes to the indexes of event's partitions. It locks nothing but its own rows.
const copySQL = `copy event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id, judged_us, group_id, trace_id, event_type_version, violations) from stdin (format binary)`

// copyColumns is the number of columns in copySQL.
const copyColumns = 14

// copyAndCommit writes the events of a group and commits the open transaction. It returns nil
// only when everything that the transaction wrote or read is as durable as the database
// is set up to make it.
//
// COPY, its data, the reading of what the commit waits for, and COMMIT go out as one
// message, which spares round trips. No change of the server's settings comes between
// them, for the server looks for such changes before a message.
func (t *groupTransaction) copyAndCommit(ctx context.Context, conn *pgx.Conn, o *groupOutcome) error {
	db := t.store.db
	message := commitMessage{sql: db.confirmSQL() + "; commit"}
	if len(o.stored) > 0 { // what is written makes the commit wait
		message = commitMessage{sql: copySQL + "; select " + db.settingsSQL() + "; commit", data: t.encodeCopy(o.stored)}
	}

	answer, err := message.send(ctx, conn.PgConn())
	switch {
	case isUnsafeCommit(err):
		return errUnsafeCommit
	case err != nil:
		return err
	case answer.tag != "COMMIT":
		return fmt.Errorf("the transaction ended with %q", answer.tag)
	}

	db.recordCommit(answer.durability)

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

// encodeCopy renders rows as copySQL reads them.
func (t *groupTransaction) encodeCopy(rows []int) []byte {
	const header, fixed = 32, 2 + copyColumns*4 + 3*16 + 2*8 + 1 + 2*8 + 3*4
	size := header
	for _, i := range rows {
		e := t.plan.rows[i].event()
		size += fixed + len(e.Category) + len(e.Name) + len(e.Data)
	}

	b := pgcopy.AppendHeader(make([]byte, 0, size))
	for _, i := range rows {
		r := &t.plan.rows[i]
		e := r.event()
		request := r.item.Request
		b = pgcopy.AppendRow(b, copyColumns)
		b = pgcopy.AppendBytes(b, e.ID[:])
		b = pgcopy.AppendBytes(b, e.SessionID[:])
		b = pgcopy.AppendInt64(b, r.sequence())
		b = pgcopy.AppendBytes(b, e.Category)
		b = pgcopy.AppendBytes(b, e.Name)
		b = pgcopy.AppendJSONB(b, e.Data)
		b = pgcopy.AppendTime(b, e.Timestamp)
		b = pgcopy.AppendTime(b, request.ReceivedAt)
		b = pgcopy.AppendInt32(b, int32(request.Application))
		b = pgcopy.AppendInt32(b, durationMicroseconds(request.ValidatedAfter))
		b = pgcopy.AppendInt64(b, int64(t.group.ID))
		b = pgcopy.AppendBytes(b, request.TraceID[:])
		b = appendTypeColumns(b, r.item.Envelope)
	}

	return pgcopy.AppendTrailer(b)
}

// appendTypeColumns appends the version of the event's type and what that objects to.
func appendTypeColumns(b []byte, e *event.Envelope) []byte {
	version, violations := validationColumns(e)
	if version == nil {
		b = pgcopy.AppendNull(b)
	} else {
		b = pgcopy.AppendInt32(b, *version)
	}

	if violations == nil {
		return pgcopy.AppendNull(b)
	}

	return pgcopy.AppendJSONB(b, violations)
}

// validationColumns is what an event's type has to say, as it is stored.
func validationColumns(e *event.Envelope) (version *int32, violations []byte) {
	if e.TypeVersion > 0 {
		version = &e.TypeVersion
	}

	if len(e.Observed) > 0 {
		violations, _ = json.Marshal(e.Observed) // strings alone cannot fail
	}

	return version, violations
}

// durationMicroseconds returns a duration as the columns hold it: half an hour at most.
func durationMicroseconds(d time.Duration) int32 {
	return int32(min(max(d.Microseconds(), 0), math.MaxInt32))
}
