package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// groupOutcome is what one attempt makes of a group. It is published once that is certain.
type groupOutcome struct {
	plan *groupPlan
	// verdicts are those of the plan's rows, and rejectedVerdicts of what was rejected before.
	verdicts         []ingest.Verdict
	rejectedVerdicts []ingest.Verdict
	// stored are the rows to copy, by event id, and unused the claimed ids of the others.
	stored []int
	unused []uuid.UUID
	// anyRejected means that an event was rejected that had passed the checks before.
	anyRejected bool
	rejections  groupRejections
}

// publish hands out the verdicts.
func (o *groupOutcome) publish() {
	for i := range o.verdicts {
		*o.plan.rows[i].item.Verdict = o.verdicts[i]
	}

	for i, item := range o.plan.rejected {
		*item.Verdict = o.rejectedVerdicts[i]
	}
}

// resolveVerdicts works out the verdict of every event, once its id and session are locked.
func (t *groupTransaction) resolveVerdicts() *groupOutcome {
	rows := t.plan.rows
	o := &groupOutcome{
		plan:       t.plan,
		verdicts:   make([]ingest.Verdict, len(rows)),
		stored:     make([]int, 0, len(rows)),
		rejections: groupRejections{bounds: t.store.rejectionBounds},
	}
	for i := range rows { // copies come behind their firsts
		t.resolveVerdict(i, o.verdicts)
	}

	for _, i := range t.plan.byID {
		switch {
		case !rows[i].claimed:
		case o.verdicts[i].Status == ingest.Stored:
			o.stored = append(o.stored, i)
		default:
			o.unused = append(o.unused, o.verdicts[i].EventID)
		}
	}

	t.collectRejections(o)

	return o
}

// collectRejections collects what was rejected before, and what turned out to be rejected now.
func (t *groupTransaction) collectRejections(o *groupOutcome) {
	o.rejectedVerdicts = make([]ingest.Verdict, len(t.plan.rejected))
	for i, item := range t.plan.rejected {
		o.rejectedVerdicts[i] = *item.Verdict
		o.rejections.add(item, &o.rejectedVerdicts[i])
	}

	for i := range o.verdicts {
		item := t.plan.rows[i].item
		if v := &o.verdicts[i]; v.IsRejected() {
			o.anyRejected = true
			if !item.Request.Replay { // which is recorded already
				v.ErrorID = t.rejectionID(i)
				o.rejections.add(item, v)
			}
		}
	}
}

// resolveVerdict works out the verdict of a row. Those of the rows before it are known.
func (t *groupTransaction) resolveVerdict(i int, verdicts []ingest.Verdict) {
	r := &t.plan.rows[i]
	v := &verdicts[i]
	v.EventID = r.event().ID

	first := &t.plan.rows[r.copyOf]
	switch {
	case r.claimed && r.session.base == erasedSession:
		rejectErasedSession(v)
	case r.claimed:
		v.Status = ingest.Stored
		v.Sequence = r.sequence()
	case first.claimed && verdicts[r.copyOf].Status == ingest.Rejected:
		*v = verdicts[r.copyOf]
	case first.claimed && first.event().Digest() == r.event().Digest():
		v.Status = ingest.Duplicate
		v.Sequence = first.sequence()
	case first.claimed:
		rejectConflict(v)
	default:
		t.resolveKnownID(r, v)
	}
}

