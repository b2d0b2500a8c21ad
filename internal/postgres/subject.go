package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

var _ query.SubjectStore = (*ErasureStore)(nil)

// The statements that read the rows found by a scan: each by event_timestamp_idx, or by
// rejection_pkey. They take no lock.
const (
	subjectEventsSQL = selectEventsSQL + `
join unnest($1::timestamptz[], $2::uuid[]) as n (at, id) on e."timestamp" = n.at and e.event_id = n.id
order by e."timestamp", e.event_id`
	subjectRejectionsSQL = selectRejectionsSQL + `
join unnest($1::timestamptz[], $2::uuid[]) as n (at, id) on r.received_at = n.at and r.rejection_id = n.id
order by r.received_at, r.rejection_id`
)

// SubjectEvents implements query.SubjectStore.
func (s *ErasureStore) SubjectEvents(ctx context.Context, values []query.DataFilter, after query.Position, yield func(event.Stored) bool) (*query.Position, error) {
	wanted, err := s.expandFilters(ctx, values)
	if err != nil {
		return nil, translateQuestion(err, "search for a subject")
	}

	found, err := s.scanPayloadsAfter(ctx, wanted, scanPosition{after.At, after.ID})
	if err != nil || found.last == nil {
		return nil, translateQuestion(err, "search for a subject")
	}

	places := make([]scanPosition, len(found.matches))
	for i, m := range found.matches {
		places[i] = m.scanPosition
	}

	return &query.Position{At: found.last.at, ID: found.last.id}, listPlaces(ctx, s.reads, subjectEventsSQL, places, scanStored, yield)
}

// SubjectRejections implements query.SubjectStore.
func (s *ErasureStore) SubjectRejections(ctx context.Context, values []query.DataFilter, after query.Position, yield func(query.Rejection) bool) (*query.Position, error) {
	wanted, err := s.expandFilters(ctx, values)
	if err != nil {
		return nil, translateQuestion(err, "search for a subject")
	}

	found, err := s.scanTexts(ctx, erasure.NewMatcher(nil, wanted), scanPosition{after.At, after.ID})
	if err != nil || found.last == nil {
		return nil, translateQuestion(err, "search for a subject")
	}

	return &query.Position{At: found.last.at, ID: found.last.id}, listPlaces(ctx, s.reads, subjectRejectionsSQL, found.matches, scanRejection, yield)
}

func (s *ErasureStore) expandFilters(ctx context.Context, filters []query.DataFilter) ([]erasure.SearchValue, error) {
	values := make([]erasure.Value, len(filters))
	for i, f := range filters {
		values[i] = erasure.Value{Path: f.Path.String(), Steps: f.Path, Text: f.Value}
	}

	return s.expandValues(ctx, values)
}

// listPlaces reads the rows at the given positions.
func listPlaces[T any](ctx context.Context, s *QueryStore, sql string, places []scanPosition, scan func(pgx.Row) (T, error), yield func(T) bool) error {
	if len(places) == 0 {
		return nil
	}

	times := make([]time.Time, len(places))
	ids := make([][16]byte, len(places))
	for i, p := range places {
		times[i] = p.at
		ids[i] = p.id
	}

	q := newStatement(sql)
	q.args = []any{times, ids}
	return listRows(ctx, s, s.mode, q, scan, yield)
}
