package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// claimNewIDsSQL locks the new ids, ascending. A known one is a unique violation.
const claimNewIDsSQL = `
insert into event_key (event_id, "timestamp")
select n.event_id, n."timestamp" from unnest($1::uuid[], $2::timestamptz[]) as n (event_id, "timestamp")`

// claimIDsSQL locks the new ids, ascending, and returns them. It waits for
// transactions that are about to insert the same id.
const claimIDsSQL = claimNewIDsSQL + `
on conflict do nothing returning event_id`

// lockGroupSessionsSQL locks the session rows, ascending, by session_pkey. No indexed column
// changes unless a session turns out to have started earlier, so updates are HOT.
const lockGroupSessionsSQL = `
insert into session as s (session_id, last_sequence, event_count, started_at, last_event_at, application_ids)
select n.session_id, n.events, n.events, n.started_at, n.last_event_at, n.application_ids::integer[]
from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[])
	as n (session_id, events, started_at, last_event_at, application_ids)
on conflict (session_id) do update set
	last_sequence = s.last_sequence + excluded.last_sequence,
	event_count = s.event_count + excluded.event_count,
	started_at = least(s.started_at, excluded.started_at),
	last_event_at = greatest(s.last_event_at, excluded.last_event_at),
	application_ids = case when s.application_ids @> excluded.application_ids then s.application_ids
		else (select array_agg(distinct id order by id) from unnest(s.application_ids || excluded.application_ids) as id) end
where s.erased_at is null
returning s.session_id, s.last_sequence`

// errNeedsCarefulPath ends the fast path: an id is known already, or a session is
// erased, and each event needs a verdict of its own.
var errNeedsCarefulPath = errors.New("an event id is known or a session is erased")

// lockRows begins the transaction, claims the ids of the events, and locks the sessions of
// those whose ids are new.
func (t *groupTransaction) lockRows(ctx context.Context, conn *pgx.Conn) error {
	if t.careful {
		return t.lockCarefully(ctx, conn)
	}

	if t.store.carefulGroups.Load() > 0 {
		t.store.carefulGroups.Add(-1)
		return t.lockCarefully(ctx, conn)
	}

	return t.lockFast(ctx, conn)
}

// lockFast assumes that every id is new: one round trip does it all. Where one is known, or a
// session is erased, it returns errNeedsCarefulPath.
func (t *groupTransaction) lockFast(ctx context.Context, conn *pgx.Conn) error {
	for i := range t.plan.rows {
		t.plan.rows[i].claimed = true
	}

	sessions := t.plan.numberRows()

	batch := t.beginBatch()
	if len(t.plan.rows) > 0 {
		batch.queue(namedStatement{"theeye_claim_new_ids", claimNewIDsSQL}, nil, t.plan.ledgerParams(t.plan.byID)...)
		queueSessionLocks(batch, sessions)
	}

	err := batch.send(ctx, conn, t.store.db.pooled)
	if violatesConstraint(err, "event_key_pkey") {
		return errNeedsCarefulPath
	}

	if err != nil {
		return err
	}

	if slices.ContainsFunc(sessions, func(s *sessionShare) bool { return s.base == erasedSession }) {
		return errNeedsCarefulPath
	}

	return nil
}

// lockCarefully finds out which ids are new, and reads what is stored under the others.
func (t *groupTransaction) lockCarefully(ctx context.Context, conn *pgx.Conn) error {
	firsts := t.plan.firstRows()
	isNew := make(map[uuid.UUID]bool, len(firsts))

	batch := t.beginBatch()
	if len(firsts) > 0 {
		batch.queue(namedStatement{"theeye_claim_ids", claimIDsSQL}, func(rows pgx.Rows) error {
			var id [16]byte
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				isNew[id] = true
				return nil
			})
			return err
		}, t.plan.ledgerParams(firsts)...)
	}

	if err := batch.send(ctx, conn, t.store.db.pooled); err != nil {
		return err
	}

	var known []uuid.UUID
	for _, i := range firsts {
		r := &t.plan.rows[i]
		if r.claimed = isNew[r.event().ID]; !r.claimed {
			known = append(known, r.event().ID)
		}
	}

	batch = newStatementBatch()
	queueStoredEvents(batch, known, &t.stored)
	queueSessionLocks(batch, t.plan.numberRows())

	return batch.send(ctx, conn, t.store.db.pooled)
}

