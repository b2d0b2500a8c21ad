package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// namedStatement is SQL that is sent with every group, and prepared once on a connection
// unless a pooler stands between. It casts every parameter, which tells its type.
type namedStatement struct {
	name string
	sql  string
}

// statementBatch is statements that go to the server together and come back together. They
// are one transaction, unless there are transaction statements among them.
type statementBatch struct {
	conn   *pgx.Conn
	pooled bool
	batch  pgconn.Batch
}

// queue adds a statement whose parameters are in binary form.
func (t *statementBatch) queue(ctx context.Context, s namedStatement, values ...[]byte) error {
	binaryForm := []int16{pgx.BinaryFormatCode}
	if t.pooled {
		t.batch.ExecParams(s.sql, values, nil, binaryForm, binaryForm)
		return nil
	}
	known, err := t.conn.Prepare(ctx, s.name, s.sql) // known from the second time on
	if err != nil {
		return err
	}
	t.batch.ExecStatement(known, values, binaryForm, binaryForm)
	return nil
}

// run sends the statements and hands over the rows that they return.
func (t *statementBatch) run(ctx context.Context, row func(values [][]byte)) error {
	results := t.conn.PgConn().ExecBatch(ctx, &t.batch)
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			row(reader.Values())
		}
	}
	return results.Close()
}

func beginStatement() namedStatement { return namedStatement{name: "theeye_begin", sql: beginSQL} }

func ledgerStatement() namedStatement { return namedStatement{name: "theeye_ledger", sql: ledgerSQL} }

func sessionStatement() namedStatement {
	return namedStatement{name: "theeye_session", sql: sessionSQL}
}

// queueClaim adds the entering of rows into the ledger.
func (t *statementBatch) queueClaim(ctx context.Context, p *groupPlan, rows []int) error {
	ids, times := newUUIDArray(len(rows)), newTimeArray(len(rows))
	for _, i := range rows {
		e := p.rows[i].event()
		ids.addUUID(e.ID)
		times.addTime(e.Timestamp)
	}
	return t.queue(ctx, ledgerStatement(), ids, times)
}

// queueSessions adds the upsert of sessions.
func (t *statementBatch) queueSessions(ctx context.Context, s *groupSessions) error {
	n := len(s.ids)
	ids, counts, firsts, lasts, applications := newUUIDArray(n), newInt64Array(n), newTimeArray(n), newTimeArray(n), newTextArray(n, 4)
	for i := range s.ids {
		ids.addUUID(s.ids[i])
		counts.addInt64(s.counts[i])
		firsts.addTime(s.firsts[i])
		lasts.addTime(s.lasts[i])
		applications.addText(s.applications[i])
	}
	return t.queue(ctx, sessionStatement(), ids, counts, firsts, lasts, applications)
}

// lock adds what takes the locks of a group: the ledger, then the sessions.
func (t *statementBatch) lock(ctx context.Context, p *groupPlan, s *groupSessions) error {
	if err := t.queueClaim(ctx, p, p.byID); err != nil {
		return err
	}
	return t.queueSessions(ctx, s)
}

// take runs a trip whose rows are those of sessionSQL. That an id is known is
// errNeedsCare.
func (t *statementBatch) take(ctx context.Context, s *groupSessions) error {
	var unreadable error
	err := t.run(ctx, func(values [][]byte) { unreadable = errors.Join(unreadable, s.note(values)) })
	if violates(err, "event_key_pkey") {
		return errNeedsCarefulPath
	}
	return errors.Join(err, unreadable)
}

// note notes a row of sessionSQL.
func (s *groupSessions) note(values [][]byte) error {
	const idLength, sequenceLength = 16, 8
	if len(values) != 2 || len(values[0]) != idLength || len(values[1]) != sequenceLength {
		return fmt.Errorf("a session came back in %d values", len(values))
	}
	s.setLastSequence([16]byte(values[0]), int64(binary.BigEndian.Uint64(values[1]))) //nolint:gosec // same bits
	return nil
}
