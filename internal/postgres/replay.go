package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

// ReplayStore stores the outcomes of rejections that are replayed or discarded. It implements
// rejection.Store and is safe for concurrent use.
type ReplayStore struct {
	db    *DB
	reads *QueryStore
}

var _ rejection.Store = (*ReplayStore)(nil)

// NewReplayStore makes a store on a database whose schema is current.
func NewReplayStore(db *DB) *ReplayStore {
	reads := NewQueryStore(db)
	reads.usesChangePool = true
	return &ReplayStore{db: db, reads: reads}
}

// The conditions for replays, in addition to those of lists.
const (
	rejectionOpen     = "r.status = 'open'"
	rejectionUnleased = "(r.leased_until is null or r.leased_until < now())"
	rejectionAfter    = "(r.received_at, r.rejection_id) > (?, ?)"
	oldestFirst       = " order by r.received_at, r.rejection_id limit "
	// rejectionNamed reads each named rejection by rejection_pkey, as rejectionByIDSQL does.
	rejectionNamed = " join unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as w (id, low, high) on r.rejection_id = w.id and r.received_at between w.low and w.high"
)

// whereSelected adds the source and the conditions of a filter: rejection_pkey in its
// order, or rejection_session_id_idx for one session.
func (s *statement) whereSelected(f *rejection.Filter) {
	if f.IDs != nil {
		const before, after = 10 * time.Minute, time.Minute
		ids := make([][16]byte, len(f.IDs))
		lows := make([]time.Time, len(f.IDs))
		highs := make([]time.Time, len(f.IDs))
		for i, id := range f.IDs {
			made := time.Unix(id.Time().UnixTime())
			ids[i] = id
			lows[i] = made.Add(-before)
			highs[i] = made.Add(after)
		}

		s.sql.WriteString(rejectionNamed)
		s.args = []any{ids, lows, highs}
	}

	s.where(rejectionOpen)
	s.whereIf(f.Code != "", rejectionCode, f.Code)
	s.whereIf(f.Application != "", rejectionApplication, f.Application)
	s.whereIf(f.Category != "", rejectionCategory, f.Category)
	s.whereIf(f.Name != "", rejectionName, f.Name)
	s.whereIf(f.SessionID.Valid, rejectionSession, f.SessionID.UUID)
	s.whereIf(!f.From.IsZero(), rejectionFrom, f.From)
	s.whereIf(!f.To.IsZero(), rejectionTo, f.To)
}

// whereUnleased adds the conditions for what a run may lease after a position, and the limit.
func (s *statement) whereUnleased(f *rejection.Filter, after rejection.Position, limit int) {
	s.whereSelected(f)
	s.where(rejectionUnleased)
	if !after.ReceivedAt.IsZero() {
		s.where(rejectionAfter, after.ReceivedAt, after.ID)
	}

	s.orderBy(oldestFirst, limit)
}

// CountOpen implements rejection.Store.
func (s *ReplayStore) CountOpen(ctx context.Context, f rejection.Filter) (n int64, err error) {
	q := newStatement("select count(*) from rejection r")
	q.whereSelected(&f)
	err = listRows(ctx, s.reads, s.reads.mode, q, func(row pgx.Row) (n int64, err error) {
		err = row.Scan(&n)
		return n, err
	}, func(found int64) bool {
		n = found
		return true
	})
	return n, err
}

const replayColumns = `r.rejection_id, r.received_at, r.application_id, coalesce((select a.name from application a where a.application_id = r.application_id), ''), r.request_id, r.trace_id, r.raw, r.raw_size`

// ReadOpen implements rejection.Store. It takes no lock.
func (s *ReplayStore) ReadOpen(ctx context.Context, f rejection.Filter, after rejection.Position, limit int) ([]rejection.DeadLetter, error) {
	q := newStatement("select " + replayColumns + " from rejection r")
	q.whereUnleased(&f, after, limit)
	return s.listRejections(ctx, q)
}

// The parts of the statement that leases rejections. It locks the rows of one run in the order
// of receipt, skips locked rows, and releases its locks when it ends: only the lease lasts while
// the events go through ingest.
const (
	leaseSQL  = "with free as (select r.rejection_id, r.received_at from rejection r"
	leasedSQL = ` for update of r skip locked), leased as (
	update rejection r set leased_until = now() + interval '1 minute' from free
	where r.received_at = free.received_at and r.rejection_id = free.rejection_id
	returning r.*)
select ` + replayColumns + ` from leased r order by r.received_at, r.rejection_id`
)

// ClaimOpen implements rejection.Store.
func (s *ReplayStore) ClaimOpen(ctx context.Context, f rejection.Filter, after rejection.Position, limit int) ([]rejection.DeadLetter, error) {
	q := newStatement(leaseSQL)
	q.whereUnleased(&f, after, limit)
	q.sql.WriteString(leasedSQL)
	return s.listRejections(ctx, q)
}

