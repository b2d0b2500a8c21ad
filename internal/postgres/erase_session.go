package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// erasedAtOnce bounds what one transaction erases, so that whoever waits for a
// session's row, and all who share a group with it, do not wait for long.
const erasedAtOnce = 10_000

// eraseEventsSQL uses event_pkey, event_timestamp_idx and event_key_pkey.
const eraseEventsSQL = `
with part as (select event_id, "timestamp" from event where session_id = $1 limit $2),
	gone as (delete from event e using part where e."timestamp" = part."timestamp" and e.event_id = part.event_id returning e.event_id),
	keys as (delete from event_key k using gone where k.event_id = gone.event_id
		and not exists (select from event_amendment a where a.event_id = k.event_id))
select count(*) from gone`

// eraseAmendmentsSQL uses event_amendment_session_id_idx. The ids of events that
// were edited stay in the ledger, as erased: such an event may have come from
// another session, whose retry the mark of this one would not refuse.
const eraseAmendmentsSQL = `
update event_amendment set erased_at = coalesce(erased_at, now()), original_digest = null
where session_id = $1 and (erased_at is null or original_digest is not null)`

// eraseRejectionsSQL uses rejection_session_id_idx.
const eraseRejectionsSQL = `with gone as (delete from rejection where session_id = $1 returning 1) select count(*) from gone`

// burySQL uses session_pkey.
const burySQL = `
insert into session as s (session_id, last_sequence, event_count, application_ids, erased_at) values ($1, 0, 0, '{}', now())
on conflict (session_id) do update set event_count = 0, started_at = null, last_event_at = null, application_ids = '{}', erased_at = coalesce(s.erased_at, now())`

// EraseSession implements amend.Store. The session's row is locked first, so that
// no event can be stored in between; it stays as the mark of the erasure. What is
// left of a very long session is erased behind the mark, in further transactions;
// if that is cut off, erasing the session again goes on with it. Each of these
// transactions leaves an audit entry that counts what it erased.
func (s *AmendStore) EraseSession(ctx context.Context, id uuid.UUID) (amend.Erased, error) {
	var erased amend.Erased
	for attempt := 1; ; attempt++ {
		some, err := s.eraseSome(ctx, id)
		switch {
		case err == nil:
			attempt = 0
			erased.Sessions += some.Sessions
			erased.Events += some.Events
			erased.Rejections += some.Rejections
			if some.Events == erasedAtOnce {
				continue
			}
			if erased == (amend.Erased{}) {
				return erased, fault.New(fault.NotFound, fault.CodeNotFound, "nothing is kept of this session")
			}
			return erased, nil
		case contention(err) && attempt < maxAttempts && wait(ctx, firstBackoff):
		default:
			return erased, translate(err, "erase a session")
		}
	}
}

func (s *AmendStore) eraseSome(ctx context.Context, id uuid.UUID) (amend.Erased, error) {
	var erased amend.Erased
	err := s.db.transact(ctx, s.db.change, func(tx pgx.Tx) error {
		gone := false
		err := tx.QueryRow(ctx, lockSessionSQL, id).Scan(&gone)
		absent := errors.Is(err, pgx.ErrNoRows)
		if err != nil && !absent {
			return err
		}
		if !absent && !gone {
			erased.Sessions = 1
		}
		batch := &pgx.Batch{}
		batch.Queue(burySQL, id)
		batch.Queue(eraseEventsSQL, id, erasedAtOnce).QueryRow(func(row pgx.Row) error { return row.Scan(&erased.Events) })
		batch.Queue(eraseAmendmentsSQL, id)
		batch.Queue(eraseRejectionsSQL, id).QueryRow(func(row pgx.Row) error { return row.Scan(&erased.Rejections) })
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if absent && erased == (amend.Erased{}) {
			return errNothingToErase // and no mark for a session that never was
		}
		if erased == (amend.Erased{}) {
			return nil // it was erased before
		}
		return record(ctx, tx, audit.SessionErased, id.String(), erased)
	})
	if errors.Is(err, errNothingToErase) {
		err = nil
	}
	return erased, err
}

var errNothingToErase = errors.New("nothing is kept of the session")
