package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
)

// The bounds of a scan of payloads: the number that one statement reads, and the number that one
// transaction erases, of which each event may be of another session.
const (
	eventsPerScan  = 2000
	matchesPerStep = 250
)

// The parts of the statements that search payloads. They take no lock. The first walks
// event_timestamp_idx from a position on; the second walks event_transaction_id_idx, in the
// order of transactions, over the events stored or changed since.
const (
	selectPayloadsSQL = `
with part as materialized (select e."timestamp", e.event_id, e.session_id, e.transaction_id, `
	afterPayloadSQL = ` as fits from event e
	where e."timestamp" >= $1 and (e."timestamp", e.event_id) > ($1, $2)
	order by e."timestamp", e.event_id limit $3),
places as (select p.*, row_number() over (order by "timestamp", event_id) as place, count(*) over () as read from part p)` + fittingSQL
	latePayloadSQL = ` as fits from event e
	where e.transaction_id >= $4 and e.transaction_id < $5 and (e.transaction_id, e."timestamp", e.event_id) > ($4, $1, $2)
	order by e.transaction_id, e."timestamp", e.event_id limit $3),
places as (select p.*, row_number() over (order by transaction_id, "timestamp", event_id) as place, count(*) over () as read from part p)` + fittingSQL
	fittingSQL = `
select "timestamp", event_id, session_id, transaction_id, fits, place from places where fits or place = read order by place`

	payloadHolds = `coalesce(e.data #>> ?::text[] = any (?::text[]), false)`
)

// payloadMatch is an event that matches.
type payloadMatch struct {
	scanPosition

	session     uuid.UUID
	transaction int64
	// place is the number of events read up to this one.
	place int64
}

// foundEvents is the result of a scan of payloads.
type foundEvents struct {
	matches []payloadMatch
	// last is the last event that was read; nil for none.
	last *payloadMatch
}

// scanPayloadsAfter searches some payloads after a position, in the order of time.
func (s *ErasureStore) scanPayloadsAfter(ctx context.Context, wanted []erasure.SearchValue, after scanPosition) (foundEvents, error) {
	q := newStatement(selectPayloadsSQL)
	q.args = []any{after.at, after.id, eventsPerScan}
	return s.runPayloadScan(ctx, q, wanted, afterPayloadSQL)
}

// scanPayloadsUntilMatch searches the payloads after the position of a state until some match,
// or until one step has read enough. It stays in the month in which it begins, since the next
// month may have indexes.
func (t *erasureTask) scanPayloadsUntilMatch(ctx context.Context) (all foundEvents, err error) {
	after := t.state.scan
	for range scansPerStep {
		found, err := t.store.scanPayloadsAfter(ctx, t.matcher.SearchValues(), after)
		if err != nil || found.last == nil {
			return all, err
		}

		if all.last != nil {
			found.last.place += all.last.place
		}

		all = found
		if len(found.matches) > 0 || monthOf(found.last.at) != monthOf(after.at) {
			break
		}

		after = found.last.scanPosition
	}

	return all, nil
}

// scanLatePayloads searches some payloads after the position of a state, in the order of
// transactions.
func (t *erasureTask) scanLatePayloads(ctx context.Context) (foundEvents, error) {
	q := newStatement(selectPayloadsSQL)
	q.args = []any{t.state.scan.at, t.state.scan.id, eventsPerScan, t.state.transaction, t.state.lastTransaction}
	return t.store.runPayloadScan(ctx, q, t.matcher.SearchValues(), latePayloadSQL)
}

func (s *ErasureStore) runPayloadScan(ctx context.Context, q *statement, wanted []erasure.SearchValue, order string) (found foundEvents, err error) {
	q.wherePayloadHolds(wanted)
	q.sql.WriteString(order)
	rows, err := s.pool().Query(ctx, q.sql.String(), append([]any{s.reads.mode}, q.args...)...)
	if err != nil {
		return found, err
	}
	defer rows.Close()

	for rows.Next() && len(found.matches) < matchesPerStep { // the next step finds the rest again
		var m payloadMatch
		var fits bool
		if err := rows.Scan(&m.at, &m.id, &m.session, &m.transaction, &fits, &m.place); err != nil {
			return found, err
		}

		found.last = &m
		if fits {
			found.matches = append(found.matches, m)
		}
	}

	rows.Close()
	return found, rows.Err()
}

// wherePayloadHolds adds the condition that a payload holds all values.
func (s *statement) wherePayloadHolds(wanted []erasure.SearchValue) {
	s.conjunction = ""
	for _, w := range wanted {
		s.where(payloadHolds, w.Steps, w.Texts)
		s.conjunction = " and "
	}
}

// eraseEvents searches some payloads and erases the events that match. A partition whose types
// all have an index of a path is searched by index.
func (t *erasureTask) eraseEvents(ctx context.Context) error {
	if at := t.state.scan.at; !at.IsZero() {
		m := monthOf(at)
		paths, err := t.cachedIndexes(ctx, m)
		if err != nil {
			return err
		}

		if len(paths) > 0 {
			return t.eraseEventsByIndex(ctx, m, paths)
		}
	}

	found, err := t.scanPayloadsUntilMatch(ctx)
	if err != nil {
		return err
	}

	return t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		if err := t.eraseMatches(ctx, tx, next, found.matches); err != nil {
			return err
		}

		if found.last == nil {
			next.advanceTo(erasure.Late)
			return nil
		}

		next.Scanned += found.last.place
		next.scan = found.last.scanPosition
		return nil
	})
}

