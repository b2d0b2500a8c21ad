package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// ErasureStore stores erasures and runs their steps. It implements erasure.Store and is safe for
// concurrent use, also by several replicas.
//
// A step is one transaction. It locks the erasure's row, then sessions by id, then events, and
// saves its progress before it commits: so two workers on the same erasure never interfere, and
// nothing is counted twice.
type ErasureStore struct {
	db    *DB
	reads *QueryStore
}

var _ erasure.Store = (*ErasureStore)(nil)

// NewErasureStore makes a store on a database whose schema is current.
func NewErasureStore(db *DB) *ErasureStore {
	return &ErasureStore{db: db, reads: NewQueryStore(db)}
}

// pool returns the pool of all connections for erasures.
func (s *ErasureStore) pool() *pgxpool.Pool { return s.db.change }

// insertErasureSQL uses erasure_ask_digest_idx and waits for a transaction that is about to
// insert the same request.
const insertErasureSQL = `
insert into erasure (erasure_id, session_ids, paths, filter, filter_digest, ask_digest, actor, application, request_id)
values ($1, $2, $3, $4::jsonb, $5, $6, $7, nullif($8, ''), nullif($9, ''))
on conflict (ask_digest) where finished_at is null do nothing`

// erasureColumns are the columns that erasureState.scanRow reads.
const erasureColumns = `e.erasure_id, e.session_ids, e.paths, e.filter::text, e.filter_digest, e.actor, coalesce(e.application, ''), coalesce(e.request_id, ''),
	e.requested_at, e.started_at, e.finished_at, e.erased_until, e.step, e.place, e.scan_at, e.scan_id, e.scan_transaction, e.last_transaction, e.late_after,
	e.scanned, e.sessions, e.events, e.rejections, e.part_sessions, e.part_events, e.part_rejections, e.digest`

const (
	// sameErasureSQL uses erasure_ask_digest_idx and takes no lock.
	sameErasureSQL = `select ` + erasureColumns + ` from erasure e where e.ask_digest = $1 and e.finished_at is null`
	// findErasureSQL uses erasure_pkey and takes no lock.
	findErasureSQL = `select ` + erasureColumns + ` from erasure e where e.erasure_id = $1`
	// backlogSQL uses erasure_requested_at_idx and takes no lock.
	backlogSQL = `select count(*), coalesce(extract(epoch from clock_timestamp() - min(requested_at)), 0)::float8 from erasure where finished_at is null`
)

// claimSQL uses erasure_requested_at_idx, or erasure_pkey, and skips locked rows: a worker in
// the middle of a step keeps its erasure, even past its lease.
const claimSQL = `
update erasure e set lease_id = $1, leased_until = clock_timestamp() + make_interval(secs => $2::float8),
	started_at = coalesce(e.started_at, clock_timestamp()), taken_at = clock_timestamp()
where e.erasure_id = (
	select w.erasure_id from erasure w
	where w.finished_at is null and (w.leased_until is null or w.leased_until < clock_timestamp()) and ($3::uuid is null or w.erasure_id = $3)
	order by w.taken_at nulls first, w.requested_at limit 1 for update skip locked)
returning ` + erasureColumns

// BeginErasure implements erasure.Store.
func (s *ErasureStore) BeginErasure(ctx context.Context, request erasure.Request) (erasure.Erasure, error) {
	digest := request.Digest()
	for {
		found, err := s.findErasure(ctx, sameErasureSQL, digest[:])
		if err == nil { // join it, and confirm first that its beginning is durable
			return found, translateError(s.confirmDurable(ctx), "look for an erasure")
		}

		if !errors.Is(err, pgx.ErrNoRows) {
			return found, translateError(err, "look for an erasure")
		}

		if request.MustExist {
			stored, err := s.hasStoredData(ctx, request.SessionIDs)
			if err == nil && !stored {
				err = cmp.Or(s.confirmDurable(ctx), erasure.NotFound())
			}

			if err != nil {
				return found, translateError(err, "look for a session")
			}
		}

		id, err := s.insertErasure(ctx, request, digest[:])
		if err != nil {
			return found, translateError(err, "begin an erasure")
		}

		if id != uuid.Nil {
			return s.FindErasure(ctx, id)
		}

		// Another caller began the same erasure in the meantime: join it, unless it has
		// finished.
	}
}

