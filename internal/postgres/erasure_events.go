package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
)

// The bounds of a scan of payloads: what one statement reads, and what one transaction
// erases, of which each event may be of another session.
const (
	eventsPerScan  = 2000
	matchesPerStep = 250
)

// The parts of the statements that look through payloads. They take no lock. The first
// walks event_timestamp_idx from a place on; the second event_transaction_id_idx, in the
// order of transactions, over what was stored or changed since.
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

// payloadMatch is an event that fits.
type payloadMatch struct {
	scanPosition

	session     uuid.UUID
	transaction int64
	// place is how many were read up to here.
	place int64
}

// foundEvents is what a scan of payloads found.
type foundEvents struct {
	fits []payloadMatch
	// last is the last one that was read; nil for none.
	last *payloadMatch
}

// payloads looks through some payloads behind a place, in the order of time.
func (s *ErasureStore) payloads(ctx context.Context, wanted []erasure.Wanted, after scanPosition) (foundEvents, error) {
	q := newStatement(selectPayloadsSQL)
	q.args = []any{after.at, after.id, eventsPerScan}
	return s.scanPayloads(ctx, q, wanted, afterPayloadSQL)
}

// manyPayloads looks through the payloads behind the place of a state until some fit, or it
// is enough for one step. It stays in the month in which it begins, since the next may have
// indexes.
func (t *erasureTask) manyPayloads(ctx context.Context) (all foundEvents, err error) {
	after := t.state.scan
	for range scansPerStep {
		found, err := t.store.payloads(ctx, t.matcher.Wanted(), after)
		if err != nil || found.last == nil {
			return all, err
		}
		if all.last != nil {
			found.last.place += all.last.place
		}
		all = found
		if len(found.fits) > 0 || monthOf(found.last.at) != monthOf(after.at) {
			break
		}
		after = found.last.scanPosition
	}
	return all, nil
}

// latePayloads looks through some payloads behind the place of a state, in the order of
// transactions.
func (t *erasureTask) latePayloads(ctx context.Context) (foundEvents, error) {
	q := newStatement(selectPayloadsSQL)
	q.args = []any{t.state.scan.at, t.state.scan.id, eventsPerScan, t.state.transaction, t.state.last}
	return t.store.scanPayloads(ctx, q, t.matcher.Wanted(), latePayloadSQL)
}

func (s *ErasureStore) scanPayloads(ctx context.Context, q *statement, wanted []erasure.Wanted, order string) (found foundEvents, err error) {
	q.wherePayloadHolds(wanted)
	q.sql.WriteString(order)
	rows, err := s.pool().Query(ctx, q.sql.String(), append([]any{s.reads.mode}, q.args...)...)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	for rows.Next() && len(found.fits) < matchesPerStep { // the rest is found again by the next step
		var m payloadMatch
		var fits bool
		if err := rows.Scan(&m.at, &m.id, &m.session, &m.transaction, &fits, &m.place); err != nil {
			return found, err
		}
		found.last = &m
		if fits {
			found.fits = append(found.fits, m)
		}
	}
	rows.Close()
	return found, rows.Err()
}

// wherePayloadHolds adds the condition that a payload holds all values.
func (s *statement) wherePayloadHolds(wanted []erasure.Wanted) {
	s.word = ""
	for _, w := range wanted {
		s.where(payloadHolds, w.Steps, w.Texts)
		s.word = " and "
	}
}

// events looks through some payloads and erases the events that fit. A partition whose
// types all have an index of a path is searched by these.
func (t *erasureTask) events(ctx context.Context) error {
	if at := t.state.scan.at; !at.IsZero() {
		m := monthOf(at)
		paths, err := t.indexed(ctx, m)
		if err != nil {
			return err
		}
		if len(paths) > 0 {
			return t.eventsByIndex(ctx, m, paths)
		}
	}
	found, err := t.manyPayloads(ctx)
	if err != nil {
		return err
	}
	return t.step(ctx, func(tx pgx.Tx, next *erasureState) error {
		if err := t.eraseMatches(ctx, tx, next, found.fits); err != nil {
			return err
		}
		if found.last == nil {
			next.advance(erasure.Late)
			return nil
		}
		next.Scanned += found.last.place
		next.scan = found.last.scanPosition
		return nil
	})
}

// latestSQL reads no table: whatever ended before now has a lower number than the first.
const latestSQL = `select pg_snapshot_xmax(pg_current_snapshot())::text::bigint, clock_timestamp()`

