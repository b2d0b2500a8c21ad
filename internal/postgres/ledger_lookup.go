package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

var _ ingest.Ledger = (*QueryStore)(nil)

// lookupSQL uses event_key_pkey, then one partition's event_timestamp_idx for each event, and
// takes no lock. Of an erased event only the id remains.
const lookupSQL = `
select k.event_id, e.event_id is null, coalesce(e.session_id, k.event_id), coalesce(e.sequence, 0), coalesce(e.category, ''), coalesce(e.name, ''), e.data,
	k."timestamp", coalesce(e.received_at, k."timestamp"),
	coalesce((select a.name from application a where a.application_id = e.application_id), ''), e.event_type_version, e.violations
from event_key k
left join lateral (
	select e.event_id, e.session_id, e.sequence, e.category, e.name, e.data, e.received_at, e.application_id, e.event_type_version, e.violations
	from event e where e."timestamp" = k."timestamp" and e.event_id = k.event_id offset 0
) e on true`

// Lookup implements ingest.Ledger.
func (s *QueryStore) Lookup(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]ingest.LedgerEntry, error) {
	q := newStatement(lookupSQL)
	q.where("k.event_id = any(?)", ids)
	found := make(map[uuid.UUID]ingest.LedgerEntry, len(ids))
	err := listRows(ctx, s, s.prepared, q, scanLedgerEntry, func(k ingest.LedgerEntry) bool {
		found[k.Stored.ID] = k
		return true
	})
	return found, err
}

// scanLedgerEntry reads a row of lookupSQL.
func scanLedgerEntry(row pgx.Row) (k ingest.LedgerEntry, err error) {
	e := &k.Stored
	err = row.Scan(&e.ID, &k.Erased, &e.SessionID, &e.Sequence, &e.Category, &e.Name, &e.Data, &e.Timestamp, &e.ReceivedAt, &e.Application, &e.TypeVersion, &e.Violations)
	if err == nil && !k.Erased {
		e.Data = event.ShortenNumbers(e.Data)
		k.Digest = e.Digest()
	}

	e.Data = nil
	return k, err
}
