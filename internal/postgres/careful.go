package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// newKeysSQL locks the new ids, ascending, and returns them. It waits for
// transactions that are about to insert the same id.
const newKeysSQL = `
insert into event_key (event_id, "timestamp")
select n.event_id, n."timestamp" from unnest($1::uuid[], $2::timestamptz[]) as n (event_id, "timestamp")
on conflict do nothing returning event_id`

// storedEventsSQL reads what is stored under known ids: event_key_pkey, then one
// partition's event_timestamp_idx, and session_pkey for what was erased. It is a statement of its own, so that it sees
// what newKeysSQL waited for, and takes no lock.
const storedEventsSQL = `
select k.event_id, e.session_id, e.sequence, e.category, e.name, e.data, e."timestamp", e.received_at, e.application_id, a.original_digest,
	(select s.session_id from session s where s.session_id = a.session_id and s.erased_at is not null)
from event_key k
left join lateral (
	select e.session_id, e.sequence, e.category, e.name, e.data, e."timestamp", e.received_at, e.application_id
	from event e where e."timestamp" = k."timestamp" and e.event_id = k.event_id offset 0
) e on true
left join event_amendment a on a.event_id = k.event_id
where k.event_id = any($1)`

// dropKeysSQL takes back new ids whose events turned out to be refused.
const dropKeysSQL = `delete from event_key where event_id = any($1)`

// storedEvent is what is stored under an id, without the payload: a group may know many large ones.
type storedEvent struct {
	event.Stored
	erased bool
	// digest is the digest of what is stored.
	digest event.Digest
	// erasedWith is the session that an erased event was erased with, if it was.
	erasedWith uuid.NullUUID
	// original is the digest of what the event was before it was edited, if it was.
	original []byte
}

// runCarefulPath gives every event a verdict of its own: new ids are stored, known
// ones compared with what is stored. Three round trips, one more with refusals.
func (c *groupTransaction) runCarefulPath(ctx context.Context, conn *pgx.Conn) error {
	p := c.plan
	var fresh []int
	var numbered *groupSessions
	var stored map[uuid.UUID]storedEvent
	err := c.store.measureStep(ctx, stepLock, func(ctx context.Context) (err error) {
		fresh, numbered, stored, err = c.lockCarefully(ctx, conn)
		return err
	})
	if err != nil {
		return markHeldLock(err)
	}
	verdicts := c.resolveVerdicts(fresh, numbered, stored)
	refusals := newGroupRejections(c.store.rejectionBounds, p.rejected)
	store, drop, refused := c.sortRows(fresh, verdicts, refusals)
	if p.atomic && refused {
		for i, v := range verdicts {
			*p.rows[i].item.Verdict = v
		}
		return ingest.ErrAtomicRejected
	}
	batch := &pgx.Batch{}
	if len(drop) > 0 {
		batch.Queue(dropKeysSQL, drop)
	}
	refusals.queueCount(batch)
	if batch.Len() > 0 {
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return markHeldLock(err)
		}
	}
	if err := c.write(ctx, conn, store, numbered, refusals); err != nil {
		return err
	}
	for i, v := range verdicts {
		*p.rows[i].item.Verdict = v
	}
	refusals.clearUnrecordedIDs()
	return nil
}

// lockCarefully takes the locks of a group: the ids that are new, then their sessions. It
// returns the rows with new ids, the sessions, and what is stored under the others.
func (c *groupTransaction) lockCarefully(ctx context.Context, conn *pgx.Conn) (fresh []int, numbered *groupSessions, stored map[uuid.UUID]storedEvent, err error) {
	fresh, found, err := c.claimIDs(ctx, conn)
	if err != nil {
		return nil, nil, nil, err
	}
	numbered = c.plan.numberRows(fresh)
	batch := &pgx.Batch{}
	if len(found) > 0 {
		queueStoredEvents(batch, found, &stored)
	}
	if len(fresh) > 0 {
		queueSessions(batch, numbered)
	}
	err = conn.SendBatch(ctx, batch).Close()
	return fresh, numbered, stored, err
}