// insertErasure stores an erasure. It returns uuid.Nil if the same one is unfinished.
func (s *ErasureStore) insertErasure(ctx context.Context, request erasure.Request, digest []byte) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, err
	}

	paths := make([]string, len(request.Values))
	for i, v := range request.Values {
		paths[i] = v.Path
	}

	var filter *string
	var filterDigest []byte
	if len(request.Values) > 0 {
		sum := erasure.FilterDigest(id, request.RenderFilter())
		filter = jsonParameter(encodeFilter(request.Values))
		filterDigest = sum[:]
	}

	begun := false
	err = s.db.retryTransaction(ctx, func(tx pgx.Tx) error {
		actor := audit.ActorOf(ctx)
		tag, err := tx.Exec(ctx, insertErasureSQL, id, uuidArray(request.SessionIDs), paths, filter, filterDigest, digest, actor.Name, actor.Application, actor.RequestID)
		if begun = err == nil && tag.RowsAffected() == 1; !begun {
			return err
		}

		return recordAudit(ctx, tx, audit.ErasureBegun, id.String(), request.AuditDetail())
	})
	if err != nil || !begun {
		return uuid.Nil, err
	}

	return id, nil
}

// filterValue is one value in the form of the column filter.
type filterValue struct {
	Path  string   `json:"path"`
	Steps []string `json:"steps"`
	Text  string   `json:"text"`
}

func encodeFilter(values []erasure.Value) []byte {
	stored := make([]filterValue, len(values))
	for i, v := range values {
		stored[i] = filterValue(v)
	}

	text, _ := json.Marshal(stored) // strings cannot fail
	return text
}

func uuidArray(ids []uuid.UUID) [][16]byte {
	plain := make([][16]byte, len(ids))
	for i, id := range ids {
		plain[i] = id
	}

	return plain
}

// keptSessionsSQL uses session_pkey, event_pkey, rejection_session_id_idx, and takes no lock.
const keptSessionsSQL = `
select exists (select from session where session_id = any ($1) and erased_at is null) or exists (select from event where session_id = any ($1))
	or exists (select from rejection where session_id = any ($1))`

// allErasedSQL uses session_pkey.
const allErasedSQL = `select count(*) = cardinality($1::uuid[]) from session where session_id = any ($1) and erased_at is not null`

// hasStoredData reports whether anything is stored of sessions, including a text that names one.
func (s *ErasureStore) hasStoredData(ctx context.Context, sessions []uuid.UUID) (stored bool, err error) {
	if err := s.pool().QueryRow(ctx, keptSessionsSQL, uuidArray(sessions)).Scan(&stored); err != nil || stored {
		return stored, err
	}

	var erased bool // by an erasure that has searched the texts
	if err := s.pool().QueryRow(ctx, allErasedSQL, uuidArray(sessions)).Scan(&erased); err != nil || erased {
		return false, err
	}

	matcher := erasure.NewMatcher(sessions, nil)
	for after := (scanPosition{}); ; {
		texts, err := s.scanTexts(ctx, matcher, after)
		if err != nil || len(texts.matches) > 0 || texts.last == nil {
			return len(texts.matches) > 0, err
		}

		after = *texts.last
	}
}

// FindErasure implements erasure.Store.
func (s *ErasureStore) FindErasure(ctx context.Context, id uuid.UUID) (erasure.Erasure, error) {
	found, err := s.findErasure(ctx, findErasureSQL, id)
	if err == nil && found.State() == erasure.Finished {
		err = s.confirmDurable(ctx)
	}

	return found, translateError(err, "read an erasure")
}

// confirmDurable ends an empty transaction, before a client is answered, on the basis of what
// was read, that data is erased: the read may show a commit that did not wait for its full
// durability.
func (s *ErasureStore) confirmDurable(ctx context.Context) error {
	return s.db.retryTransaction(ctx, func(pgx.Tx) error { return nil })
}

func (s *ErasureStore) findErasure(ctx context.Context, sql string, args ...any) (erasure.Erasure, error) {
	var row erasureState
	err := row.scanRow(s.pool().QueryRow(ctx, sql, args...))
	return row.Erasure, err
}

