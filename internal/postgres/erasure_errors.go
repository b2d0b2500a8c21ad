package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
)

// textsPerScan is how many texts of errors one statement looks through.
const textsPerScan = 2000

// The parts of the statement that reads texts of errors. It walks rejection_pkey from a
// place on, takes no lock, and gives those texts only that may be meant.
const (
	selectTextsSQL = `
select r.received_at, r.rejection_id, case when `
	fromTextsSQL = ` then r.raw end from rejection r`
	afterText    = `r.raw is not null and r.received_at >= ? and (r.received_at, r.rejection_id) > (?, ?)`
	orderTexts   = ` order by r.received_at, r.rejection_id limit `

	// textNames looks for halves of ids, in any case and without hyphens. A text with an
	// escaped character is looked at more closely.
	textNames = `(replace(lower(encode(r.raw, 'escape')), '-', '') like any (?::text[]) or position('\x5c75'::bytea in r.raw) > 0)`
	// textHolds looks for a value, or for the backslash of an escape.
	textHolds = `(position('\x5c'::bytea in r.raw) > 0 or exists (select from unnest(?::bytea[]) as t (word) where position(t.word in r.raw) > 0))`
)

// maxNamesInSQL is how many sessions are looked for by the database; more are looked for
// here, where the time does not grow with their number.
const maxNamesInSQL = 8

// foundTexts is what a scan of texts found.
type foundTexts struct {
	matches []scanPosition
	// read is how many texts were read, and last the place of the last one; nil for none.
	read int
	last *scanPosition
}

// scanTexts looks through some texts behind a place.
func (s *ErasureStore) scanTexts(ctx context.Context, m *erasure.Matcher, after scanPosition) (found foundTexts, err error) {
	q := newStatement(selectTextsSQL)
	q.conjunction = ""
	switch halves := m.Halves(); {
	case len(halves) == 0 && len(m.SearchValues()) == 0:
		return found, nil
	case len(halves) > 2*maxNamesInSQL:
		q.where("true")
	case len(halves) > 0:
		patterns := make([]string, len(halves))
		for i, half := range halves {
			patterns[i] = "%" + half + "%"
		}

		q.where(textNames, patterns)
		q.conjunction = " or "
		fallthrough
	default:
		q.whereTextHolds(m.SearchValues())
	}

	q.sql.WriteString(fromTextsSQL)
	q.conjunction = " where "
	q.where(afterText, after.at, after.at, after.id)
	q.orderBy(orderTexts, textsPerScan)
	rows, err := s.pool().Query(ctx, q.sql.String(), append([]any{s.reads.mode}, q.args...)...)
	if err != nil {
		return found, err
	}
	defer rows.Close()

	for rows.Next() && len(found.matches) < matchesPerStep { // the rest is found again by the next step
		var place scanPosition
		var raw []byte
		if err := rows.Scan(&place.at, &place.id, &raw); err != nil {
			return found, err
		}

		found.read++
		found.last = &place
		if raw != nil && m.MatchesText(raw) {
			found.matches = append(found.matches, place)
		}
	}

	rows.Close()
	return found, rows.Err()
}

// whereTextHolds adds the condition that a text may hold all values, if there are any.
func (s *statement) whereTextHolds(wanted []erasure.SearchValue) {
	for _, w := range wanted {
		words := make([][]byte, len(w.Texts))
		for i, text := range w.Texts {
			words[i] = []byte(text)
		}

		s.where(textHolds, words)
		s.conjunction = " and "
	}
}

// eraseTextsSQL uses rejection_pkey. The rejection stays, with its reasons and without its
// text.
const eraseTextsSQL = `
update rejection r set raw = null from unnest($1::timestamptz[], $2::uuid[]) as n (received_at, rejection_id)
where r.received_at = n.received_at and r.rejection_id = n.rejection_id and r.raw is not null
returning r.rejection_id, r.leased_until`

// scansPerStep bounds how many statements that find nothing come before a step is saved: a
// transaction for each would take longer than the looking.
const scansPerStep = 5

