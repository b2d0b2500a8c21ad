package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/query"
)

// selectRejectionsSQL walks rejection_pkey, or rejection_session_id_idx for the
// rejections of one session, and takes no lock.
const selectRejectionsSQL = `
select r.rejection_id, r.received_at, (select a.name from application a where a.application_id = r.application_id), r.request_id, r.trace_id,
	r.code, r.errors, r.event_id, r.session_id, r.category, r.name, r."timestamp", r.raw, r.raw_size, r.status, r.event_type_version,
	r.replayed_at, r.outcome, r.outcome_event_id, r.outcome_errors
from rejection r`

const (
	rejectionCode        = "r.errors @> jsonb_build_array(jsonb_build_object('code', ?::text))"
	rejectionApplication = "r.application_id = (select application_id from application where name = ?)"
	rejectionCategory    = "r.category = ?"
	rejectionName        = "r.name = ?"
	rejectionSession     = "r.session_id = ?"
	rejectionStatus      = "r.status = ?"
	rejectionFrom        = "r.received_at >= ?"
	rejectionTo          = "r.received_at < ?"
	rejectionBefore      = "(r.received_at, r.rejection_id) < (?, ?)"
	rejectionOrder       = " order by r.received_at desc, r.rejection_id desc limit "
)

// Rejections implements query.RejectionStore.
func (s *QueryStore) Rejections(ctx context.Context, f query.RejectionFilter, after *query.Position, limit int, yield func(query.Rejection) bool) error {
	q := newStatement(selectRejectionsSQL)
	q.whereRejections(&f)
	if after != nil {
		q.where(rejectionBefore, after.At, after.ID)
	}

	q.orderBy(rejectionOrder, limit)
	return listRows(ctx, s, s.mode, q, scanRejection, yield)
}

// whereRejections adds the conditions of a filter.
func (s *statement) whereRejections(f *query.RejectionFilter) {
	s.whereIf(f.Code != "", rejectionCode, f.Code)
	s.whereIf(f.Application != "", rejectionApplication, f.Application)
	s.whereIf(f.Category != "", rejectionCategory, f.Category)
	s.whereIf(f.Name != "", rejectionName, f.Name)
	s.whereIf(f.SessionID.Valid, rejectionSession, f.SessionID.UUID)
	s.whereIf(f.Status != "", rejectionStatus, f.Status)
	s.whereIf(!f.From.IsZero(), rejectionFrom, f.From)
	s.whereIf(!f.To.IsZero(), rejectionTo, f.To)
}

// rejectionByIDSQL uses rejection_pkey: the id is a UUIDv7 that was generated within the budget
// of the request, whose time of receipt is the key's first column.
const rejectionByIDSQL = selectRejectionsSQL + ` where r.rejection_id = $1 and r.received_at between $2 and $3`

// Rejection implements query.RejectionStore.
func (s *QueryStore) Rejection(ctx context.Context, id uuid.UUID) (query.Rejection, error) {
	const before, after = 10 * time.Minute, time.Minute
	made := time.Unix(id.Time().UnixTime())
	return readRow(ctx, s, "read a rejection", scanRejection, rejectionByIDSQL, id, made.Add(-before), made.Add(after))
}

func scanRejection(row pgx.Row) (r query.Rejection, err error) {
	var violations, replayed []byte
	err = row.Scan(&r.ID, &r.ReceivedAt, &r.Application, &r.RequestID, &r.TraceID, &r.Code, &violations,
		&r.EventID, &r.SessionID, &r.Category, &r.Name, &r.Timestamp, &r.Raw, &r.RawSize, &r.Status, &r.EventTypeVersion,
		&r.ReplayedAt, &r.Outcome, &r.OutcomeEventID, &replayed)
	if err != nil {
		return r, err
	}

	if err := json.Unmarshal(violations, &r.Violations); err != nil {
		return r, fmt.Errorf("read the reasons of a rejection: %w", err)
	}

	if replayed == nil {
		return r, nil
	}

	if err := json.Unmarshal(replayed, &r.OutcomeErrors); err != nil {
		return r, fmt.Errorf("read the outcome of a replay: %w", err)
	}

	return r, nil
}

// notKeptSQL scans rejection_count, which has one row for each hour and application.
const notKeptSQL = `select coalesce(sum(c.refused - c.kept), 0)::bigint from rejection_count c`

const (
	countApplication = "c.application_id = (select application_id from application where name = ?)"
	countFrom        = "c.hour >= ?"
	countTo          = "c.hour < ?"
)

// CountNotKept implements query.RejectionStore.
func (s *QueryStore) CountNotKept(ctx context.Context, f query.RejectionFilter) (int64, error) {
	q := newStatement(notKeptSQL)
	q.whereIf(f.Application != "", countApplication, f.Application)
	q.whereIf(!f.From.IsZero(), countFrom, f.From.Truncate(time.Hour))
	q.whereIf(!f.To.IsZero(), countTo, f.To)
	scan := func(row pgx.Row) (n int64, err error) {
		err = row.Scan(&n)
		return n, err
	}
	return readRow(ctx, s, "count refusals", scan, q.sql.String(), q.args...)
}
