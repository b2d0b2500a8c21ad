package apptest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// brokenSessionsSQL finds sessions whose row is not what their events make of it.
const brokenSessionsSQL = `
select 'session ' || coalesce(s.session_id, e.session_id) || ' has ' || coalesce(to_json(s)::text, 'no row') || ' and its events ' || coalesce(to_json(e)::text, 'are none')
from (select * from session where event_count > 0) s full join (
	select session_id, count(*) as events, count(distinct sequence) as places, min(sequence) as first, max(sequence) as last,
		min("timestamp") as started_at, max("timestamp") as last_event_at, array_agg(distinct application_id order by application_id) as application_ids
	from event group by session_id) e using (session_id)
where s.session_id is null or e.session_id is null or s.event_count <> e.events or e.places <> e.events or e.last > s.last_sequence
	or s.started_at <> e.started_at or s.last_event_at <> e.last_event_at or s.application_ids <> e.application_ids`

// brokenLedgerSQL finds ids that the ledger and the events do not agree on. The
// ledger keeps the ids of events that were erased singly.
const brokenLedgerSQL = `
select 'id ' || coalesce(k.event_id, e.event_id) || ' is in the ledger as ' || coalesce(to_json(k)::text, 'nothing') || ' and an event as ' || coalesce(to_json(e)::text, 'nothing')
from event_key k full join (select event_id, "timestamp" from event) e using (event_id)
left join event_amendment a on a.event_id = k.event_id and a.erased_at is not null
where k.event_id is null or k."timestamp" <> coalesce(e."timestamp", case when a.event_id is null then '-infinity' else k."timestamp" end)`

// gapsSQL finds sessions whose sequences are not 1 to n.
const gapsSQL = `
select 'session ' || e.session_id || ' has ' || count(*) || ' events at ' || min(e.sequence) || ' to ' || max(e.sequence) || ' and ends at ' || s.last_sequence
from event e join session s using (session_id)
group by e.session_id, s.last_sequence
having min(e.sequence) <> 1 or max(e.sequence) <> count(*) or s.last_sequence <> count(*)`

// Contradictions returns where the tables contradict one another: sessions, their
// events, and the ledger.
func Contradictions(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	return complaints(ctx, pool, brokenSessionsSQL, brokenLedgerSQL)
}

// Gaps returns the sessions in which not every number from 1 on is taken. Only
// erasures and moves may leave one.
func Gaps(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	return complaints(ctx, pool, gapsSQL)
}

func complaints(ctx context.Context, pool *pgxpool.Pool, statements ...string) (found []string, err error) {
	const enough = 20
	for _, statement := range statements {
		rows, err := pool.Query(ctx, fmt.Sprintf("%s limit %d", statement, enough))
		if err != nil {
			return nil, err
		}
		some, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}