// beginBatch begins a transaction.
func (t *groupTransaction) beginBatch() *statementBatch {
	batch := newStatementBatch()
	batch.queue(namedStatement{"theeye_begin", "begin"}, nil)
	if sql := t.lockTimeoutSQL(); sql != "" {
		batch.queue(namedStatement{"theeye_" + sql, sql}, nil)
	}

	return batch
}

// lockTimeoutSQL sets how long the transaction waits for a lock, where the connection's own
// bound is not the one to use. Behind a pooler the connection has none of the service's.
func (t *groupTransaction) lockTimeoutSQL() string {
	wait := t.group.LockWait
	if wait == 0 && t.store.db.pooled {
		wait = t.store.db.lockTimeout
	}

	if wait == 0 {
		return ""
	}

	return "set local lock_timeout = " + strconv.FormatInt(wait.Milliseconds(), 10)
}

// ledgerParams are the parameters that enter rows into the ledger.
func (p *groupPlan) ledgerParams(rows []int) [][]byte {
	ids := newUUIDArray(len(rows))
	times := newTimeArray(len(rows))
	for _, i := range rows {
		e := p.rows[i].event()
		ids.addUUID(e.ID)
		times.addTime(e.Timestamp)
	}

	return [][]byte{ids, times}
}

// queueSessionLocks locks sessions, and learns their last sequences before the group.
func queueSessionLocks(batch *statementBatch, sessions []*sessionShare) {
	n := len(sessions)
	if n == 0 {
		return
	}

	ids := newUUIDArray(n)
	counts := newInt64Array(n)
	firsts := newTimeArray(n)
	lasts := newTimeArray(n)
	applications := newTextArray(n, 4)
	for _, s := range sessions {
		ids.addUUID(s.id)
		counts.addInt64(s.events)
		firsts.addTime(s.first)
		lasts.addTime(s.last)
		applications.addText(arrayLiteral(s.applications))
	}

	read := func(rows pgx.Rows) error { return readLastSequences(rows, sessions) }
	batch.queue(namedStatement{"theeye_lock_sessions", lockGroupSessionsSQL}, read, ids, counts, firsts, lasts, applications)
}

// readLastSequences reads the rows of lockGroupSessionsSQL.
func readLastSequences(rows pgx.Rows, sessions []*sessionShare) error {
	for rows.Next() {
		values := rows.RawValues()
		if len(values) != 2 || len(values[0]) != len(uuid.UUID{}) || len(values[1]) != 8 {
			return fmt.Errorf("a session came back in %d values", len(values))
		}

		at, known := slices.BinarySearchFunc(sessions, values[0], func(s *sessionShare, id []byte) int { return bytes.Compare(s.id[:], id) })
		if !known {
			return errors.New("a session came back that the group does not have")
		}

		last := int64(binary.BigEndian.Uint64(values[1])) //nolint:gosec // same bits
		sessions[at].base = last - sessions[at].events
	}

	return rows.Err()
}

// errLockHeld means that another transaction held a lock that a group needs for longer than
// the group waits.
var errLockHeld = errors.New("a lock of this group is held by another transaction")

// markHeldLock marks an error of the steps that lock the rows of a group.
func markHeldLock(err error) error {
	if sqlState(err) == stateLockNotAvailable {
		return fmt.Errorf("%w: %w", errLockHeld, err)
	}

	return err
}

// lockedSessionsSQL finds the sessions that other transactions hold locked, by session_pkey. It
// locks the others, until it ends.
const lockedSessionsSQL = `
with free as materialized (select session_id from session where session_id = any($1) for update skip locked)
select s.session_id from session s where s.session_id = any($1) and not exists (select from free where free.session_id = s.session_id)`

// findLockedSessions finds out which sessions of a group are locked, and returns that as an
// ingest.LockedError.
func (t *groupTransaction) findLockedSessions(ctx context.Context, cause error) error {
	var ids [][16]byte
	for _, row := range t.plan.firstRows() {
		ids = append(ids, t.plan.rows[row].event().SessionID)
	}

	locked, err := collectRows(ctx, t.store.db.write, pgx.RowTo[[16]byte], lockedSessionsSQL, ids)
	if err != nil {
		return translateError(err, "find the sessions that are locked")
	}

	found := &ingest.LockedError{Sessions: make(map[uuid.UUID]bool, len(locked)), Err: cause}
	for _, id := range locked {
		found.Sessions[id] = true
	}

	return found
}
