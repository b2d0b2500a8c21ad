package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// AmendStore changes stored events. It implements amend.Store and is safe for
// concurrent use. Every change locks the sessions concerned, by id, before the
// event, as ingest does.
type AmendStore struct {
	db         *DB
	partitions *partitions
}

var _ amend.Store = (*AmendStore)(nil)

// NewAmendStore makes a store on a database whose schema is current.
func NewAmendStore(db *DB) *AmendStore {
	return &AmendStore{db: db, partitions: &partitions{db: db, known: map[string]bool{}}}
}

// findSessionSQL uses event_key_pkey, then one partition's event_timestamp_idx. It takes no lock.
const findSessionSQL = `
select e.session_id from event_key k join event e on e."timestamp" = k."timestamp" and e.event_id = k.event_id
where k.event_id = $1`

// addSessionSQL makes the row of a session that an event moves to.
const addSessionSQL = `insert into session (session_id, last_sequence, event_count, application_ids) values ($1, 0, 0, '{}') on conflict do nothing`

// lockSessionSQL locks one row by session_pkey.
const lockSessionSQL = `select erased_at is not null from session where session_id = $1 for update`

// lockEventSQL locks one row of event, by the indexes of storedByIDSQL.
const lockEventSQL = storedByIDSQL + ` for update of e`

// updateEventSQL uses a partition's event_timestamp_idx. A new timestamp may move
// the row to another partition.
const updateEventSQL = `
update event set session_id = $3, sequence = $4, category = $5, name = $6, data = $7::jsonb, "timestamp" = $8, event_type_version = $9, violations = $10::jsonb, transaction_id = default
where "timestamp" = $1 and event_id = $2
returning data`

// moveKeySQL uses event_key_pkey.
const moveKeySQL = `update event_key set "timestamp" = $2 where event_id = $1`

// recordAmendmentSQL keeps the digest of the event as it was first stored. Later edits leave the
// digest unchanged. It uses event_amendment_pkey.
const recordAmendmentSQL = `
insert into event_amendment (event_id, session_id, "timestamp", original_digest) values ($1, $2, $3, $4)
on conflict (event_id) do update set session_id = excluded.session_id, "timestamp" = excluded."timestamp"`

// takeSequenceSQL uses session_pkey; the row is already locked.
const takeSequenceSQL = `
update session set last_sequence = last_sequence + 1, event_count = event_count + 1,
	started_at = least(started_at, $2), last_event_at = greatest(last_event_at, $2),
	application_ids = case when $3 = any (application_ids) then application_ids
		else (select array_agg(id order by id) from unnest(application_ids || $3::integer) as id) end
where session_id = $1
returning last_sequence`

// resetSessionSQL recomputes a session's row from its events: the first and last time by
// event_pkey, the applications by a scan of the events unless there is only one. A session
// without a first and last time has no events, even while it counts some that are expiring.
const resetSessionSQL = `
update session s set event_count = case when ends.started_at is null then 0 else s.event_count + $2 end,
	started_at = ends.started_at, last_event_at = ends.last_event_at,
	application_ids = case when ends.started_at is not null and cardinality(s.application_ids) = 1 then s.application_ids
		else array(select distinct e.application_id from event e where e.session_id = s.session_id order by 1) end
from (select (select min(e."timestamp") from event e where e.session_id = $1) as started_at,
	(select max(e."timestamp") from event e where e.session_id = $1) as last_event_at) as ends
where s.session_id = $1`

// errMoved reports that the event is in, or moves to, a session that was not locked.
var errMoved = errors.New("an event moved to another session meanwhile")

// amendment is one attempt to change an event.
type amendment struct {
	pgx.Tx
	id uuid.UUID
	// target is the session to which the event is to move, if it is known yet.
	target uuid.NullUUID
	// mayBeCommitted means that an earlier attempt may have committed.
	mayBeCommitted bool
	// current is the locked event.
	current        event.Stored
	lockedSessions []uuid.UUID
}

