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

// knownSQL reads what is stored under known ids: event_key_pkey, then one
// partition's event_timestamp_idx, and session_pkey for what was erased. It is a statement of its own, so that it sees
// what newKeysSQL waited for, and takes no lock.
const knownSQL = `
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

// known is what is stored under an id, without the payload: a group may know many large ones.
type known struct {
	event.Stored
	erased bool
	// digest is the digest of what is stored.
	digest event.Digest
	// erasedWith is the session that an erased event was erased with, if it was.
	erasedWith uuid.NullUUID
	// original is the digest of what the event was before it was edited, if it was.
	original []byte
}

// carefully gives every event a verdict of its own: new ids are stored, known
// ones compared with what is stored. Three round trips, one more with refusals.
func (c *commit) carefully(ctx context.Context, conn *pgx.Conn) error {
	p := c.plan
	var fresh []int
	var numbered *sessions
	var stored map[uuid.UUID]known
	err := c.store.step(ctx, stepLock, func(ctx context.Context) (err error) {
		fresh, numbered, stored, err = c.take(ctx, conn)
		return err
	})
	if err != nil {
		return heldLock(err)
	}
	verdicts := c.judge(fresh, numbered, stored)
	refusals := newRefusals(c.store.keep, p.refused)
	store, drop, refused := c.sort(fresh, verdicts, refusals)
	if p.atomic && refused {
		for i, v := range verdicts {
			*p.rows[i].item.Verdict = v
		}
		return ingest.ErrAtomicRefused
	}
	batch := &pgx.Batch{}
	if len(drop) > 0 {
		batch.Queue(dropKeysSQL, drop)
	}
	refusals.queueCount(batch)
	if batch.Len() > 0 {
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return heldLock(err)
		}
	}
	if err := c.write(ctx, conn, store, numbered, refusals); err != nil {
		return err
	}
	for i, v := range verdicts {
		*p.rows[i].item.Verdict = v
	}
	refusals.settle()
	return nil
}

// take takes the locks of a group: the ids that are new, then their sessions. It
// returns the rows with new ids, the sessions, and what is stored under the others.
func (c *commit) take(ctx context.Context, conn *pgx.Conn) (fresh []int, numbered *sessions, stored map[uuid.UUID]known, err error) {
	fresh, found, err := c.claim(ctx, conn)
	if err != nil {
		return nil, nil, nil, err
	}
	numbered = c.plan.number(fresh)
	batch := &pgx.Batch{}
	if len(found) > 0 {
		queueKnown(batch, found, &stored)
	}
	if len(fresh) > 0 {
		queueSessions(batch, numbered)
	}
	err = conn.SendBatch(ctx, batch).Close()
	return fresh, numbered, stored, err
}

// claim opens the transaction and enters the ids into the ledger. It returns the
// rows whose ids were new and the ids that were known.
func (c *commit) claim(ctx context.Context, conn *pgx.Conn) (fresh []int, found [][16]byte, err error) {
	p := c.plan
	batch := &pgx.Batch{}
	batch.Queue(beginSQL)
	if sql := c.lockWaitSQL(); sql != "" {
		batch.Queue(sql)
	}
	firsts := p.firsts()
	inserted := make(map[[16]byte]bool, len(firsts))
	if len(firsts) > 0 {
		ids, timestamps := p.ledger(firsts)
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

// queueKnown queues the reading of what is stored under ids.
func queueKnown(batch *pgx.Batch, ids [][16]byte, into *map[uuid.UUID]known) {
	batch.Queue(knownSQL, ids).Query(func(rows pgx.Rows) error {
		var err error
		*into, err = collectKnown(rows, len(ids))
		return err
	})
}

func collectKnown(rows pgx.Rows, guess int) (map[uuid.UUID]known, error) {
	found := make(map[uuid.UUID]known, guess)
	for rows.Next() {
		var k known
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

// judge works out the verdict of every row.
func (c *commit) judge(fresh []int, numbered *sessions, stored map[uuid.UUID]known) []ingest.Verdict {
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
		case isNew[i] && numbered.base[r.session] == erased:
			refuseErasedSession(&v)
		case isNew[i]:
			v.Status, v.Sequence = ingest.Stored, numbered.sequence(r)
		case isNew[first] && verdicts[first].Status == ingest.Rejected:
			v = verdicts[first]
		case isNew[first] && rows[first].event().Digest() == r.event().Digest():
			v.Status, v.Sequence = ingest.Duplicate, verdicts[first].Sequence
		case isNew[first]:
			refuseConflict(&v)
		default:
			k, found := stored[v.EventID]
			k.erased = k.erased || !found // an erasure took it between the two statements
			c.compare(r, k, &v)
		}
		verdicts[i] = v
	}
	return verdicts
}

// compare judges an event whose id is known by what is stored under it.
func (c *commit) compare(r *row, k known, v *ingest.Verdict) {
	request := r.item.Request
	digest := r.event().Digest()
	switch {
	case k.erased && k.erasedWith.Valid && k.erasedWith.UUID == r.event().SessionID:
		refuseErasedSession(v)
	case k.erased:
		refuse(v, ingest.Rejected, fault.CodeEventErased, "/event_id", "an event with this id was erased and is not stored again")
	case k.digest == digest || string(k.original) == string(digest[:]):
		v.Status, v.Sequence = ingest.Duplicate, k.Sequence
		if c.again && k.ReceivedAt.Equal(request.ReceivedAt) && k.ApplicationID == request.Application {
			v.Status = ingest.Stored // by the earlier attempt, whose answer was lost
		}
	default:
		refuseConflict(v)
	}
}

func refuseErasedSession(v *ingest.Verdict) {
	refuse(v, ingest.Rejected, fault.CodeSessionErased, "/session_id", "the session was erased and takes no more events")
}

func refuseConflict(v *ingest.Verdict) {
	refuse(v, ingest.Conflict, fault.CodeEventIDConflict, "/event_id", "another event was stored under this id before; give every event an id of its own")
}

func refuse(v *ingest.Verdict, status ingest.Status, code fault.Code, pointer, detail string) {
	v.Status = status
	v.Violations = []fault.Violation{{Pointer: pointer, Code: code, Detail: detail}}
}

// sort tells apart the rows to store, the new ids to drop, and the refusals, which
// it gives ids and adds to those that will be kept.
func (c *commit) sort(fresh []int, verdicts []ingest.Verdict, refusals *refusals) (store []int, drop [][16]byte, refused bool) {
	for _, i := range fresh {
		if verdicts[i].Status == ingest.Stored {
			store = append(store, i)
		} else {
			drop = append(drop, verdicts[i].EventID)
		}
	}
	for i := range verdicts {
		if v := &verdicts[i]; v.Refused() {
			refused = true
			if item := c.plan.rows[i].item; !item.Request.Replay {
				v.ErrorID = c.errorID(i)
				refusals.add(item, v)
			}
		}
	}
	return store, drop, refused
}

// errorID returns the id that a row's refusal is kept under, in every attempt.
func (c *commit) errorID(row int) uuid.UUID {
	id, known := c.errorIDs[row]
	if !known {
		id = c.store.newID()
		c.errorIDs[row] = id
	}
	return id
}

// erasedSQL reads which sessions are erased, by session_pkey, without a lock.
const erasedSQL = `select session_id from session where session_id = any($1) and erased_at is not null`

// Check implements ingest.Store by reads alone.
func (s *EventStore) Check(ctx context.Context, group *ingest.Group) error {
	p := newPlan(group)
	if len(p.rows) == 0 {
		return nil
	}
	ids, _ := p.ledger(p.firsts())
	numbered := p.number(p.firsts())
	var stored map[uuid.UUID]known
	gone := map[[16]byte]bool{}
	batch := &pgx.Batch{}
	queueKnown(batch, ids, &stored)
	batch.Queue(erasedSQL, numbered.ids).Query(func(rows pgx.Rows) error {
		var id [16]byte
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			gone[id] = true
			return nil
		})
		return err
	})
	release, err := acquireShare(ctx, s.db.dryRunShares, false)
	if err != nil {
		return err
	}
	defer release()
	if err := s.db.change.SendBatch(ctx, batch).Close(); err != nil {
		return translateError(err, "check events")
	}
	for n, id := range numbered.ids {
		if !gone[id] {
			numbered.base[n] = 0
		}
	}
	var fresh []int
	for _, i := range p.firsts() {
		if _, found := stored[p.rows[i].event().ID]; !found {
			fresh = append(fresh, i)
		}
	}
	c := commit{store: s, plan: p}
	for i, v := range c.judge(fresh, numbered, stored) {
		if v.Status == ingest.Stored {
			v.Status, v.Sequence = ingest.Valid, 0
		}
		*p.rows[i].item.Verdict = v
	}
	return nil
}