// claimIDs opens the transaction and enters the ids into the ledger. It returns the
// rows whose ids were new and the ids that were known.
func (c *groupTransaction) claimIDs(ctx context.Context, conn *pgx.Conn) (fresh []int, found [][16]byte, err error) {
	p := c.plan
	batch := &pgx.Batch{}
	batch.Queue(beginSQL)
	if sql := c.lockTimeoutSQL(); sql != "" {
		batch.Queue(sql)
	}
	firsts := p.firstRows()
	inserted := make(map[[16]byte]bool, len(firsts))
	if len(firsts) > 0 {
		ids, timestamps := p.ledgerColumns(firsts)
		batch.Queue(newKeysSQL, ids, timestamps).Query(func(rows pgx.Rows) error {
			var id [16]byte
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				inserted[id] = true
				return nil
			})
			return err
		})
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return nil, nil, err
	}
	for _, i := range firsts {
		if id := p.rows[i].event().ID; inserted[id] {
			fresh = append(fresh, i)
		} else {
			found = append(found, id)
		}
	}
	return fresh, found, nil
}

// queueStoredEvents queues the reading of what is stored under ids.
func queueStoredEvents(batch *pgx.Batch, ids [][16]byte, into *map[uuid.UUID]storedEvent) {
	batch.Queue(storedEventsSQL, ids).Query(func(rows pgx.Rows) error {
		var err error
		*into, err = collectStoredEvents(rows, len(ids))
		return err
	})
}

func collectStoredEvents(rows pgx.Rows, guess int) (map[uuid.UUID]storedEvent, error) {
	found := make(map[uuid.UUID]storedEvent, guess)
	for rows.Next() {
		var k storedEvent
		var id, session *uuid.UUID
		var category, name *string
		var at, received *time.Time
		var sequence *int64
		var application *int32
		if err := rows.Scan(&id, &session, &sequence, &category, &name, &k.Data, &at, &received, &application, &k.original, &k.erasedWith); err != nil {
			return nil, err
		}
		k.ID = *id
		if k.erased = session == nil; !k.erased {
			k.SessionID, k.Sequence, k.Category, k.Name = *session, *sequence, *category, *name
			k.Timestamp, k.ReceivedAt, k.ApplicationID = *at, *received, event.ApplicationID(*application)
			k.Data = event.ShortenNumbers(k.Data)
			k.digest = k.Digest()
		}
		k.Data = nil
		found[k.ID] = k
	}
	return found, rows.Err()
}

// resolveVerdicts works out the verdict of every row.
func (c *groupTransaction) resolveVerdicts(fresh []int, numbered *groupSessions, stored map[uuid.UUID]storedEvent) []ingest.Verdict {
	rows := c.plan.rows
	isNew := make(map[int]bool, len(fresh))
	for _, i := range fresh {
		isNew[i] = true
	}
	verdicts := make([]ingest.Verdict, len(rows))
	for i := range rows { // copies come behind their firsts
		r := &rows[i]
		v := ingest.Verdict{EventID: r.event().ID}
		switch first := r.copyOf; {
		case isNew[i] && numbered.base[r.session] == erasedSession:
			rejectErasedSession(&v)
		case isNew[i]:
			v.Status, v.Sequence = ingest.Stored, numbered.sequenceOf(r)
		case isNew[first] && verdicts[first].Status == ingest.Rejected:
			v = verdicts[first]
		case isNew[first] && rows[first].event().Digest() == r.event().Digest():
			v.Status, v.Sequence = ingest.Duplicate, verdicts[first].Sequence
		case isNew[first]:
			rejectConflict(&v)
		default:
			k, found := stored[v.EventID]
			k.erased = k.erased || !found // an erasure took it between the two statements
			c.resolveKnownID(r, k, &v)
		}
		verdicts[i] = v
	}
	return verdicts
}

