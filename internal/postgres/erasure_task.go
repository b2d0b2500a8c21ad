package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/big"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/erasure"
)

// eraseBatchSize bounds what one transaction erases, so that requests that wait for a session's
// row, and all that share a group with them, do not wait for long.
const eraseBatchSize = 1000

// errLeaseLost reports that another worker has taken over the erasure.
var errLeaseLost = errors.New("another worker took over the erasure")

// erasureTask is a claimed erasure. It implements erasure.Task.
type erasureTask struct {
	store   *ErasureStore
	state   erasureState
	matcher *erasure.Matcher
	lease   time.Duration
	leaseID uuid.UUID
	// byIndex caches the indexes of the partitions that were looked up.
	byIndex map[month]indexedPaths
}

// Erasure implements erasure.Task.
func (t *erasureTask) Erasure() erasure.Erasure { return t.state.Erasure }

// RunStep implements erasure.Task.
func (t *erasureTask) RunStep(ctx context.Context) (outcome erasure.Outcome, err error) {
	switch t.state.Step {
	case erasure.Sessions:
		err = t.eraseSessions(ctx)
	case erasure.Errors:
		err = t.eraseErrors(ctx)
	case erasure.Events:
		err = t.eraseEvents(ctx)
	case erasure.Late:
		outcome, err = t.eraseLateEvents(ctx)
	case erasure.LateErrors:
		outcome, err = t.eraseLateErrors(ctx)
	}

	return outcome, translateError(err, "erase")
}

const (
	// touchErasureSQL uses erasure_pkey. It is the first lock of a step, and fails for a worker
	// that lost the lease.
	touchErasureSQL = `
update erasure set leased_until = clock_timestamp() + make_interval(secs => $3::float8) where erasure_id = $1 and lease_id = $2 and finished_at is null`
	// briefLocksSQL bounds how long a step waits for the locked row of a session: meanwhile the
	// step holds the rows of other sessions, whose senders wait.
	briefLocksSQL = `set local lock_timeout = '1s'`
	// saveErasureSQL uses erasure_pkey; the row is locked.
	saveErasureSQL = `
update erasure set step = $2, place = $3, scan_at = $4, scan_id = $5, scan_transaction = $6, last_transaction = $7, late_after = $8, erased_until = $9,
	scanned = $10, sessions = $11, events = $12, rejections = $13, part_sessions = $14, part_events = $15, part_rejections = $16, digest = $17
where erasure_id = $1`
	// finishErasureSQL uses erasure_pkey; the row is locked. The values searched for are not
	// kept.
	finishErasureSQL = `
update erasure set finished_at = clock_timestamp(), filter = null, ask_digest = null, lease_id = null, leased_until = null
where erasure_id = $1 returning finished_at`
	// releaseErasureSQL uses erasure_pkey.
	releaseErasureSQL = `update erasure set lease_id = null, leased_until = $3 where erasure_id = $1 and lease_id = $2`
)

// runStep runs do in a transaction that holds the erasure's row, and saves the state that do
// returns. On contention the step is retried from the same state.
func (t *erasureTask) runStep(ctx context.Context, do func(tx pgx.Tx, next *erasureState) error) error {
	var next erasureState
	err := t.store.db.retryTransaction(ctx, func(tx pgx.Tx) error {
		next = t.state
		if _, err := tx.Exec(ctx, briefLocksSQL); err != nil {
			return err
		}

		tag, err := tx.Exec(ctx, touchErasureSQL, next.ID, t.leaseID, t.lease.Seconds())
		if err != nil {
			return err
		}

		if tag.RowsAffected() == 0 {
			return errLeaseLost
		}

		if err := do(tx, &next); err != nil {
			return err
		}

		return next.saveState(ctx, tx)
	})
	if err == nil {
		t.state = next
	}

	return err
}

func (s *erasureState) saveState(ctx context.Context, tx pgx.Tx) error {
	e := &s.Erasure
	_, err := tx.Exec(ctx, saveErasureSQL, e.ID, string(e.Step), s.sessionIndex, nullTime(s.scan.at), s.scan.id, s.transaction, s.lastTransaction, nullTime(s.lateAfter), nullTime(e.ErasedUntil),
		e.Scanned, e.Sessions, e.Events, e.Rejections, s.sessionCounts.Sessions, s.sessionCounts.Events, s.sessionCounts.Rejections, e.Digest)
	return err
}

// ReleaseLease implements erasure.Task.
func (t *erasureTask) ReleaseLease(ctx context.Context) error {
	return t.releaseUntil(ctx, time.Time{})
}

// releaseUntil releases the erasure; no worker claims it before a time.
func (t *erasureTask) releaseUntil(ctx context.Context, until time.Time) error {
	_, err := t.store.pool().Exec(ctx, releaseErasureSQL, t.state.ID, t.leaseID, nullTime(until))
	return translateError(err, "release an erasure")
}

// advanceTo continues with the beginning of a step.
func (s *erasureState) advanceTo(step erasure.Step) {
	s.Step = step
	s.scan = scanPosition{}
}

