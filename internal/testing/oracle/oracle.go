package oracle

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// MaxListed bounds the contradictions of one kind that are listed.
const MaxListed = 20

// Scope selects the sessions to check. The zero value selects all of them.
type Scope struct {
	// Suffix is the end of the text of the sessions' ids; an empty suffix selects every
	// session.
	Suffix string
	// From and To, both inclusive, span the timestamps of all events that the sessions
	// may have. They only keep the statements from reading other partitions: an event
	// of such a session outside of the span is reported as a contradiction. Zero values
	// do not bound.
	From, To time.Time
}

// Querier is a pool or a connection.
type Querier interface {
	Query(ctx context.Context, statement string, arguments ...any) (pgx.Rows, error)
}

// The parameters of a scope: $1 the suffix, $2 and $3 the span of time.
const (
	eventsInScope = `select session_id, sequence, "timestamp", application_id from event
	where ($1::text is null or right(session_id::text, length($1)) = $1)
		and ($2::timestamptz is null or "timestamp" >= $2) and ($3::timestamptz is null or "timestamp" <= $3)`
	sessionsInScope = `select session_id, last_sequence, event_count, started_at, last_event_at, application_ids from session
	where ($1::text is null or right(session_id::text, length($1)) = $1)
		and ($2::timestamptz is null or started_at >= $2) and ($3::timestamptz is null or started_at <= $3)`
)

// brokenSessionsSQL finds sessions whose row does not match their events.
const brokenSessionsSQL = `
with events as (` + eventsInScope + `), sessions as (` + sessionsInScope + `)
select 'session ' || coalesce(s.session_id, e.session_id) || ' has ' || coalesce(to_json(s)::text, 'no row') || ' and its events ' || coalesce(to_json(e)::text, 'are none')
from (select session_id, last_sequence, event_count, started_at, last_event_at, application_ids from sessions where event_count > 0) s full join (
	select session_id, count(*) as events, count(distinct sequence) as places, min(sequence) as first, max(sequence) as last,
		min("timestamp") as started_at, max("timestamp") as last_event_at, array_agg(distinct application_id order by application_id) as application_ids
	from events group by session_id) e using (session_id)
where s.session_id is null or e.session_id is null or s.event_count <> e.events or e.places <> e.events or e.last > s.last_sequence
	or s.started_at is distinct from e.started_at or s.last_event_at is distinct from e.last_event_at or s.application_ids is distinct from e.application_ids`

// gapsSQL finds sessions whose sequences are not 1 to n, apart from the numbers of
// erased events.
const gapsSQL = `
with events as (` + eventsInScope + `)
select 'session ' || e.session_id || ' has ' || count(*) || ' events at ' || min(e.sequence) || ' to ' || max(e.sequence) || ' and ends at ' || s.last_sequence
	|| case when coalesce(a.erased, 0) > 0 then ', of which ' || a.erased || ' were erased' else '' end
from events e join session s using (session_id)
left join (select session_id, count(*) as erased from event_amendment where erased_at is not null group by 1) a using (session_id)
group by e.session_id, s.last_sequence, a.erased
having s.last_sequence <> count(*) + coalesce(a.erased, 0) or max(e.sequence) > s.last_sequence or (a.erased is null and min(e.sequence) <> 1)`

// brokenLedgerSQL finds ids that the ledger and the events do not agree on. The ledger
// keeps the ids of events that were erased one by one.
const brokenLedgerSQL = `
select 'id ' || coalesce(k.event_id, e.event_id) || ' is in the ledger as ' || coalesce(to_json(k)::text, 'nothing') || ' and an event as ' || coalesce(to_json(e)::text, 'nothing')
from event_key k full join (select event_id, "timestamp" from event) e using (event_id)
left join event_amendment a on a.event_id = k.event_id and a.erased_at is not null
where k.event_id is null or k."timestamp" <> coalesce(e."timestamp", case when a.event_id is null then '-infinity' else k."timestamp" end)`

// miscountedRejectionsSQL finds hours of applications with more rejections than were
// counted. There may be fewer: rejections are erased with their sessions, and a commit
// that was retried counts twice.
const miscountedRejectionsSQL = `
select 'application ' || k.application_id || ' has ' || k.n || ' errors of ' || k.hour || ' and ' || coalesce(c.kept::text, 'none') || ' are counted as kept, ' || coalesce(c.refused::text, 'none') || ' as refused'
from (select application_id, date_trunc('hour', received_at, 'UTC') as hour, count(*) as n from rejection group by 1, 2) k
left join rejection_count c on c.application_id = k.application_id and c.hour = k.hour
where c.kept is null or c.kept < k.n or c.refused < c.kept`

// FindMiscountedRejections returns the hours of applications with rejections that were
// not counted.
func FindMiscountedRejections(ctx context.Context, q Querier) ([]string, error) {
	return querySentences(ctx, q, miscountedRejectionsSQL)
}

// FindBrokenSessions returns the sessions whose row does not match their events.
func FindBrokenSessions(ctx context.Context, q Querier, scope Scope) ([]string, error) {
	return querySentences(ctx, q, brokenSessionsSQL, scope.queryParameters()...)
}

// FindGaps returns the sessions in which some number from 1 on belongs to no event,
// stored or erased. Only moving an event may leave such a gap.
func FindGaps(ctx context.Context, q Querier, scope Scope) ([]string, error) {
	return querySentences(ctx, q, gapsSQL, scope.queryParameters()...)
}

// FindBrokenLedger returns the ids that the ledger and the events do not agree on.
func FindBrokenLedger(ctx context.Context, q Querier) ([]string, error) {
	return querySentences(ctx, q, brokenLedgerSQL)
}

func (s Scope) queryParameters() []any {
	parameters := make([]any, 3)
	if s.Suffix != "" {
		parameters[0] = s.Suffix
	}

	for i, at := range []time.Time{s.From, s.To} {
		if !at.IsZero() {
			parameters[i+1] = at
		}
	}

	return parameters
}

func querySentences(ctx context.Context, q Querier, statement string, arguments ...any) ([]string, error) {
	rows, err := q.Query(ctx, fmt.Sprintf("%s limit %d", statement, MaxListed), arguments...)
	if err != nil {
		return nil, fmt.Errorf("look for contradictions: %w", err)
	}

	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for contradictions: %w", err)
	}

	return found, nil
}
