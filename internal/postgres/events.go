package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

// QueryStore answers queries on connections of their own. It implements the
// stores of package query and is safe for concurrent use.
type QueryStore struct {
	db *DB
	// mode plans each statement with its parameters: a generic plan would not know which
	// partitions and which index suit a filter.
	mode pgx.QueryExecMode
	// prepared plans a statement once; it is for statements whose plan does not depend on the
	// parameters.
	prepared pgx.QueryExecMode
	// onPlan receives the plans of a store that explains statements; nil runs them.
	onPlan func(plan string)
	// usesChangePool runs the statements, which select what is to be replayed or discarded, on
	// the connections for changes, which are not shared out.
	usesChangePool bool
}

// acquirePool waits for the caller's share of the read connections, or returns the connections
// for changes.
func (s *QueryStore) acquirePool(ctx context.Context, heavy bool) (pool *pgxpool.Pool, release func(), err error) {
	if s.usesChangePool {
		return s.db.change, func() {}, nil
	}

	release, err = acquireShare(ctx, s.db.readShares, heavy)
	return s.db.read, release, err
}

var (
	_ query.EventStore     = (*QueryStore)(nil)
	_ query.SessionStore   = (*QueryStore)(nil)
	_ query.RejectionStore = (*QueryStore)(nil)
)

// NewQueryStore makes a store on a database whose schema is current.
func NewQueryStore(db *DB) *QueryStore {
	if db.pooled {
		return &QueryStore{db: db, mode: pgx.QueryExecModeExec, prepared: pgx.QueryExecModeExec}
	}

	return &QueryStore{db: db, mode: pgx.QueryExecModeCacheDescribe, prepared: pgx.QueryExecModeCacheStatement}
}

// selectEventsSQL takes no lock. Its indexes: event_pkey for a session's timeline, read in its
// order; event_category_idx for a category; event_timestamp_idx otherwise; each in its order,
// with ties of the timestamp sorted on the way.
const selectEventsSQL = `
select e.event_id, e.session_id, e.sequence, e.category, e.name, e.data, e."timestamp", e.received_at, e.application_id,
	(select a.name from application a where a.application_id = e.application_id), e.event_type_version, e.violations
from event e`

// The conditions of lists. A question mark stands for the next parameter.
const (
	// The session's row, by session_pkey, excludes the partitions outside its time.
	eventSession = `e.session_id = ? and e."timestamp" between (select started_at from session where session_id = ?)
	and (select last_event_at from session where session_id = ?)`
	eventCategory    = "e.category = ?"
	eventName        = "e.name = ?"
	eventApplication = "e.application_id = (select application_id from application where name = ?)"
	eventFrom        = `e."timestamp" >= ?`
	eventTo          = `e."timestamp" < ?`
	eventData        = "e.data #>> ?::text[] = ?::text"
	// The expression of the payload indexes in place of the value. The planner has no statistics
	// of how many events hold the value, and must not multiply two guesses: it sorts what it
	// then considers rare, which may be half of all events.
	eventDataIndexed = `hashtextextended(e.data #>> ?::text[], 0) = hashtextextended(?::text, 0)
	and case when e.data #>> ?::text[] = ?::text then true else false end`
	// The first comparison is the one that an index on the timestamp can use.
	eventAfter  = `e."timestamp" >= ? and (e."timestamp", e.sequence, e.event_id) > (?, ?, ?)`
	eventBefore = `e."timestamp" <= ? and (e."timestamp", e.sequence, e.event_id) < (?, ?, ?)`

	eventOrderAscending  = ` order by e."timestamp", e.sequence, e.event_id limit `
	eventOrderDescending = ` order by e."timestamp" desc, e.sequence desc, e.event_id desc limit `
	// Within a session the sequence decides between equal timestamps.
	timelineAscending  = ` order by e."timestamp", e.sequence limit `
	timelineDescending = ` order by e."timestamp" desc, e.sequence desc limit `
)