// resolveKnownID judges an event whose id is known by what is stored under it.
func (c *groupTransaction) resolveKnownID(r *row, k storedEvent, v *ingest.Verdict) {
	request := r.item.Request
	digest := r.event().Digest()
	switch {
	case k.erased && k.erasedWith.Valid && k.erasedWith.UUID == r.event().SessionID:
		rejectErasedSession(v)
	case k.erased:
		setRejected(v, ingest.Rejected, fault.CodeEventErased, "/event_id", "an event with this id was erased and is not stored again")
	case k.digest == digest || string(k.original) == string(digest[:]):
		v.Status, v.Sequence = ingest.Duplicate, k.Sequence
		if c.mayBeCommitted && k.ReceivedAt.Equal(request.ReceivedAt) && k.ApplicationID == request.Application {
			v.Status = ingest.Stored // by the earlier attempt, whose answer was lost
		}
	default:
		rejectConflict(v)
	}
}

func rejectErasedSession(v *ingest.Verdict) {
	setRejected(v, ingest.Rejected, fault.CodeSessionErased, "/session_id", "the session was erased and takes no more events")
}

func rejectConflict(v *ingest.Verdict) {
	setRejected(v, ingest.Conflict, fault.CodeEventIDConflict, "/event_id", "another event was stored under this id before; give every event an id of its own")
}

func setRejected(v *ingest.Verdict, status ingest.Status, code fault.Code, pointer, detail string) {
	v.Status = status
	v.Violations = []fault.Violation{{Pointer: pointer, Code: code, Detail: detail}}
}

// sortRows tells apart the rows to store, the new ids to drop, and the refusals, which
// it gives ids and adds to those that will be kept.
func (c *groupTransaction) sortRows(fresh []int, verdicts []ingest.Verdict, refusals *groupRejections) (store []int, drop [][16]byte, refused bool) {
	for _, i := range fresh {
		if verdicts[i].Status == ingest.Stored {
			store = append(store, i)
		} else {
			drop = append(drop, verdicts[i].EventID)
		}
	}
	for i := range verdicts {
		if v := &verdicts[i]; v.IsRejected() {
			refused = true
			if item := c.plan.rows[i].item; !item.Request.Replay {
				v.ErrorID = c.rejectionID(i)
				refusals.add(item, v)
			}
		}
	}
	return store, drop, refused
}

// rejectionID returns the id that a row's refusal is kept under, in every attempt.
func (c *groupTransaction) rejectionID(row int) uuid.UUID {
	id, known := c.rejectionIDs[row]
	if !known {
		id = c.store.newID()
		c.rejectionIDs[row] = id
	}
	return id
}

// erasedSQL reads which sessions are erased, by session_pkey, without a lock.
const erasedSQL = `select session_id from session where session_id = any($1) and erased_at is not null`

// DryRun implements ingest.Store by reads alone.
func (s *EventStore) DryRun(ctx context.Context, group *ingest.Group) error {
	p := planGroup(group)
	if len(p.rows) == 0 {
		return nil
	}
	ids, _ := p.ledgerColumns(p.firstRows())
	numbered := p.numberRows(p.firstRows())
	var stored map[uuid.UUID]storedEvent
	gone := map[[16]byte]bool{}
	batch := &pgx.Batch{}
	queueStoredEvents(batch, ids, &stored)
	batch.Queue(erasedSQL, numbered.ids).Query(func(rows pgx.Rows) error {
		var id [16]byte
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			gone[id] = true
			return nil
		})
		return err
	})
	release, err := awaitTurn(ctx, s.db.checks, false)
	if err != nil {
		return err
	}
	defer release()
	if err := s.db.change.SendBatch(ctx, batch).Close(); err != nil {
		return translate(err, "check events")
	}
	for n, id := range numbered.ids {
		if !gone[id] {
			numbered.base[n] = 0
		}
	}
	var fresh []int
	for _, i := range p.firstRows() {
		if _, found := stored[p.rows[i].event().ID]; !found {
			fresh = append(fresh, i)
		}
	}
	c := groupTransaction{store: s, plan: p}
	for i, v := range c.resolveVerdicts(fresh, numbered, stored) {
		if v.Status == ingest.Stored {
			v.Status, v.Sequence = ingest.Valid, 0
		}
		*p.rows[i].item.Verdict = v
	}
	return nil
}
