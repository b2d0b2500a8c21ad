package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

var _ query.ChangeStore = (*QueryStore)(nil)

// historyColumns identify one history of the cluster; any role may read them. The name of a file
// of the write-ahead log begins with the timeline; the control file has a new timeline only
// after the first checkpoint that follows a promotion.
const historyColumns = `(select system_identifier from pg_control_system()), pg_postmaster_start_time(),
	case when pg_is_in_recovery() then 0 else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint end`

// watermarkSQL looks at both ends of event_transaction_id_idx, at the running transactions and
// at the history, and takes no lock. Every transaction that was committed before the oldest
// running one began has a lower number. That running transaction may have ended since the
// snapshot, or belong to a role whose times are hidden: then the time is unknown.
const watermarkSQL = `
select w.xmin, coalesce((select min(transaction_id) from event), w.xmin), coalesce((select max(transaction_id) from event), 0) >= w.xmax,
	w.xmax, ` + historyColumns + `,
	case when w.xmin = w.xmax then statement_timestamp()
		else (select min(a.xact_start) from pg_stat_activity a where a.backend_xid = (w.xmin & 4294967295)::text::xid) end
from (select pg_snapshot_xmin(s)::text::bigint as xmin, pg_snapshot_xmax(s)::text::bigint as xmax from pg_current_snapshot() s) w`

// Watermark implements query.ChangeStore.
func (s *QueryStore) Watermark(ctx context.Context) (query.Watermark, error) {
	var foreign bool
	mark, err := readRow(ctx, s, "find the oldest transaction", func(row pgx.Row) (m query.Watermark, err error) {
		var until *time.Time
		err = row.Scan(&m.Before, &m.First, &foreign, &m.Next, &m.History.System, &m.History.Started, &m.History.Timeline, &until)
		m.History.Started = m.History.Started.UTC()
		if err == nil && until != nil {
			m.CompleteUntil = until.UTC()
		}

		return m, err
	}, watermarkSQL)
	if err == nil && foreign {
		return mark, fault.NewUnavailable(nil, fault.CodeUnavailable, "the events came from another database cluster, by a restored dump, and their transactions "+
			"are not of this one: an operator has to renumber them first; see docs/analytics.md", time.Minute)
	}

	return mark, err
}

// History implements query.ChangeStore.
func (s *QueryStore) History(ctx context.Context) (query.History, error) {
	return readRow(ctx, s, "read the history", func(row pgx.Row) (h query.History, err error) {
		err = row.Scan(&h.System, &h.Started, &h.Timeline)
		h.Started = h.Started.UTC()
		return h, err
	}, "select "+historyColumns)
}

// selectChangesSQL returns payloads only of the events that the filter selects.
const (
	selectChangesSQL = `
select e.transaction_id, w.wanted, e.event_id, e.session_id, e.sequence, e.category, e.name, case when w.wanted then e.data end, e."timestamp", e.received_at, e.application_id,
	(select a.name from application a where a.application_id = e.application_id), e.event_type_version, case when w.wanted then e.violations end
from event e cross join lateral (select `
	// An application that does not exist selects nothing: null becomes false.
	fromChangesSQL = `, false) as wanted) w`
	// changesSQL reads event_transaction_id_idx in its order; the events of each transaction, at
	// most one group, are sorted on the way.
	changesSQL = ` where e.transaction_id >= $1 and e.transaction_id < $2 and (e.transaction_id, e."timestamp", e.event_id) > ($1, $3, $4)
order by e.transaction_id, e."timestamp", e.event_id limit $5`
	// unnumberedChangesSQL reads event_timestamp_idx in its order whatever the transactions are,
	// because the number of events without a transaction is unknown.
	unnumberedChangesSQL = ` where e."timestamp" >= $3 and (e."timestamp", e.event_id) > ($3, $4) and $1::bigint = 0 and $2::bigint > 0
order by e."timestamp", e.event_id limit $5`
)

// Changes implements query.ChangeStore.
func (s *QueryStore) Changes(ctx context.Context, f query.ChangeFilter, after query.ChangePosition, before int64, limit int, yield func(query.Change) bool) error {
	q := newStatement(selectChangesSQL)
	q.args = []any{after.Transaction, before, after.At, after.ID, limit}
	q.conjunction = "" // the first condition does not begin a where clause
	unnumbered := after.Transaction == 0
	if unnumbered {
		q.where("coalesce(e.transaction_id = 0")
	} else {
		q.where("coalesce(true")
	}

	q.whereIf(f.Category != "", eventCategory, f.Category)
	q.whereIf(f.Name != "", eventName, f.Name)
	q.whereIf(f.Application != "", eventApplication, f.Application)
	q.sql.WriteString(fromChangesSQL)
	if unnumbered {
		q.sql.WriteString(unnumberedChangesSQL)
	} else {
		q.sql.WriteString(changesSQL)
	}

	return listRows(ctx, s, s.mode, q, func(row pgx.Row) (c query.Change, err error) {
		e := &c.Event
		err = row.Scan(&c.Position.Transaction, &c.Wanted, &e.ID, &e.SessionID, &e.Sequence, &e.Category, &e.Name, &e.Data, &e.Timestamp, &e.ReceivedAt,
			&e.ApplicationID, &e.Application, &e.TypeVersion, &e.Violations)
		if unnumbered {
			c.Position.Transaction = 0
		}

		e.Data = event.ShortenNumbers(e.Data)
		c.Position.At, c.Position.ID = e.Timestamp, e.ID
		return c, err
	}, yield)
}

// eventsOfSQL uses event_transaction_id_idx. One transaction stored at most one group.
const eventsOfSQL = "select e.event_id, e.received_at from event e where e.transaction_id = $1"

// EventsOf implements query.ChangeStore.
func (s *QueryStore) EventsOf(ctx context.Context, transaction int64, yield func(id uuid.UUID, receivedAt time.Time) bool) error {
	type stored struct {
		id         uuid.UUID
		receivedAt time.Time
	}
	q := newStatement(eventsOfSQL)
	q.args = []any{transaction}
	return listRows(ctx, s, s.prepared, q, func(row pgx.Row) (k stored, err error) {
		err = row.Scan(&k.id, &k.receivedAt)
		return k, err
	}, func(k stored) bool { return yield(k.id, k.receivedAt) })
}