// late looks through what was stored or changed since the payloads began to be looked
// through. It ends at the moment at which it begins.
func (t *erasureTask) late(ctx context.Context) (erasure.Outcome, error) {
	if len(t.state.Paths) == 0 {
		return erasure.More, t.beginLateErrors(ctx)
	}
	if t.state.last == 0 {
		return t.beginLate(ctx)
	}
	found, err := t.latePayloads(ctx)
	if err != nil {
		return erasure.More, err
	}
	if found.last == nil {
		return erasure.More, t.beginLateErrors(ctx)
	}
	err = t.step(ctx, func(tx pgx.Tx, next *erasureState) error {
		if err := t.eraseMatches(ctx, tx, next, found.fits); err != nil {
			return err
		}
		next.Scanned += found.last.place
		next.scan, next.transaction = found.last.scanPosition, found.last.transaction
		return nil
	})
	return erasure.More, err
}

// beginLate fixes what the last pass looks through, once replays that hold erased texts
// have ended.
func (t *erasureTask) beginLate(ctx context.Context) (erasure.Outcome, error) {
	outcome := erasure.More
	var until time.Time
	err := t.step(ctx, func(tx pgx.Tx, next *erasureState) error {
		var last int64
		var now time.Time
		if err := tx.QueryRow(ctx, latestSQL).Scan(&last, &now); err != nil {
			return err
		}
		if next.lateAfter.After(now) {
			outcome, until = erasure.Later, next.lateAfter
			return nil
		}
		if next.transaction > last { // the numbers are of another cluster: all events are looked at again
			next.transaction = 0
		}
		next.last, next.ErasedUntil = last, now
		return nil
	})
	if err == nil && outcome == erasure.Later {
		err = t.releaseUntil(ctx, until)
	}
	return outcome, err
}

// The statements that erase single events of many sessions. The sessions are locked.
const (
	// eraseMatchesSQL uses a partition's event_timestamp_idx and event_amendment_pkey. An
	// event that was moved or changed meanwhile is left for the last pass.
	eraseMatchesSQL = `
with gone as (delete from event e using unnest($1::timestamptz[], $2::uuid[], $3::uuid[]) as n ("timestamp", event_id, session_id)
	where e."timestamp" = n."timestamp" and e.event_id = n.event_id and e.session_id = n.session_id and `
	markMatchesSQL = ` returning e.event_id, e.session_id, e."timestamp"),
	marks as (insert into event_amendment (event_id, session_id, "timestamp", erased_at) select event_id, session_id, "timestamp", now() from gone` + markErasedSQL + `)
select event_id, session_id from gone`
	// shrinkSQL works out a session's row from the events that are left, unless it is a mark.
	shrinkSQL = resetSessionSQL + ` and s.erased_at is null`
	// emptiedSQL uses session_pkey.
	emptiedSQL = `select count(*) from session where session_id = any ($1) and event_count = 0 and erased_at is null`
)

// eraseMatches erases events that still fit, and works out the rows of their sessions.
func (t *erasureTask) eraseMatches(ctx context.Context, tx pgx.Tx, next *erasureState, fits []payloadMatch) error {
	if len(fits) == 0 {
		return nil
	}
	times, ids, sessions := make([]time.Time, len(fits)), make([][16]byte, len(fits)), make([][16]byte, len(fits))
	for i, m := range fits {
		times[i], ids[i], sessions[i] = m.at, m.id, m.session
	}
	if _, err := collect(ctx, tx, pgx.RowTo[uuid.UUID], lockSessionsSQL, sessions); err != nil {
		return err
	}
	q := newStatement(eraseMatchesSQL)
	q.args = []any{times, ids, sessions}
	q.wherePayloadHolds(t.matcher.Wanted())
	q.sql.WriteString(markMatchesSQL)
	rows, err := tx.Query(ctx, q.sql.String(), append([]any{t.store.reads.mode}, q.args...)...) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return err
	}
	var gone []uuid.UUID
	lost := map[uuid.UUID]int64{}
	var id, session uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &session}, func() error {
		gone = append(gone, id)
		lost[session]++
		return nil
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	next.erased(gone, nil)
	return next.shrink(ctx, tx, lost)
}

// shrink works out the rows of sessions that lost events.
func (s *erasureState) shrink(ctx context.Context, tx pgx.Tx, lost map[uuid.UUID]int64) error {
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
