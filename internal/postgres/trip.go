package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepared is SQL that is sent with every group, and prepared once on a connection
// unless a pooler stands between. It casts every parameter, which tells its type.
type prepared struct {
	name string
	sql  string
}

// trip is statements that go to the server together and come back together. They
// are one transaction, unless there are transaction statements among them.
type trip struct {
	conn   *pgx.Conn
	pooled bool
	batch  pgconn.Batch
}

// add adds a statement whose parameters are in binary form.
func (t *trip) add(ctx context.Context, s prepared, values ...[]byte) error {
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
func (t *trip) run(ctx context.Context, row func(values [][]byte)) error {
	results := t.conn.PgConn().ExecBatch(ctx, &t.batch)
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			row(reader.Values())
		}
	}
	return results.Close()
}

func beginStatement() prepared { return prepared{name: "theeye_begin", sql: beginSQL} }

func ledgerStatement() prepared { return prepared{name: "theeye_ledger", sql: ledgerSQL} }

func sessionStatement() prepared { return prepared{name: "theeye_session", sql: sessionSQL} }

// addLedger adds the entering of rows into the ledger.
func (t *trip) addLedger(ctx context.Context, p *plan, rows []int) error {
	ids, times := newUUIDs(len(rows)), newTimes(len(rows))
	for _, i := range rows {
		e := p.rows[i].event()
		ids.id(e.ID)
		times.time(e.Timestamp)
	}
	return t.add(ctx, ledgerStatement(), ids, times)
}

// addSessions adds the upsert of sessions.
func (t *trip) addSessions(ctx context.Context, s *sessions) error {
	n := len(s.ids)
	ids, counts, firsts, lasts, applications := newUUIDs(n), newIntegers(n), newTimes(n), newTimes(n), newTexts(n, 4)
	for i := range s.ids {
		ids.id(s.ids[i])
		counts.integer(s.counts[i])
		firsts.time(s.firsts[i])
		lasts.time(s.lasts[i])
		applications.text(s.applications[i])
	}
	return t.add(ctx, sessionStatement(), ids, counts, firsts, lasts, applications)
}

// lock adds what takes the locks of a group: the ledger, then the sessions.
func (t *trip) lock(ctx context.Context, p *plan, s *sessions) error {
	if err := t.addLedger(ctx, p, p.byID); err != nil {
		return err
	}
	return t.addSessions(ctx, s)
}

// take runs a trip whose rows are those of sessionSQL. That an id is known is
// errNeedsCare.
func (t *trip) take(ctx context.Context, s *sessions) error {
	var unreadable error
	err := t.run(ctx, func(values [][]byte) { unreadable = errors.Join(unreadable, s.note(values)) })
	if violatesConstraint(err, "event_key_pkey") {
		return errNeedsCare
	}
	return errors.Join(err, unreadable)
}

// note notes a row of sessionSQL.
func (s *sessions) note(values [][]byte) error {
	const idLength, sequenceLength = 16, 8
	if len(values) != 2 || len(values[0]) != idLength || len(values[1]) != sequenceLength {
		return fmt.Errorf("a session came back in %d values", len(values))
	}
	s.answered([16]byte(values[0]), int64(binary.BigEndian.Uint64(values[1]))) //nolint:gosec // same bits
	return nil
}
