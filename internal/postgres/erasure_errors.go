package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/erasure"
)

// textsPerScan is the number of rejected texts that one statement searches.
const textsPerScan = 2000

// The parts of the statement that reads the texts of rejections. It walks rejection_pkey from a
// position on, takes no lock, and returns only the texts that may match.
const (
	selectTextsSQL = `
select r.received_at, r.rejection_id, case when `
	fromTextsSQL = ` then r.raw end from rejection r`
	afterText    = `r.raw is not null and r.received_at >= ? and (r.received_at, r.rejection_id) > (?, ?)`
	orderTexts   = ` order by r.received_at, r.rejection_id limit `

	// textNames searches for halves of ids, in any case and without hyphens. A text with an
	// escaped character is examined more closely.
	textNames = `(replace(lower(encode(r.raw, 'escape')), '-', '') like any (?::text[]) or position('\x5c75'::bytea in r.raw) > 0)`
	// textHolds searches for a value, or for the backslash of an escape.
	textHolds = `(position('\x5c'::bytea in r.raw) > 0 or exists (select from unnest(?::bytea[]) as t (word) where position(t.word in r.raw) > 0))`
)

// maxNamesInSQL is the largest number of sessions for which the database searches; for more, the
// search is done here, where the time does not grow with their number.
const maxNamesInSQL = 8

// foundTexts is the result of a scan of texts.
type foundTexts struct {
	matches []scanPosition
	// read is the number of texts read, and last the position of the last one; nil for none.
	read int
	last *scanPosition
}

// scanTexts searches some texts after a position.
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

	for rows.Next() && len(found.matches) < matchesPerStep { // the next step finds the rest again
		var position scanPosition
		var raw []byte
		if err := rows.Scan(&position.at, &position.id, &raw); err != nil {
			return found, err
		}

		found.read++
		found.last = &position
		if raw != nil && m.MatchesText(raw) {
			found.matches = append(found.matches, position)
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

// eraseTextsSQL uses rejection_pkey. The rejection stays, with its reasons and without its text.
const eraseTextsSQL = `
update rejection r set raw = null from unnest($1::timestamptz[], $2::uuid[]) as n (received_at, rejection_id)
where r.received_at = n.received_at and r.rejection_id = n.rejection_id and r.raw is not null
returning r.rejection_id, r.leased_until`

// scansPerStep bounds the number of statements without a match before a step is saved: a
// transaction for each would take longer than the search.
const scansPerStep = 5

// scanTextsUntilMatch searches the texts after a position until some match, or until one step
// has read enough.
func (s *ErasureStore) scanTextsUntilMatch(ctx context.Context, m *erasure.Matcher, after scanPosition) (all foundTexts, err error) {
	for range scansPerStep {
		found, err := s.scanTexts(ctx, m, after)
		if err != nil || found.last == nil {
			return all, err
		}

		all.matches = found.matches
		all.read += found.read
		all.last = found.last

		if len(found.matches) > 0 {
			break
		}

		after = *found.last
	}

	return all, nil
}

// eraseErrors searches some texts of rejections and erases those that match.
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

// lateErrorsFrom is how long before the request for an erasure a rejection may have been
// received that is committed after the request: the longest time that a request may take.
const lateErrorsFrom = time.Hour

// beginLateErrors continues with the texts that were rejected since the erasure was requested,
// which the first pass may have missed.
func (t *erasureTask) beginLateErrors(ctx context.Context) error {
	return t.runStep(ctx, func(_ pgx.Tx, next *erasureState) error {
		next.advanceTo(erasure.LateErrors)
		next.scan.at = next.RequestedAt.Add(-lateErrorsFrom)
		return nil
	})
}

// eraseLateErrors searches these texts. If a replay holds a text that it erases, the events are
// searched again when the replay has ended.
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

// oldestTransactionSQL reads no table: every transaction with a lower number has ended.
const oldestTransactionSQL = `select pg_snapshot_xmin(pg_current_snapshot())::text::bigint`

// eraseTexts erases the texts of rejections. A replay that holds one may still store its event,
// so the event is searched for when the replay's lease has ended.
func (s *erasureState) eraseTexts(ctx context.Context, tx pgx.Tx, positions []scanPosition) error {
	if len(positions) == 0 {
		return nil
	}

	times := make([]time.Time, len(positions))
	ids := make([][16]byte, len(positions))
	for i, p := range positions {
		times[i] = p.at
		ids[i] = p.id
	}

	rows, err := tx.Query(ctx, eraseTextsSQL, times, ids) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return err
	}

	var erased []uuid.UUID
	var id uuid.UUID
	var leased *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &leased}, func() error {
		erased = append(erased, id)
		if until := timeOrZero(leased); until.After(s.lateAfter) {
			s.lateAfter = until
		}

		return nil
	})
	s.countErased(nil, erased)
	return err
}