// latestSQL reads no table: every transaction that has ended has a number below the first
// column.
const latestSQL = `select pg_snapshot_xmax(pg_current_snapshot())::text::bigint, clock_timestamp()`

// eraseLateEvents searches the events stored or changed since the search of payloads began. It
// covers the time up to its own beginning.
func (t *erasureTask) eraseLateEvents(ctx context.Context) (erasure.Outcome, error) {
	if len(t.state.Paths) == 0 {
		return erasure.More, t.beginLateErrors(ctx)
	}

	if t.state.lastTransaction == 0 {
		return t.beginLate(ctx)
	}

	found, err := t.scanLatePayloads(ctx)
	if err != nil {
		return erasure.More, err
	}

	if found.last == nil {
		return erasure.More, t.beginLateErrors(ctx)
	}

	err = t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		if err := t.eraseMatches(ctx, tx, next, found.matches); err != nil {
			return err
		}

		next.Scanned += found.last.place
		next.scan = found.last.scanPosition
		next.transaction = found.last.transaction
		return nil
	})
	return erasure.More, err
}

// beginLate fixes the range of the last pass, once the replays that hold erased texts have
// ended.
func (t *erasureTask) beginLate(ctx context.Context) (erasure.Outcome, error) {
	outcome := erasure.More
	var until time.Time
	err := t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		var last int64
		var now time.Time
		if err := tx.QueryRow(ctx, latestSQL).Scan(&last, &now); err != nil {
			return err
		}

		if next.lateAfter.After(now) {
			outcome = erasure.Later
			until = next.lateAfter
			return nil
		}

		if next.transaction > last { // the numbers are of another cluster: search all events again
			next.transaction = 0
		}

		next.lastTransaction = last
		next.ErasedUntil = now
		return nil
	})
	if err == nil && outcome == erasure.Later {
		err = t.releaseUntil(ctx, until)
	}

	return outcome, err
}

// The statements that erase single events of many sessions. The sessions are locked.
const (
	// eraseMatchesSQL uses a partition's event_timestamp_idx and event_amendment_pkey. An event
	// that was moved or changed in the meantime is left for the last pass.
	eraseMatchesSQL = `
with gone as (delete from event e using unnest($1::timestamptz[], $2::uuid[], $3::uuid[]) as n ("timestamp", event_id, session_id)
	where e."timestamp" = n."timestamp" and e.event_id = n.event_id and e.session_id = n.session_id and `
	markMatchesSQL = ` returning e.event_id, e.session_id, e."timestamp"),
	marks as (insert into event_amendment (event_id, session_id, "timestamp", erased_at) select event_id, session_id, "timestamp", now() from gone` + markErasedSQL + `)
select event_id, session_id from gone`
	// shrinkSQL recomputes a session's row from the events that are left, unless the row marks
	// an erasure.
	shrinkSQL = resetSessionSQL + ` and s.erased_at is null`
	// emptiedSQL uses session_pkey.
	emptiedSQL = `select count(*) from session where session_id = any ($1) and event_count = 0 and erased_at is null`
)

// eraseMatches erases events that still match, and recomputes the rows of their sessions.
func (t *erasureTask) eraseMatches(ctx context.Context, tx pgx.Tx, next *erasureState, matches []payloadMatch) error {
	if len(matches) == 0 {
		return nil
	}

	times := make([]time.Time, len(matches))
	ids := make([][16]byte, len(matches))
	sessions := make([][16]byte, len(matches))
	for i, m := range matches {
		times[i] = m.at
		ids[i] = m.id
		sessions[i] = m.session
	}

	if _, err := collectRows(ctx, tx, pgx.RowTo[uuid.UUID], lockSessionsSQL, sessions); err != nil {
		return err
	}

	q := newStatement(eraseMatchesSQL)
	q.args = []any{times, ids, sessions}
	q.wherePayloadHolds(t.matcher.SearchValues())
	q.sql.WriteString(markMatchesSQL)
	rows, err := tx.Query(ctx, q.sql.String(), append([]any{t.store.reads.mode}, q.args...)...) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return err
	}

	var erased []uuid.UUID
	lost := map[uuid.UUID]int64{}
	var id, session uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &session}, func() error {
		erased = append(erased, id)
		lost[session]++
		return nil
	})
	if err != nil || len(erased) == 0 {
		return err
	}

	next.countErased(erased, nil)
	return next.shrinkSessions(ctx, tx, lost)
}

// shrinkSessions recomputes the rows of sessions that lost events.
func (s *erasureState) shrinkSessions(ctx context.Context, tx pgx.Tx, lost map[uuid.UUID]int64) error {
	batch := &pgx.Batch{}
	touched := make([][16]byte, 0, len(lost))
	for session, n := range lost {
		touched = append(touched, session)
		batch.Queue(shrinkSQL, session, -n)
	}

	var emptied int64
	batch.Queue(emptiedSQL, touched).QueryRow(func(row pgx.Row) error { return row.Scan(&emptied) })
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}

	s.Sessions += emptied
	return nil
}