// Events implements query.EventStore.
func (s *QueryStore) Events(ctx context.Context, f query.EventFilter, after *query.Position, limit int, yield func(event.Stored) bool) error {
	q := newStatement(selectEventsSQL)
	mode := s.mode
	order := eventOrderAscending
	beyond := eventAfter
	if f.Descending {
		order = eventOrderDescending
		beyond = eventBefore
	}

	if f.SessionID.Valid {
		q.where(eventSession, f.SessionID.UUID, f.SessionID.UUID, f.SessionID.UUID)
		mode = s.prepared
		order = timelineAscending
		if f.Descending {
			order = timelineDescending
		}
	}

	q.whereIf(f.Category != "", eventCategory, f.Category)
	q.whereIf(f.Name != "", eventName, f.Name)
	q.whereIf(f.Application != "", eventApplication, f.Application)
	q.whereIf(!f.From.IsZero(), eventFrom, f.From)
	q.whereIf(!f.To.IsZero(), eventTo, f.To)
	for _, d := range f.Data {
		path := []string(d.Path)
		if d.IsIndexed() {
			q.where(eventDataIndexed, path, d.Value, path, d.Value)
			continue
		}

		q.where(eventData, path, d.Value)
		q.heavy = q.heavy || !f.SessionID.Valid
	}

	if after != nil {
		q.where(beyond, after.At, after.At, after.Sequence, after.ID)
	}

	q.orderBy(order, limit)
	return listRows(ctx, s, mode, q, scanStored, yield)
}

// storedByIDSQL uses event_key_pkey, then one partition's event_timestamp_idx.
const storedByIDSQL = selectEventsSQL + `
join event_key k on k."timestamp" = e."timestamp" and k.event_id = e.event_id
where k.event_id = $1`

// Event implements query.EventStore.
func (s *QueryStore) Event(ctx context.Context, id uuid.UUID) (event.Stored, error) {
	return readRow(ctx, s, "read an event", scanStored, storedByIDSQL, id)
}

// scanStored reads a row of selectEventsSQL. Here, where a payload leaves the database, its
// numbers become short again, so that the size of all later work is bounded by the size of the
// payload as sent.
func scanStored(row pgx.Row) (e event.Stored, err error) {
	err = row.Scan(&e.ID, &e.SessionID, &e.Sequence, &e.Category, &e.Name, &e.Data, &e.Timestamp, &e.ReceivedAt, &e.ApplicationID, &e.Application, &e.TypeVersion, &e.Violations)
	e.Data = event.ShortenNumbers(e.Data)
	return e, err
}

// statement is a select that is assembled from constants.
type statement struct {
	sql         strings.Builder
	args        []any
	conjunction string
	// heavy says that the statement may read very many rows for the few that it returns.
	heavy bool
}

func newStatement(sql string) *statement {
	s := &statement{conjunction: " where "}
	s.sql.WriteString(sql)
	return s
}

// where adds a condition, whose question marks become the next parameters.
func (s *statement) where(condition string, args ...any) {
	s.sql.WriteString(s.conjunction)
	s.conjunction = " and "
	for _, piece := range strings.SplitAfter(condition, "?") {
		before, parameter := strings.CutSuffix(piece, "?")
		s.sql.WriteString(before)
		if parameter {
			s.args = append(s.args, args[0])
			args = args[1:]
			s.sql.WriteString("$" + strconv.Itoa(len(s.args)))
		}
	}
}

func (s *statement) whereIf(set bool, condition string, arg any) {
	if set {
		s.where(condition, arg)
	}
}

// orderBy ends the statement with its order and its limit. The limit is a parameter, so that few
// distinct statements are prepared.
func (s *statement) orderBy(order string, limit int) {
	s.args = append(s.args, limit)
	s.sql.WriteString(order + "$" + strconv.Itoa(len(s.args)))
}

// listRows runs a select and passes its rows to yield until yield returns false.
func listRows[T any](ctx context.Context, s *QueryStore, mode pgx.QueryExecMode, q *statement, scan func(pgx.Row) (T, error), yield func(T) bool) error {
	if s.onPlan != nil {
		return s.explainStatement(ctx, mode, q.sql.String(), q.args)
	}

	pool, release, err := s.acquirePool(ctx, q.heavy)
	if err != nil {
		return err
	}
	defer release()

	rows, err := pool.Query(ctx, q.sql.String(), append([]any{mode}, q.args...)...)
	if err != nil {
		return translateQuestion(err, "list")
	}
	defer rows.Close()

	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return translateQuestion(err, "list")
		}

		if !yield(item) {
			return nil
		}
	}

	return translateQuestion(rows.Err(), "list")
}

// readRow reads a single row by a prepared statement, or returns a NotFound fault.
func readRow[T any](ctx context.Context, s *QueryStore, doing string, scan func(pgx.Row) (T, error), sql string, args ...any) (T, error) {
	if s.onPlan != nil {
		var none T
		return none, s.explainStatement(ctx, s.prepared, sql, args)
	}

	pool, release, err := s.acquirePool(ctx, false)
	if err != nil {
		var none T
		return none, err
	}
	defer release()

	item, err := scan(pool.QueryRow(ctx, sql, append([]any{s.prepared}, args...)...))
	return item, translateError(err, doing)
}