// EditEvent implements amend.Store.
func (s *AmendStore) EditEvent(ctx context.Context, id uuid.UUID, next func(event.Stored) (event.Envelope, error)) (edited event.Stored, err error) {
	var wanted event.Event
	err = s.withLockedEvent(ctx, id, &wanted, func(c *amendment) (err error) {
		if c.mayBeCommitted && c.current.Digest() == wanted.Digest() { // a precondition holds no longer because of the edit itself
			edited = c.current
			return nil
		}

		envelope, err := next(c.current)
		if err != nil {
			return err
		}

		wanted = envelope.Event
		if !slices.Contains(c.lockedSessions, wanted.SessionID) {
			return errMoved
		}

		edited, err = c.applyEdit(ctx, &envelope)
		return err
	})
	return edited, err
}

// applyEdit stores the new content of an event. All the rows involved are locked.
func (c *amendment) applyEdit(ctx context.Context, envelope *event.Envelope) (event.Stored, error) {
	current := c.current
	next := &envelope.Event
	edited := current
	edited.Event = *next
	edited.TypeVersion, edited.Violations = validationColumns(envelope)
	moved := next.SessionID != current.SessionID
	original := current.Digest()
	if next.Digest() == original {
		return current, nil
	}

	if moved {
		if err := c.QueryRow(ctx, takeSequenceSQL, next.SessionID, next.Timestamp, int32(current.ApplicationID)).Scan(&edited.Sequence); err != nil {
			return edited, err
		}
	}

	err := c.QueryRow(ctx, updateEventSQL, current.Timestamp, c.id, next.SessionID, edited.Sequence, next.Category, next.Name, string(next.Data), next.Timestamp,
		edited.TypeVersion, jsonParameter(edited.Violations)).Scan(&edited.Data)
	if err != nil {
		return edited, err
	}

	edited.Data = event.ShortenNumbers(edited.Data)
	batch := &pgx.Batch{}
	batch.Queue(moveKeySQL, c.id, next.Timestamp)
	batch.Queue(recordAmendmentSQL, c.id, next.SessionID, next.Timestamp, original[:])
	if moved {
		batch.Queue(resetSessionSQL, current.SessionID, -1)
	} else {
		batch.Queue(resetSessionSQL, current.SessionID, 0)
	}

	if err := c.SendBatch(ctx, batch).Close(); err != nil {
		return edited, err
	}

	return edited, recordAudit(ctx, c, audit.EventEdited, c.id.String(), map[string]any{"changed": changedMembers(&current.Event, next)})
}

// changedMembers names the members in which two events differ, without their values.
func changedMembers(before, after *event.Event) []string {
	changed := []string{}
	for _, member := range []struct {
		name    string
		differs bool
	}{
		{"session_id", before.SessionID != after.SessionID},
		{"category", before.Category != after.Category},
		{"name", before.Name != after.Name},
		{"data", !bytes.Equal(event.Canonicalize(before.Data), event.Canonicalize(after.Data))},
		{"timestamp", !before.Timestamp.Equal(after.Timestamp)},
	} {
		if member.differs {
			changed = append(changed, member.name)
		}
	}

	return changed
}

// jsonParameter converts a JSON document to a parameter; nil becomes null.
func jsonParameter(document []byte) *string {
	if document == nil {
		return nil
	}

	text := string(document)
	return &text
}

// eraseEventSQL uses a partition's event_timestamp_idx.
const eraseEventSQL = `delete from event where "timestamp" = $1 and event_id = $2`

// recordErasureSQL uses event_amendment_pkey. It keeps nothing of the content.
const recordErasureSQL = `
insert into event_amendment (event_id, session_id, "timestamp", erased_at) values ($1, $2, $3, now())
on conflict (event_id) do update set session_id = excluded.session_id, "timestamp" = excluded."timestamp", original_digest = null, erased_at = now()`

// EraseEvent implements amend.Store. The ledger keeps the id. A missing event is reported only
// once its absence is durable: the answer to an earlier attempt may have been lost.
func (s *AmendStore) EraseEvent(ctx context.Context, id uuid.UUID, check func(event.Stored) error) error {
	err := s.eraseEvent(ctx, id, check)
	if !fault.Is(err, fault.CodeNotFound) {
		return err
	}

	if unconfirmed := s.db.confirmDurable(ctx, s.db.change); unconfirmed != nil {
		return translateError(unconfirmed, "confirm that an event is erased")
	}

	return err
}