// scanTextsUntilMatch looks through the texts behind a place until some are meant, or it is enough
// for one step.
func (s *ErasureStore) scanTextsUntilMatch(ctx context.Context, m *erasure.Matcher, after scanPosition) (all foundTexts, err error) {
	for range scansPerStep {
		found, err := s.scanTexts(ctx, m, after)
		if err != nil || found.last == nil {
			return all, err
		}

		all.matches, all.read, all.last = found.matches, all.read+found.read, found.last
		if len(found.matches) > 0 {
			break
		}

		after = *found.last
	}

	return all, nil
}

// eraseErrors looks through some texts of errors and erases those that are meant.
func (t *erasureTask) eraseErrors(ctx context.Context) error {
	found, err := t.store.scanTextsUntilMatch(ctx, t.matcher, t.state.scan)
	if err != nil {
		return err
	}

	return t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		if err := next.eraseTexts(ctx, tx, found.matches); err != nil {
			return err
		}

		next.Scanned += int64(found.read)
		if found.last != nil {
			next.scan = *found.last
			return nil
		}

		if len(next.Paths) == 0 {
			next.advanceTo(erasure.Late)
			return nil
		}

		next.advanceTo(erasure.Events)
		return tx.QueryRow(ctx, oldestTransactionSQL).Scan(&next.transaction)
	})
}

// lateErrorsFrom is how long before an erasure was asked for an error may have been received
// that is committed after it: as long as a request may take at the most.
const lateErrorsFrom = time.Hour

// beginLateErrors goes on to the texts of errors that were refused since the erasure was
// asked for: the first pass may have gone by before they came.
func (t *erasureTask) beginLateErrors(ctx context.Context) error {
	return t.runStep(ctx, func(_ pgx.Tx, next *erasureState) error {
		next.advanceTo(erasure.LateErrors)
		next.scan.at = next.RequestedAt.Add(-lateErrorsFrom)
		return nil
	})
}

// eraseLateErrors looks through these texts. Where a replay holds one that it erases, the events
// are looked through once more when the replay has ended.
func (t *erasureTask) eraseLateErrors(ctx context.Context) (erasure.Outcome, error) {
	found, err := t.store.scanTextsUntilMatch(ctx, t.matcher, t.state.scan)
	if err != nil {
		return erasure.More, err
	}

	again := len(t.state.Paths) > 0 && t.state.lateAfter.After(t.state.ErasedUntil)
	if found.last == nil && !again {
		return erasure.Done, t.finishErasure(ctx)
	}

	err = t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		if found.last == nil {
			next.advanceTo(erasure.Late)
			next.transaction, next.lastTransaction = next.lastTransaction, 0
			return nil
		}

		if err := next.eraseTexts(ctx, tx, found.matches); err != nil {
			return err
		}

		next.Scanned += int64(found.read)
		next.scan = *found.last
		return nil
	})
	return erasure.More, err
}

// oldestTransactionSQL reads no table: whatever has a lower number has ended.
const oldestTransactionSQL = `select pg_snapshot_xmin(pg_current_snapshot())::text::bigint`

// eraseTexts erases the texts of rejections. A replay that holds one may still store its
// event, so that is looked for when the replay's lease has ended.
func (s *erasureState) eraseTexts(ctx context.Context, tx pgx.Tx, places []scanPosition) error {
	if len(places) == 0 {
		return nil
	}

	times, ids := make([]time.Time, len(places)), make([][16]byte, len(places))
	for i, p := range places {
		times[i], ids[i] = p.at, p.id
	}

	rows, err := tx.Query(ctx, eraseTextsSQL, times, ids) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return err
	}

	var gone []uuid.UUID
	var id uuid.UUID
	var leased *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &leased}, func() error {
		gone = append(gone, id)
		if until := timeOrZero(leased); until.After(s.lateAfter) {
			s.lateAfter = until
		}

		return nil
	})
	s.countErased(nil, gone)
	return err
}