// The statements that erase a part of a session.
const (
	// eraseEventsSQL uses event_pkey, event_timestamp_idx and event_amendment_pkey. The ids stay
	// in the ledger and are marked as erased: the same event is rejected under another session
	// as well.
	eraseEventsSQL = `
with part as (select event_id, "timestamp" from event where session_id = $1 limit $2),
	gone as (delete from event e using part where e."timestamp" = part."timestamp" and e.event_id = part.event_id returning e.event_id, e."timestamp"),
	marks as (insert into event_amendment (event_id, session_id, "timestamp", erased_at) select event_id, $1, "timestamp", now() from gone` + markErasedSQL + `)
select event_id from gone`
	// markErasedSQL uses event_amendment_pkey. It keeps nothing of the content.
	markErasedSQL = `
	on conflict (event_id) do update set session_id = excluded.session_id, "timestamp" = excluded."timestamp", original_digest = null, erased_at = now()`
	// eraseAmendmentsSQL uses event_amendment_session_id_idx.
	eraseAmendmentsSQL = `
with part as (select event_id from event_amendment where session_id = $1 and (erased_at is null or original_digest is not null) limit $2)
update event_amendment a set erased_at = coalesce(a.erased_at, now()), original_digest = null from part where a.event_id = part.event_id`
	// eraseRejectionsSQL uses rejection_session_id_idx and rejection_pkey.
	eraseRejectionsSQL = `
with part as (select received_at, rejection_id from rejection where session_id = any ($1) limit $2)
delete from rejection r using part where r.received_at = part.received_at and r.rejection_id = part.rejection_id returning r.rejection_id`
	// markSessionErasedSQL uses session_pkey.
	markSessionErasedSQL = `
insert into session as s (session_id, last_sequence, event_count, application_ids, erased_at) values ($1, 0, 0, '{}', now())
on conflict (session_id) do update set event_count = 0, started_at = null, last_event_at = null, application_ids = '{}', erased_at = coalesce(s.erased_at, now())`
)

// eraseSessions erases a part of a session. It locks the session's row first, so that no event
// can be stored in between; the row stays as the mark of the erasure.
func (t *erasureTask) eraseSessions(ctx context.Context) error {
	return t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		if next.sessionIndex == len(next.SessionIDs) {
			next.advanceTo(erasure.Errors)
			return nil
		}

		id := next.SessionIDs[next.sessionIndex]
		erased := false
		err := tx.QueryRow(ctx, lockSessionSQL, id).Scan(&erased)
		absent := errors.Is(err, pgx.ErrNoRows)
		if err != nil && !absent {
			return err
		}

		if !absent && !erased {
			next.sessionCounts.Sessions++
			next.Sessions++
		}

		complete, err := next.eraseSession(ctx, tx, id)
		if err != nil || !complete {
			return err
		}

		detail := next.sessionCounts
		next.sessionIndex++
		next.sessionCounts = erasure.Counts{}
		if next.sessionIndex == len(next.SessionIDs) {
			next.advanceTo(erasure.Errors)
		}

		if detail == (erasure.Counts{}) {
			return nil // it was erased before
		}

		return recordAudit(audit.WithActor(ctx, next.Actor), tx, audit.SessionErased, id.String(), detail)
	})
}

// eraseSession erases a part of a session whose row is locked. It reports whether nothing is
// left.
func (s *erasureState) eraseSession(ctx context.Context, tx pgx.Tx, id uuid.UUID) (complete bool, err error) {
	if _, err := tx.Exec(ctx, markSessionErasedSQL, id); err != nil {
		return false, err
	}

	events, err := collectRows(ctx, tx, pgx.RowTo[uuid.UUID], eraseEventsSQL, id, eraseBatchSize)
	if err != nil {
		return false, err
	}

	s.sessionCounts.Events += int64(len(events))
	s.countErased(events, nil)
	if len(events) == eraseBatchSize {
		return false, nil
	}

	amendments, err := tx.Exec(ctx, eraseAmendmentsSQL, id, eraseBatchSize)
	if err != nil {
		return false, err
	}

	rejections, err := collectRows(ctx, tx, pgx.RowTo[uuid.UUID], eraseRejectionsSQL, [][16]byte{id}, eraseBatchSize)
	if err != nil {
		return false, err
	}

	s.sessionCounts.Rejections += int64(len(rejections))
	s.countErased(nil, rejections)
	return amendments.RowsAffected() < eraseBatchSize && len(rejections) < eraseBatchSize, nil
}

// countErased counts what was erased, and adds it to the digest.
func (s *erasureState) countErased(events, rejections []uuid.UUID) {
	s.Events += int64(len(events))
	s.Rejections += int64(len(rejections))
	sum := new(big.Int).SetBytes(s.Digest)
	for _, ids := range [][]uuid.UUID{events, rejections} {
		for _, id := range ids {
			one := sha256.Sum256([]byte(id.String()))
			sum.Add(sum, new(big.Int).SetBytes(one[:]))
		}
	}

	const bits = 8 * sha256.Size
	sum.And(sum, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1)))
	s.Digest = sum.FillBytes(make([]byte, sha256.Size))
}

// finishErasure ends an erasure.
func (t *erasureTask) finishErasure(ctx context.Context) error {
	return t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		// Rejections that name a session and came while it was being erased are erased as well.
		if len(next.SessionIDs) > 0 {
			for {
				rejections, err := collectRows(ctx, tx, pgx.RowTo[uuid.UUID], eraseRejectionsSQL, uuidArray(next.SessionIDs), eraseBatchSize)
				if err != nil {
					return err
				}

				next.countErased(nil, rejections)
				if len(rejections) < eraseBatchSize {
					break
				}
			}
		}

		if err := tx.QueryRow(ctx, finishErasureSQL, next.ID).Scan(&next.FinishedAt); err != nil {
			return err
		}

		if next.ErasedUntil.IsZero() {
			next.ErasedUntil = next.FinishedAt
		}

		next.Values = nil
		return recordAudit(audit.WithActor(ctx, next.Actor), tx, audit.ErasureFinished, next.ID.String(), next.Counts)
	})
}
