package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// sampleRawBytes bounds the raw text of a sampled rejection.
const sampleRawBytes = 4 << 10

// groupRejections are the rejections of a group on their way into the table.
type groupRejections struct {
	bounds   RejectionBounds
	list     []pendingRejection
	counters map[counterKey]*rejectionCounter
}

type pendingRejection struct {
	item    *ingest.Item
	verdict *ingest.Verdict
	counter *rejectionCounter
	raw     []byte
}

// counterKey names a row of rejection_count.
type counterKey struct {
	application event.ApplicationID
	// hour is when it begins, in seconds since 1970.
	hour int64
}

func hourOf(at time.Time) int64 { return at.Truncate(time.Hour).Unix() }

// rejectionCounter is what a group adds to one row of rejection_count.
type rejectionCounter struct {
	counterKey

	rejected int64
	bytes    int64
	recorded int64
	// totalRejected and totalBytes are what the row says, with this group.
	totalRejected int64
	totalBytes    int64
}

// add adds a rejection, and clears the id in its verdict if it turns out not to be recorded.
func (r *groupRejections) add(item *ingest.Item, verdict *ingest.Verdict) {
	raw := item.Envelope.Raw
	switch verdict.Violations[0].Code {
	case fault.CodeSessionErased, fault.CodeEventErased:
		raw = nil // an erased text must not come back this way
	}

	if item.Envelope.Withheld {
		raw = nil
	}

	longest := r.bounds.RawBytes
	if item.Envelope.IsWholeBody {
		longest = max(longest, r.bounds.BodyBytes)
	}

	raw = raw[:min(len(raw), longest)]

	counter := r.counterOf(item.Request)
	counter.rejected++
	counter.bytes += int64(len(raw))
	r.list = append(r.list, pendingRejection{item: item, verdict: verdict, counter: counter, raw: raw})
}

// counterOf returns the counter of a request's application and hour.
func (r *groupRejections) counterOf(request *ingest.Request) *rejectionCounter {
	key := counterKey{request.Application, hourOf(request.ReceivedAt)}
	counter := r.counters[key]
	if counter == nil {
		if r.counters == nil {
			r.counters = map[counterKey]*rejectionCounter{}
		}

		counter = &rejectionCounter{counterKey: key}
		r.counters[key] = counter
	}

	return counter
}

// countRejections gives back the ids of events that are not stored, and counts the
// rejections, which returns how many came before.
func (t *groupTransaction) countRejections(ctx context.Context, conn *pgx.Conn, o *groupOutcome) error {
	batch := newStatementBatch()
	queueUnused(batch, o.unused)
	o.rejections.queueWithheldLookup(batch)
	o.rejections.queueCounters(batch)

	return batch.send(ctx, conn, t.store.db.pooled)
}

// giveBackIDsSQL takes new ids out of the ledger whose events turned out to be rejected.
const giveBackIDsSQL = `delete from event_key where event_id = any($1)`

func queueUnused(batch *statementBatch, unused []uuid.UUID) {
	if len(unused) == 0 {
		return
	}

	ids := newUUIDArray(len(unused))
	for _, id := range unused {
		ids.addUUID(id)
	}

	batch.queue(namedStatement{"theeye_give_back_ids", giveBackIDsSQL}, nil, ids)
}

// countRejectionsSQL locks the counters of the group's applications, ascending.
const countRejectionsSQL = `
insert into rejection_count as c (application_id, hour, refused, bytes)
select n.application_id, n.hour, n.refused, n.bytes
from unnest($1::integer[], $2::timestamptz[], $3::bigint[], $4::bigint[]) as n (application_id, hour, refused, bytes)
on conflict (application_id, hour) do update set refused = c.refused + excluded.refused, bytes = c.bytes + excluded.bytes
returning application_id, hour, refused, bytes`

func (r *groupRejections) queueCounters(batch *statementBatch) {
	n := len(r.counters)
	if n == 0 {
		return
	}

	applications := newInt32Array(n)
	hours := newTimeArray(n)
	rejected := newInt64Array(n)
	bytes := newInt64Array(n)
	for _, c := range r.sortedCounters() {
		applications.addInt32(int32(c.application))
		hours.addTime(time.Unix(c.hour, 0))
		rejected.addInt64(c.rejected)
		bytes.addInt64(c.bytes)
	}

	batch.queue(namedStatement{"theeye_count_rejections", countRejectionsSQL}, func(rows pgx.Rows) error {
		var application int32
		var hour time.Time
		var total, size int64
		_, err := pgx.ForEachRow(rows, []any{&application, &hour, &total, &size}, func() error {
			c := r.counters[counterKey{event.ApplicationID(application), hourOf(hour)}]
			if c == nil {
				return fmt.Errorf("a counter of rejections came back for application %d and hour %s, which the group does not count", application, hour)
			}

			c.totalRejected = total
			c.totalBytes = size
			return nil
		})
		return err
	}, applications, hours, rejected, bytes)
}