// ReadBacklog implements erasure.Store.
func (s *ErasureStore) ReadBacklog(ctx context.Context) (found erasure.Backlog, err error) {
	var seconds float64
	err = s.pool().QueryRow(ctx, backlogSQL).Scan(&found.Unfinished, &seconds)
	found.Oldest = time.Duration(seconds * float64(time.Second))
	return found, translateError(err, "look for unfinished erasures")
}

// ClaimErasure implements erasure.Store.
func (s *ErasureStore) ClaimErasure(ctx context.Context, lease time.Duration, only uuid.NullUUID) (erasure.Task, error) {
	t := &erasureTask{store: s, lease: lease, leaseID: uuid.New()}
	err := t.state.scanRow(s.pool().QueryRow(ctx, claimSQL, t.leaseID, lease.Seconds(), only))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is not an error
	}

	if err != nil {
		return nil, translateError(err, "take up an erasure")
	}

	wanted, err := s.expandValues(ctx, t.state.Values)
	if err != nil {
		return nil, errors.Join(translateError(err, "take up an erasure"), t.ReleaseLease(ctx))
	}

	t.matcher = erasure.NewMatcher(t.state.SessionIDs, wanted)
	return t, nil
}

// expandValues returns the values in every form in which they may be stored: as sent, and
// hashed.
func (s *ErasureStore) expandValues(ctx context.Context, values []erasure.Value) ([]erasure.SearchValue, error) {
	if len(values) == 0 {
		return nil, nil
	}

	var revision int64
	var key []byte
	if err := s.pool().QueryRow(ctx, hashKeySQL).Scan(&revision, &key); err != nil {
		return nil, err
	}

	wanted := make([]erasure.SearchValue, len(values))
	for i, v := range values {
		wanted[i] = erasure.SearchValue{Steps: v.Steps, Texts: append([]string{v.Text}, eventtype.HashedForms(v.Text, key)...)}
	}

	return wanted, nil
}

// scanPosition is a position in the order of time and id.
type scanPosition struct {
	at time.Time
	id uuid.UUID
}

// erasureState is a row of the table erasure.
type erasureState struct {
	erasure.Erasure

	// sessionIndex is the index of the session that is being erased.
	sessionIndex int
	// scan is the position of a scan; transaction belongs to it during the search for late
	// events.
	scan        scanPosition
	transaction int64
	// lastTransaction bounds the transactions of late events.
	lastTransaction int64
	// lateAfter is when the last replay that had read a text before its erasure has ended.
	lateAfter time.Time
	// sessionCounts counts what was erased of the session that is being erased.
	sessionCounts erasure.Counts
}

// scanRow reads the columns of erasureColumns.
func (s *erasureState) scanRow(row pgx.Row) error {
	e := &s.Erasure
	var filter *string
	var started, finished, until, scanAt, lateAfter *time.Time
	var scanID uuid.NullUUID
	err := row.Scan(&e.ID, &e.SessionIDs, &e.Paths, &filter, &e.FilterDigest, &e.Actor.Name, &e.Actor.Application, &e.Actor.RequestID,
		&e.RequestedAt, &started, &finished, &until, &e.Step, &s.sessionIndex, &scanAt, &scanID, &s.transaction, &s.lastTransaction, &lateAfter,
		&e.Scanned, &e.Sessions, &e.Events, &e.Rejections, &s.sessionCounts.Sessions, &s.sessionCounts.Events, &s.sessionCounts.Rejections, &e.Digest)
	if err != nil {
		return err
	}

	e.StartedAt = timeOrZero(started)
	e.FinishedAt = timeOrZero(finished)
	e.ErasedUntil = timeOrZero(until)
	s.scan.at = timeOrZero(scanAt)
	s.scan.id = scanID.UUID
	s.lateAfter = timeOrZero(lateAfter)

	if filter == nil {
		return nil
	}

	var values []filterValue
	if err := json.Unmarshal([]byte(*filter), &values); err != nil {
		return fmt.Errorf("read the filter of an erasure: %w", err)
	}

	for _, v := range values {
		e.Values = append(e.Values, erasure.Value(v))
	}

	return nil
}

// timeOrZero returns the zero time for null.
func timeOrZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}

	return *at
}

// nullTime returns null for the zero time.
func nullTime(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}

	return &at
}
