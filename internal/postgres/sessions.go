package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

// selectSessionsSQL walks session_started_at_idx and takes no lock.
const selectSessionsSQL = `
select s.session_id, s.started_at, s.last_event_at, s.event_count,
	array(select a.name from application a where a.application_id = any (s.application_ids) order by a.name)
from session s`

const (
	sessionListed      = "s.erased_at is null and s.started_at is not null"
	sessionApplication = "(select application_id from application where name = ?) = any (s.application_ids)"
	sessionFrom        = "s.started_at >= ?"
	sessionTo          = "s.started_at < ?"
	sessionBefore      = "(s.started_at, s.session_id) < (?, ?)"
	sessionOrder       = " order by s.started_at desc, s.session_id desc limit "
)

// Sessions implements query.SessionStore.
func (s *QueryStore) Sessions(ctx context.Context, f query.SessionFilter, after *query.Position, limit int, yield func(event.Session) bool) error {
	q := newStatement(selectSessionsSQL)
	q.where(sessionListed)
	q.whereIf(f.Application != "", sessionApplication, f.Application)
	q.whereIf(!f.From.IsZero(), sessionFrom, f.From)
	q.whereIf(!f.To.IsZero(), sessionTo, f.To)
	if after != nil {
		q.where(sessionBefore, after.At, after.ID)
	}

	q.orderBy(sessionOrder, limit)
	return listRows(ctx, s, s.mode, q, scanSession, yield)
}

// sessionByIDSQL uses session_pkey.
const sessionByIDSQL = selectSessionsSQL + ` where s.session_id = $1 and s.erased_at is null`

// Session implements query.SessionStore.
func (s *QueryStore) Session(ctx context.Context, id uuid.UUID) (event.Session, error) {
	return readRow(ctx, s, "read a session", scanSession, sessionByIDSQL, id)
}

func scanSession(row pgx.Row) (found event.Session, err error) {
	var started, last *time.Time // null once every event was erased individually
	err = row.Scan(&found.ID, &started, &last, &found.EventCount, &found.Applications)
	if started != nil && last != nil {
		found.StartedAt = *started
		found.LastEventAt = *last
	}

	return found, err
}