// sortedCounters returns the counters in the order in which they are locked.
func (r *groupRejections) sortedCounters() []*rejectionCounter {
	return slices.SortedFunc(maps.Values(r.counters), func(a, b *rejectionCounter) int {
		return cmp.Or(cmp.Compare(a.application, b.application), cmp.Compare(a.hour, b.hour))
	})
}

// erasedForRejectionsSQL uses session_pkey. The lock, for which writers of events do not
// wait, keeps an erasure from missing what this transaction is about to record. It waits
// for no other transaction, since a text alone must not make a group wait for any session
// that it names: one that is locked counts as erased if an erasure of it is at work, which
// was committed before it took the lock. An edit that has it locked erases nothing.
const erasedForRejectionsSQL = `
with free as materialized (select session_id from session where session_id = any($1) for key share skip locked)
select s.session_id, s.erased_at is not null or not exists (select from free where free.session_id = s.session_id)
	and exists (select from erasure e where e.finished_at is null and s.session_id = any (e.session_ids))
from session s where s.session_id = any($1)`

// maxNamed bounds the ids that are looked for in the text of a rejected event.
const maxNamed = 16

// queueWithheldLookup finds the rejected events that belong to erased sessions, or name one in
// their text: that is withheld, whatever they were rejected for.
func (r *groupRejections) queueWithheldLookup(batch *statementBatch) {
	named := map[[16]byte][]*pendingRejection{}
	for i := range r.list {
		one := &r.list[i]
		if one.raw == nil {
			continue
		}

		found := erasure.FindIDs(one.raw, maxNamed)
		if e := one.item.Envelope; e.Has(event.FieldSessionID) {
			found = append(found, e.Event.SessionID)
		}

		for _, id := range found {
			named[id] = append(named[id], one)
		}
	}

	if len(named) == 0 {
		return
	}

	ids := newUUIDArray(len(named))
	for id := range named {
		ids.addUUID(id)
	}

	batch.queue(namedStatement{"theeye_erased_for_rejections", erasedForRejectionsSQL}, func(rows pgx.Rows) error {
		var id [16]byte
		var erased bool
		_, err := pgx.ForEachRow(rows, []any{&id, &erased}, func() error {
			if erased {
				for _, one := range named[id] {
					one.raw = nil
				}
			}

			return nil
		})
		return err
	}, ids)
}

// chooseRecorded decides which rejections are recorded, by their rank in their hour, and
// clears the ids of the others.
func (r *groupRejections) chooseRecorded() (chosen []pendingRejection) {
	type rank struct{ rejected, bytes int64 }
	ranks := make(map[*rejectionCounter]rank, len(r.counters))
	for _, one := range r.list {
		c := one.counter
		here := ranks[c]
		here.rejected++
		here.bytes += int64(len(one.raw))
		ranks[c] = here

		place := c.totalRejected - c.rejected + here.rejected
		size := c.totalBytes - c.bytes + here.bytes
		switch {
		case place <= r.bounds.Rows && size <= r.bounds.Bytes:
		case isSampled(place):
			one.raw = one.raw[:min(len(one.raw), sampleRawBytes)]
		default:
			one.verdict.ErrorID = uuid.Nil
			continue
		}

		c.recorded++
		chosen = append(chosen, one)
	}

	return chosen
}

// isSampled picks nine of every power of ten: 1-9, 10, 20, ..., 90, 100, 200, ...
func isSampled(place int64) bool {
	for place >= 10 {
		if place%10 != 0 {
			return false
		}

		place /= 10
	}

	return true
}

// recordRejectionsSQL writes to the two indexes of rejection's partitions. A conflict is with
// an earlier attempt, whose answer was lost.
const recordRejectionsSQL = `
insert into rejection (rejection_id, received_at, application_id, request_id, code, errors, event_id, session_id, category, name, "timestamp", raw, raw_size, trace_id, event_type_version)
select n.rejection_id, n.received_at, n.application_id, n.request_id, n.code, n.errors, n.event_id, n.session_id, n.category, n.name, n."timestamp", n.raw, n.raw_size, n.trace_id, n.event_type_version
from unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[], $6::jsonb[], $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[], $12::bytea[], $13::integer[], $14::uuid[], $15::integer[])
	as n (rejection_id, received_at, application_id, request_id, code, errors, event_id, session_id, category, name, "timestamp", raw, raw_size, trace_id, event_type_version)
on conflict do nothing`

