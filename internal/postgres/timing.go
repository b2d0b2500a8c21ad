package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/query"
)

// TimingStore stores the durations of groups. It implements ingest.TimingStore on connections
// that do not store events, and is safe for concurrent use.
type TimingStore struct{ db *DB }

var _ ingest.TimingStore = (*TimingStore)(nil)

// NewTimingStore makes a store on a database whose schema is current.
func NewTimingStore(db *DB) *TimingStore { return &TimingStore{db: db} }

// insertTimingSQL locks only its own row.
const insertTimingSQL = `insert into group_timing (written_at, group_ids, took_us) values ($1, $2::bigint[], $3::integer[])`

// noWaitSQL avoids the wait for the disk: a crash of the server loses only timings.
const noWaitSQL = `set local synchronous_commit to off`

// KeepTimings implements ingest.TimingStore.
func (s *TimingStore) KeepTimings(ctx context.Context, at time.Time, timings []ingest.Timing) error {
	groups := make([]int64, len(timings))
	took := make([]int32, len(timings))
	for i, t := range timings {
		groups[i] = int64(t.Group)
		took[i] = durationMicroseconds(t.Took)
	}

	err := pgx.BeginFunc(ctx, s.db.change, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, noWaitSQL); err != nil {
			return err
		}

		_, err := tx.Exec(ctx, insertTimingSQL, at, groups, took)
		return err
	})
	return translateError(err, "store timings")
}

var _ query.TraceStore = (*QueryStore)(nil)

// eventTraceSQL uses event_key_pkey, then one partition's event_timestamp_idx.
const eventTraceSQL = `
select e.event_id, e.application_id, (select a.name from application a where a.application_id = e.application_id),
	e.received_at, e.trace_id, coalesce(e.judged_us, 0), coalesce(e.group_id, 0)
from event_key k join event e on k."timestamp" = e."timestamp" and k.event_id = e.event_id
where k.event_id = $1`

// EventTrace implements query.TraceStore.
func (s *QueryStore) EventTrace(ctx context.Context, id uuid.UUID) (query.EventTrace, error) {
	scan := func(row pgx.Row) (t query.EventTrace, err error) {
		var judged, application int32
		err = row.Scan(&t.EventID, &application, &t.Application, &t.ReceivedAt, &t.TraceID, &judged, &t.Group)
		t.ApplicationID = event.ApplicationID(application)
		t.Validated = time.Duration(judged) * time.Microsecond
		t.GroupBegan = ingest.GroupID(t.Group).Began()
		return t, err
	}
	return readRow(ctx, s, "read the trace of an event", scan, eventTraceSQL, id)
}

// groupTookSQL walks group_timing_pkey from the beginning of the group on. The row was written
// within a second of the commit, so the walk is short.
const groupTookSQL = `
select t.took_us[array_position(t.group_ids, $1)] from group_timing t
where t.written_at >= $2 and t.written_at < $3 and $1 = any (t.group_ids)
order by t.written_at limit 1`

// GroupDuration implements query.TraceStore.
func (s *QueryStore) GroupDuration(ctx context.Context, group int64) (time.Duration, error) {
	const longest = 2 * time.Hour // a budget is at most an hour
	scan := func(row pgx.Row) (time.Duration, error) {
		var took int32
		err := row.Scan(&took)
		return time.Duration(took) * time.Microsecond, err
	}
	began := ingest.GroupID(group).Began()
	return readRow(ctx, s, "read the duration of a group", scan, groupTookSQL, group, began, began.Add(longest))
}

// forgetTimingsSQL uses group_timing_pkey.
const forgetTimingsSQL = `delete from group_timing where written_at < $1`

// PruneTimings implements retention.Store.
func (s *RetentionStore) PruneTimings(ctx context.Context, before time.Time) error {
	_, err := s.db.change.Exec(ctx, forgetTimingsSQL, before)
	return translateError(err, "delete old timings")
}
