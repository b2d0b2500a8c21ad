package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// sampleRawBytes bounds the raw text of a sampled refusal.
const sampleRawBytes = 4 << 10

// groupRejections are the refused events of a group on their way into the table.
type groupRejections struct {
	bounds RejectionBounds
	list   []pendingRejection
	hours  []rejectionCounter
}

type pendingRejection struct {
	item     *ingest.Item
	verdict  *ingest.Verdict
	raw      []byte
	recorded bool
}

// rejectionCounter is what a group adds to one row of rejection_count.
type rejectionCounter struct {
	application event.ApplicationID
	hour        time.Time
	rejected    int64
	bytes       int64
	// totalRejected and afterBytes are the totals, this group's included.
	totalRejected int64
	totalBytes    int64
}

func newGroupRejections(bounds RejectionBounds, items []*ingest.Item) *groupRejections {
	r := &groupRejections{bounds: bounds}
	for _, item := range items {
		r.add(item, item.Verdict)
	}
	return r
}

func (r *groupRejections) add(item *ingest.Item, verdict *ingest.Verdict) {
	raw := item.Envelope.Raw
	switch verdict.Violations[0].Code {
	case fault.CodeSessionErased, fault.CodeEventErased:
		raw = nil // what was erased is not to come back by this door
	}
	if item.Envelope.Withheld {
		raw = nil
	}
	longest := r.bounds.RawBytes
	if item.Envelope.IsWholeBody {
		longest = max(longest, r.bounds.BodyBytes)
	}
	raw = raw[:min(len(raw), longest)]
	r.list = append(r.list, pendingRejection{item: item, verdict: verdict, raw: raw})
}

// countSQL locks the counters of the group's applications, ascending.
const countSQL = `
insert into rejection_count as c (application_id, hour, refused, bytes)
select n.application_id, n.hour, n.refused, n.bytes
from unnest($1::integer[], $2::timestamptz[], $3::bigint[], $4::bigint[]) as n (application_id, hour, refused, bytes)
on conflict (application_id, hour) do update set refused = c.refused + excluded.refused, bytes = c.bytes + excluded.bytes
returning application_id, hour, refused, bytes`

// queueCount queues the counting of the refusals, which tells how many came before.
func (r *groupRejections) queueCount(batch *pgx.Batch) {
	if len(r.list) == 0 {
		return
	}
	for i := range r.list {
		request := r.list[i].item.Request
		hour := r.counterOf(request)
		hour.rejected++
		hour.bytes += int64(len(r.list[i].raw))
	}
	slices.SortFunc(r.hours, func(a, b rejectionCounter) int {
		return cmp.Or(cmp.Compare(a.application, b.application), a.hour.Compare(b.hour))
	})
	var applications []int32
	var hours []time.Time
	var refused, bytes []int64
	for _, h := range r.hours {
		applications, hours = append(applications, int32(h.application)), append(hours, h.hour)
		refused, bytes = append(refused, h.rejected), append(bytes, h.bytes)
	}
	r.queueErased(batch)
	batch.Queue(countSQL, applications, hours, refused, bytes).Query(func(rows pgx.Rows) error {
		var application int32
		var hour time.Time
		var total, size int64
		_, err := pgx.ForEachRow(rows, []any{&application, &hour, &total, &size}, func() error {
			for i := range r.hours {
				if h := &r.hours[i]; int32(h.application) == application && h.hour.Equal(hour) {
					h.totalRejected, h.totalBytes = total, size
				}
			}
			return nil
		})
		return err
	})
}

// erasedForRejectionsSQL uses session_pkey. The lock, for which writers of events do not
// wait, keeps an erasure from passing by what this transaction is about to keep. It waits
// for nobody, since a text alone must not make a group wait for any session that it names:
// one that is locked counts as erased if an erasure of it is at work, which was committed
// before it took the lock. Whoever else has it locked, to edit an event, erases nothing.
const erasedForRejectionsSQL = `
with free as materialized (select session_id from session where session_id = any($1) for key share skip locked)
select s.session_id, s.erased_at is not null or not exists (select from free where free.session_id = s.session_id)
	and exists (select from erasure e where e.finished_at is null and s.session_id = any (e.session_ids))
from session s where s.session_id = any($1)`

// maxNamed bounds the ids that are looked for in the text of a refused event.
const maxNamed = 16

// queueErased queues the question which refused events belong to erased sessions, or name
// one in their text: that is withheld, whatever they were refused for.
func (r *groupRejections) queueErased(batch *pgx.Batch) {
	var ids [][16]byte
	named := map[uuid.UUID][]int{}
	for i := range r.list {
		one := &r.list[i]
		if one.raw == nil {
			continue
		}
		found := erasure.IDsIn(one.raw, maxNamed)
		if e := one.item.Envelope; e.Has(event.FieldSessionID) {
			found = append(found, e.Event.SessionID)
		}
		for _, id := range found {
			if named[id] == nil {
				ids = append(ids, id)
			}
			named[id] = append(named[id], i)
		}
	}
	if len(ids) == 0 {
		return
	}
	batch.Queue(erasedForRejectionsSQL, ids).Query(func(rows pgx.Rows) error {
		var id [16]byte
		var gone bool
		_, err := pgx.ForEachRow(rows, []any{&id, &gone}, func() error {
			if gone {
				for _, i := range named[id] {
					r.list[i].raw = nil
				}
			}
			return nil
		})
		return err
	})
}