// countRecordedSQL adds to counters that the transaction has locked already.
const countRecordedSQL = `
update rejection_count c set kept = c.kept + n.kept
from unnest($1::integer[], $2::timestamptz[], $3::bigint[]) as n (application_id, hour, kept)
where c.application_id = n.application_id and c.hour = n.hour`

// recordRejections writes the counted rejections, as far as the bounds allow.
func (t *groupTransaction) recordRejections(ctx context.Context, conn *pgx.Conn, o *groupOutcome) error {
	chosen := o.rejections.chooseRecorded()
	if len(chosen) == 0 {
		return nil
	}

	batch := newStatementBatch()
	batch.queue(namedStatement{"theeye_record_rejections", recordRejectionsSQL}, nil, rejectionParams(chosen)...)
	batch.queue(namedStatement{"theeye_count_recorded", countRecordedSQL}, nil, o.rejections.recordedParams()...)

	return batch.send(ctx, conn, t.store.db.pooled)
}

// recordedParams are the parameters of countRecordedSQL.
func (r *groupRejections) recordedParams() [][]byte {
	counters := slices.DeleteFunc(r.sortedCounters(), func(c *rejectionCounter) bool { return c.recorded == 0 })
	applications := newInt32Array(len(counters))
	hours := newTimeArray(len(counters))
	recorded := newInt64Array(len(counters))
	for _, c := range counters {
		applications.addInt32(int32(c.application))
		hours.addTime(time.Unix(c.hour, 0))
		recorded.addInt64(c.recorded)
	}

	return [][]byte{applications, hours, recorded}
}

// rejectionParams are the parameters of recordRejectionsSQL.
func rejectionParams(chosen []pendingRejection) [][]byte {
	n := len(chosen)
	ids := newUUIDArray(n)
	received := newTimeArray(n)
	applications := newInt32Array(n)
	requests := newTextArray(n, 36)
	codes := newTextArray(n, 16)
	violations := newJSONArray(n, 128)
	events := newUUIDArray(n)
	sessions := newUUIDArray(n)
	categories := newTextArray(n, 16)
	names := newTextArray(n, 16)
	timestamps := newTimeArray(n)
	raws := newBytesArray(n, 256)
	sizes := newInt32Array(n)
	traces := newUUIDArray(n)
	versions := newInt32Array(n)

	for _, one := range chosen {
		request := one.item.Request
		e := one.item.Envelope
		text, _ := json.Marshal(one.verdict.Violations) // strings alone cannot fail
		ids.addUUID(one.verdict.ErrorID)
		received.addTime(request.ReceivedAt)
		applications.addInt32(int32(request.Application))
		requests.addText(request.ID)
		codes.addText(string(one.verdict.Violations[0].Code))
		violations.addJSON(text)
		addKnown(&events, (*arrayParam).addUUID, e.Event.ID, e.Has(event.FieldID))
		addKnown(&sessions, (*arrayParam).addUUID, e.Event.SessionID, e.Has(event.FieldSessionID))
		addKnown(&categories, (*arrayParam).addText, e.Event.Category, e.Has(event.FieldCategory))
		addKnown(&names, (*arrayParam).addText, e.Event.Name, e.Has(event.FieldName))
		addKnown(&timestamps, (*arrayParam).addTime, e.Event.Timestamp, e.Has(event.FieldTimestamp))
		addKnown(&raws, (*arrayParam).addBytes, one.raw, one.raw != nil)
		sizes.addInt32(int32(len(e.Raw))) //nolint:gosec // bounded by the body limit
		traces.addUUID(request.TraceID)
		addKnown(&versions, (*arrayParam).addInt32, e.TypeVersion, one.verdict.Violations[0].Code == fault.CodeSchemaViolation)
	}

	return [][]byte{
		ids, received, applications, requests, codes, violations, events, sessions, categories, names, timestamps, raws, sizes, traces, versions,
	}
}

// addKnown adds a value to an array, or a null where it is not known.
func addKnown[T any](a *arrayParam, add func(*arrayParam, T), value T, known bool) {
	if known {
		add(a, value)
	} else {
		a.addNull()
	}
}