// resolveKnownID works out the verdict of an event whose id was known before, from what is
// stored under it.
func (t *groupTransaction) resolveKnownID(r *eventRow, v *ingest.Verdict) {
	request := r.item.Request
	digest := r.event().Digest()
	known, found := t.stored[v.EventID]
	erased := known.erased || !found // where it is not found, an erasure came between the two statements
	switch {
	case erased && known.erasedWith.Valid && known.erasedWith.UUID == r.event().SessionID:
		rejectErasedSession(v)
	case erased:
		setRejected(v, ingest.Rejected, fault.CodeEventErased, "/event_id", "an event with this id was erased and is not stored again")
	case known.digest == digest || string(known.original) == string(digest[:]):
		v.Status = ingest.Duplicate
		v.Sequence = known.Sequence
		if t.mayBeCommitted && known.ReceivedAt.Equal(request.ReceivedAt) && known.ApplicationID == request.Application {
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

// rejectionID returns the id that a row's rejection is recorded under, in every attempt.
func (t *groupTransaction) rejectionID(row int) uuid.UUID {
	id, known := t.rejectionIDs[row]
	if !known {
		id = t.store.newID()
		t.rejectionIDs[row] = id
	}

	return id
}

// storedEventsSQL reads what is stored under known ids: event_key_pkey, then one
// partition's event_timestamp_idx, and session_pkey for what was erased. It is a statement
// of its own, so that it sees what claimIDsSQL waited for, and takes no lock.
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

// storedEvent is what is stored under an id, without the payload: a group may hold many large
// ones.
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

// queueStoredEvents reads what is stored under ids.
func queueStoredEvents(batch *statementBatch, ids []uuid.UUID, into *map[uuid.UUID]storedEvent) {
	if len(ids) == 0 {
		return
	}

	param := newUUIDArray(len(ids))
	for _, id := range ids {
		param.addUUID(id)
	}

	batch.queue(namedStatement{"theeye_stored_events", storedEventsSQL}, func(rows pgx.Rows) (err error) {
		*into, err = readStoredEvents(rows, len(ids))
		return err
	}, param)
}

func readStoredEvents(rows pgx.Rows, guess int) (map[uuid.UUID]storedEvent, error) {
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
			k.SessionID = *session
			k.Sequence = *sequence
			k.Category = *category
			k.Name = *name
			k.Timestamp = *at
			k.ReceivedAt = *received
			k.ApplicationID = event.ApplicationID(*application)
			k.Data = event.ShortenNumbers(k.Data)
			k.digest = k.Digest()
		}

		k.Data = nil
		found[k.ID] = k
	}

	return found, rows.Err()
}

// erasedSessionsSQL reads which sessions are erased, by session_pkey, without a lock.
const erasedSessionsSQL = `select session_id from session where session_id = any($1) and erased_at is not null`

// DryRun implements ingest.Store by reads alone.
func (s *EventStore) DryRun(ctx context.Context, group *ingest.Group) error {
	t := newGroupTransaction(s, group)
	if len(t.plan.rows) == 0 {
		return nil
	}

	// All ids are numbered as if they were new, until it is known which are.
	var ids []uuid.UUID
	for _, i := range t.plan.firstRows() {
		t.plan.rows[i].claimed = true
		ids = append(ids, t.plan.rows[i].event().ID)
	}

	sessions := t.plan.numberRows()

	batch := newStatementBatch()
	queueStoredEvents(batch, ids, &t.stored)
	erased := queueErasedLookup(batch, sessions)
	release, err := acquireShare(ctx, s.db.dryRunShares, false)
	if err != nil {
		return err
	}
	defer release()

	err = s.db.change.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return batch.send(ctx, conn.Conn(), s.db.pooled) })
	if err != nil {
		return translateError(err, "check events")
	}

	for _, session := range sessions {
		if !erased[session.id] {
			session.base = 0
		}
	}

	for _, i := range t.plan.firstRows() {
		_, known := t.stored[t.plan.rows[i].event().ID]
		t.plan.rows[i].claimed = !known
	}

	verdicts := make([]ingest.Verdict, len(t.plan.rows))
	for i := range verdicts {
		t.resolveVerdict(i, verdicts)
		v := verdicts[i]
		if v.Status == ingest.Stored {
			v.Status = ingest.Valid
			v.Sequence = 0
		}

		*t.plan.rows[i].item.Verdict = v
	}

	return nil
}

// queueErasedLookup reads which sessions are erased. The map is filled when the batch is sent.
func queueErasedLookup(batch *statementBatch, sessions []*sessionShare) map[uuid.UUID]bool {
	erased := map[uuid.UUID]bool{}
	ids := newUUIDArray(len(sessions))
	for _, s := range sessions {
		ids.addUUID(s.id)
	}

	batch.queue(namedStatement{"theeye_erased_sessions", erasedSessionsSQL}, func(rows pgx.Rows) error {
		var id [16]byte
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			erased[id] = true
			return nil
		})
		return err
	}, ids)

	return erased
}