func (s *AmendStore) eraseEvent(ctx context.Context, id uuid.UUID, check func(event.Stored) error) error {
	return s.withLockedEvent(ctx, id, nil, func(c *amendment) error {
		if err := check(c.current); err != nil {
			return err
		}

		batch := &pgx.Batch{}
		batch.Queue(eraseEventSQL, c.current.Timestamp, id)
		batch.Queue(recordErasureSQL, id, c.current.SessionID, c.current.Timestamp)
		batch.Queue(resetSessionSQL, c.current.SessionID, -1)
		if err := c.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}

		return recordAudit(ctx, c, audit.EventErased, id.String(), map[string]any{"session_id": c.current.SessionID})
	})
}

// withLockedEvent runs do while the event, its session and, once it is known, the session to
// which the event is to move are locked. It retries when the event moved in the meantime, when a
// partition was missing, and after contention.
func (s *AmendStore) withLockedEvent(ctx context.Context, id uuid.UUID, wanted *event.Event, do func(*amendment) error) error {
	mayBeCommitted := false // by an earlier attempt
	policy := transactionRetry()
	policy.longest = time.Second

	return policy.run(ctx, func() (retryDecision, error) {
		c := amendment{id: id, mayBeCommitted: mayBeCommitted}
		if wanted != nil && wanted.SessionID != uuid.Nil { // an earlier attempt found the session
			c.target = uuid.NullUUID{UUID: wanted.SessionID, Valid: true}
		}

		err := s.db.runTransaction(ctx, s.db.change, func(tx pgx.Tx) error {
			c.Tx = tx
			if err := c.lockRows(ctx); err != nil {
				return err
			}

			return do(&c)
		})
		switch {
		case isMissingPartition(err) && wanted != nil:
			s.partitions.forgetKnown()
			if err := s.partitions.ensureMonths(ctx, eventTable, []month{monthOf(wanted.Timestamp)}); err != nil {
				return giveUp, err
			}

		case mayBeCommitted && (err == nil || wanted == nil && errors.Is(err, pgx.ErrNoRows)): // the earlier attempt was committed: the event is changed, or erased
			return giveUp, translateError(s.db.confirmDurable(ctx, s.db.change), "change an event")
		case (isConnectionLost(err) || errors.Is(err, errNotReplicated)) && ctx.Err() == nil:
			mayBeCommitted = true
		case errors.Is(err, errMoved), isContention(err):
		default:
			return giveUp, translateError(err, "change an event")
		}

		return retryCounted, translateError(err, "change an event")
	})
}

// lockRows locks the sessions by id, then the event.
func (c *amendment) lockRows(ctx context.Context) error {
	var session uuid.UUID
	if err := c.QueryRow(ctx, findSessionSQL, c.id).Scan(&session); err != nil {
		return err
	}

	c.lockedSessions = []uuid.UUID{session}
	if c.target.Valid && c.target.UUID != session {
		c.lockedSessions = append(c.lockedSessions, c.target.UUID)
		slices.SortFunc(c.lockedSessions, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	}

	for _, id := range c.lockedSessions {
		if id != session {
			if _, err := c.Exec(ctx, addSessionSQL, id); err != nil {
				return err
			}
		}

		var erased bool
		if err := c.QueryRow(ctx, lockSessionSQL, id).Scan(&erased); err != nil {
			return err
		}

		if erased && id == session { // its events are about to be deleted
			return pgx.ErrNoRows
		}

		if erased {
			return fault.InvalidAt(fault.CodeSessionErased, "/session_id", "the session was erased and takes no more events")
		}
	}

	var err error
	if c.current, err = scanStored(c.QueryRow(ctx, lockEventSQL, c.id)); err != nil {
		return err
	}

	if c.current.SessionID != session {
		return errMoved
	}

	return nil
}