// counterOf returns the counter of a request's application and hour.
func (r *groupRejections) counterOf(request *ingest.Request) *rejectionCounter {
	hour := request.ReceivedAt.UTC().Truncate(time.Hour)
	for i := range r.hours {
		if h := &r.hours[i]; h.application == request.Application && h.hour.Equal(hour) {
			return h
		}
	}
	r.hours = append(r.hours, rejectionCounter{application: request.Application, hour: hour})
	return &r.hours[len(r.hours)-1]
}

// chooseRecorded decides which refusals are kept, by their rank in their hour.
func (r *groupRejections) chooseRecorded() (kept int) {
	rank, size := map[*rejectionCounter]int64{}, map[*rejectionCounter]int64{}
	for i := range r.list {
		one := &r.list[i]
		h := r.counterOf(one.item.Request)
		rank[h]++
		size[h] += int64(len(one.raw))
		place := h.totalRejected - h.rejected + rank[h]
		total := h.totalBytes - h.bytes + size[h]
		switch {
		case place <= r.bounds.Rows && total <= r.bounds.Bytes:
			one.recorded = true
		case isSampled(place):
			one.recorded = true
			one.raw = one.raw[:min(len(one.raw), sampleRawBytes)]
		}
		if one.recorded {
			kept++
		}
	}
	return kept
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

// insertRejectionsSQL writes to the two indexes of rejection's partitions. What is
// known is of an attempt whose commit was not heard of.
const insertRejectionsSQL = `
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

// insertChosen writes the refusals that are kept. It is called after the counting.
func (r *groupRejections) insertChosen(ctx context.Context, conn *pgx.Conn) error {
	kept := r.chooseRecorded()
	if kept == 0 {
		return nil
	}
	var columns rejectionColumns
	var applications []int32
	var hours []time.Time
	var counts []int64
	perHour := map[*rejectionCounter]int64{}
	for i := range r.list {
		if r.list[i].recorded {
			columns.add(&r.list[i])
			perHour[r.counterOf(r.list[i].item.Request)]++
		}
	}
	for h, n := range perHour {
		applications, hours, counts = append(applications, int32(h.application)), append(hours, h.hour), append(counts, n)
	}
	batch := &pgx.Batch{}
	c := &columns
	batch.Queue(insertRejectionsSQL, c.ids, c.received, c.applications, c.requests, c.codes, c.errors,
		c.events, c.sessions, c.categories, c.names, c.timestamps, c.raws, c.sizes, c.traces, c.versions)
	batch.Queue(countRecordedSQL, applications, hours, counts)
	return conn.SendBatch(ctx, batch).Close()
}

// clearUnrecordedIDs takes the id from the verdicts of refusals that were not kept. It is
// called after the commit.
func (r *groupRejections) clearUnrecordedIDs() {
	for i := range r.list {
		if !r.list[i].recorded {
			r.list[i].item.Verdict.ErrorID = uuid.Nil
		}
	}
}

// rejectionColumns are the parameters of insertRejectionsSQL.
type rejectionColumns struct {
	ids          [][16]byte
	received     []time.Time
	applications []int32
	requests     []string
	codes        []string
	errors       []string
	events       []*[16]byte
	sessions     []*[16]byte
	categories   []*string
	names        []*string
	timestamps   []*time.Time
	raws         [][]byte
	sizes        []int32
	traces       [][16]byte
	versions     []*int32
}

func (c *rejectionColumns) add(one *pendingRejection) {
	request, e := one.item.Request, one.item.Envelope
	violations, _ := json.Marshal(one.verdict.Violations) // strings alone cannot fail
	c.ids = append(c.ids, one.verdict.ErrorID)
	c.received = append(c.received, request.ReceivedAt)
	c.applications = append(c.applications, int32(request.Application))
	c.requests = append(c.requests, request.ID)
	c.codes = append(c.codes, string(one.verdict.Violations[0].Code))
	c.errors = append(c.errors, string(violations))
	c.events = append(c.events, knownField(e, event.FieldID, (*[16]byte)(&e.Event.ID)))
	c.sessions = append(c.sessions, knownField(e, event.FieldSessionID, (*[16]byte)(&e.Event.SessionID)))
	c.categories = append(c.categories, knownField(e, event.FieldCategory, &e.Event.Category))
	c.names = append(c.names, knownField(e, event.FieldName, &e.Event.Name))
	c.timestamps = append(c.timestamps, knownField(e, event.FieldTimestamp, &e.Event.Timestamp))
	c.raws = append(c.raws, one.raw)
	c.sizes = append(c.sizes, int32(len(e.Raw))) //nolint:gosec // bounded by the body limit
	c.traces = append(c.traces, request.TraceID)
	var version *int32 // null unless the event's type refused it
	if one.verdict.Violations[0].Code == fault.CodeSchemaViolation {
		version = &e.TypeVersion
	}
	c.versions = append(c.versions, version)
}

// knownField returns a field's value if it could be read.
func knownField[T any](e *event.Envelope, field event.Fields, value *T) *T {
	if e.Has(field) {
		return value
	}
	return nil
}