func (s *ReplayStore) listRejections(ctx context.Context, q *statement) (found []rejection.DeadLetter, err error) {
	err = listRows(ctx, s.reads, s.reads.mode, q, func(row pgx.Row) (k rejection.DeadLetter, err error) {
		var application int32
		var trace uuid.NullUUID
		err = row.Scan(&k.ID, &k.ReceivedAt, &application, &k.ApplicationName, &k.RequestID, &trace, &k.Raw, &k.RawSize)
		k.Application = event.ApplicationID(application)
		k.TraceID = trace.UUID
		return k, err
	}, func(k rejection.DeadLetter) bool {
		found = append(found, k)
		return true
	})
	return found, err
}

// settleSQL locks rows by rejection_pkey. Rejections that another run closed stay as they are.
const settleSQL = `
update rejection r set status = case when n.outcome = 'rejected' then r.status else 'replayed' end,
	outcome = n.outcome, outcome_event_id = n.event_id, outcome_errors = n.errors, replayed_at = now(), leased_until = null
from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::jsonb[]) as n (rejection_id, received_at, outcome, event_id, errors)
where r.received_at = n.received_at and r.rejection_id = n.rejection_id and r.status = 'open'`

// releaseSQL locks rows by rejection_pkey.
const releaseSQL = `
update rejection r set leased_until = null
from unnest($1::uuid[], $2::timestamptz[]) as n (rejection_id, received_at)
where r.received_at = n.received_at and r.rejection_id = n.rejection_id and r.status = 'open'`

// SettleOutcomes implements rejection.Store.
func (s *ReplayStore) SettleOutcomes(ctx context.Context, target string, outcomes []rejection.Outcome) error {
	err := s.db.retryTransaction(ctx, func(tx pgx.Tx) error {
		// A batch remembers the statements of its connection: each attempt needs its own.
		batch, totals, err := newSettleBatch(outcomes)
		if err != nil {
			return err
		}

		if err := tx.SendBatch(ctx, batch).Close(); err != nil || totals == (replayTotals{}) {
			return err
		}

		return recordAudit(ctx, tx, audit.ErrorsReplayed, target, totals)
	})
	return translateError(err, "record the outcome of a replay")
}

// replayTotals is the detail of the audit entry for a part of a replay.
type replayTotals struct {
	Stored     int `json:"stored"`
	Duplicates int `json:"duplicates"`
	Rejected   int `json:"rejected"`
}

func newSettleBatch(outcomes []rejection.Outcome) (batch *pgx.Batch, totals replayTotals, err error) {
	var settled, released struct {
		ids   [][16]byte
		times []time.Time
	}
	var statuses []string
	var events []*[16]byte
	var errs []*string
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == "" {
			released.ids = append(released.ids, o.ID)
			released.times = append(released.times, o.ReceivedAt)
			continue
		}

		var violations *string
		stored := (*[16]byte)(&o.EventID)
		switch o.Status {
		case rejection.Stored:
			totals.Stored++
		case rejection.Duplicate:
			totals.Duplicates++
		case rejection.Rejected:
			totals.Rejected++
			text, err := json.Marshal(o.Violations)
			if err != nil {
				return nil, totals, err
			}

			violations = new(string(text))
			stored = nil
		}

		settled.ids = append(settled.ids, o.ID)
		settled.times = append(settled.times, o.ReceivedAt)
		statuses = append(statuses, string(o.Status))
		events = append(events, stored)
		errs = append(errs, violations)
	}

	batch = &pgx.Batch{}
	if len(settled.ids) > 0 {
		batch.Queue(settleSQL, settled.ids, settled.times, statuses, events, errs)
	}

	if len(released.ids) > 0 {
		batch.Queue(releaseSQL, released.ids, released.times)
	}

	return batch, totals, nil
}

// discardedSQL ends the statement that discards, which begins like the one that leases: it locks
// the rows that it closes, in the order of receipt, and skips locked rows.
const discardedSQL = ` for update of r skip locked)
update rejection r set status = 'discarded', leased_until = null from free
where r.received_at = free.received_at and r.rejection_id = free.rejection_id
returning r.received_at, r.rejection_id`

// DiscardOpen implements rejection.Store.
func (s *ReplayStore) DiscardOpen(ctx context.Context, target string, f rejection.Filter, after rejection.Position, limit int) (n int, last rejection.Position, err error) {
	q := newStatement(leaseSQL)
	q.whereUnleased(&f, after, limit)
	q.sql.WriteString(discardedSQL)
	err = s.db.retryTransaction(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, q.sql.String(), append([]any{s.reads.mode}, q.args...)...)
		if err != nil {
			return err
		}

		closed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rejection.Position])
		if n = len(closed); err != nil || n == 0 {
			return err
		}

		last = slices.MaxFunc(closed, func(a, b rejection.Position) int {
			return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), bytes.Compare(a.ID[:], b.ID[:]))
		})
		return recordAudit(ctx, tx, audit.ErrorsDiscarded, target, map[string]int{"discarded": n})
	})
	if err != nil {
		return 0, after, translateError(err, "discard rejections")
	}

	return n, last, nil
}
