package reconcile

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/the-eye-events/the-eye/internal/testing/oracle"
)

// storedSQL reads the events since a time, by the index on the timestamp.
const storedSQL = `select event_id, session_id, sequence, category, name, data, "timestamp", application_id from event where "timestamp" >= $1`

// Expectation is what the tables are compared with.
type Expectation struct {
	Journal *Journal
	Source  Source
	// From is the first index that is compared.
	From uint64
	// Application returns the id of the application that sent an event; nil skips the check of
	// the application of events and rejections.
	Application func(index uint64) int32
}

// CompareTables compares the journal with the tables of the database, and checks that the
// tables agree with one another. It does not use the service, which is under test, and expects
// the database to be the run's own: a row that the run did not send is a difference. It may be
// called repeatedly, whenever nothing is being sent.
func CompareTables(ctx context.Context, c Expectation, database oracle.Querier) Result {
	const roomy = 4 << 10

	r := &comparison{
		journal:     c.Journal,
		source:      c.Source,
		scratch:     make([]byte, 0, roomy),
		exclusive:   true,
		from:        c.From,
		application: c.Application,
		differences: c.Journal.newViolations(c.From > 0),
	}

	err := r.compareRows(ctx, database)
	if err == nil {
		r.findMissingEvents()
		err = r.compareRejections(ctx, database)
	}

	if err == nil {
		err = r.checkAllTables(ctx, database)
	}

	return r.buildResult(err, true)
}

// compareRows compares every stored event with the journal.
func (r *comparison) compareRows(ctx context.Context, database oracle.Querier) error {
	earliest := pgtype.Timestamptz{Time: time.UnixMicro(r.resetSeen()), Valid: true}
	if r.from == 0 { // all events, whatever their time
		earliest = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}

	rows, err := database.Query(ctx, storedSQL, earliest) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return fmt.Errorf("read the stored events: %w", err)
	}

	var w storedEvent
	_, err = pgx.ForEachRow(rows, []any{&w.ID, &w.SessionID, &w.Sequence, &w.Category, &w.Name, &w.Data, &w.Timestamp, &w.Application}, func() error {
		r.compareEvent(&w)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the stored events: after %d of this run: %w", r.found, err)
	}

	return nil
}

// resetSeen forgets what an earlier reconciliation has found, and returns the earliest time of
// the compared events, in microseconds.
func (r *comparison) resetSeen() (earliest int64) {
	for index := r.from; index < r.journal.next.Load(); index++ {
		if e := r.journal.findEntry(index); e != nil {
			e.seen = 0
			if earliest == 0 || e.sent < earliest {
				earliest = e.sent
			}
		}
	}

	return earliest
}

// rejectionsSQL reads the rejections of events, and whether all of them were kept: when an
// application has too many in an hour, the others are only counted.
const rejectionsSQL = `
select r.event_id, r.rejection_id, r.application_id, r.code, (select coalesce(sum(c.refused) = sum(c.kept), true) from rejection_count c)
from rejection r where r.event_id is not null`

// rejection is a recorded rejection.
type rejection struct {
	event, id   uuid.UUID
	application int32
	code        string
}

// compareRejections checks that the rejected events are recorded as rejections.
func (r *comparison) compareRejections(ctx context.Context, database oracle.Querier) error {
	rows, err := database.Query(ctx, rejectionsSQL) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return fmt.Errorf("read the rejections: %w", err)
	}

	kept := map[uuid.UUID]bool{}
	byID := map[uuid.UUID]rejection{}
	complete := true
	var found rejection
	_, err = pgx.ForEachRow(rows, []any{&found.event, &found.id, &found.application, &found.code, &complete}, func() error {
		kept[found.event] = true
		byID[found.id] = found
		r.checkApplication(&found)

		return nil
	})
	if err != nil {
		return fmt.Errorf("read the rejections: %w", err)
	}

	if complete {
		r.findMissingRejections(kept)
		r.findMissingConflicts(byID)
	}

	return nil
}

// checkApplication checks that a rejection is recorded for the application that sent the event.
func (r *comparison) checkApplication(found *rejection) {
	if index, own := r.source.IndexOf(found.event); own && r.application != nil && r.application(index) != found.application {
		r.differences.addDifference("%s: its rejection %s is recorded for application %d, and application %d sent it",
			found.event, found.id, found.application, r.application(index))
	}
}

// findMissingRejections checks that every rejected event has a rejection.
func (r *comparison) findMissingRejections(kept map[uuid.UUID]bool) {
	for index := r.from; index < r.journal.next.Load(); index++ {
		e := r.journal.findEntry(index)
		if e == nil || (e.verdict != Rejected && e.verdict != Conflict && e.verdict != Deferred) || kept[r.source.ID(index)] {
			continue
		}

		if sent := r.source.MakeEvent(index, time.UnixMicro(e.sent), r.scratch); r.journal.isSessionErased(sent.SessionID) {
			continue // its rejections were erased with it
		}

		r.differences.addDifference("%s: answered %q, and not among the rejections", r.source.ID(index), e.verdict)
	}
}

// findMissingConflicts checks that every conflict that was answered has a rejection.
func (r *comparison) findMissingConflicts(kept map[uuid.UUID]rejection) {
	r.journal.mu.Lock()
	conflicts := maps.Clone(r.journal.conflicts)
	r.journal.mu.Unlock()
	for id, index := range conflicts {
		found, exists := kept[id]
		e := r.journal.findEntry(index)
		switch sent := r.source.MakeEvent(index, time.UnixMicro(e.sent), r.scratch); {
		case index < r.from || r.journal.isSessionErased(sent.SessionID):
		case !exists:
			r.differences.addDifference("%s: its conflict was answered with the error %s, which is not among the rejections", sent.ID, id)
		case found.code != conflictCode || found.event != sent.ID:
			r.differences.addDifference("%s: its conflict %s is recorded as %q of %s", sent.ID, id, found.code, found.event)
		}
	}
}

// conflictCode is the code of the API for an id that was stored with other content.
const conflictCode = "event_id_conflict"

// checkAllTables checks all sessions and the ledger.
func (r *comparison) checkAllTables(ctx context.Context, database oracle.Querier) error {
	broken, err := oracle.FindBrokenSessions(ctx, database, oracle.Scope{})
	if err != nil {
		return err
	}

	gaps, err := oracle.FindGaps(ctx, database, oracle.Scope{})
	if err != nil {
		return err
	}

	ledger, err := oracle.FindBrokenLedger(ctx, database)
	if err != nil {
		return err
	}

	miscounted, err := oracle.FindMiscountedRejections(ctx, database)
	if err != nil {
		return err
	}

	r.gaps = int64(len(gaps))
	for _, found := range [][]string{gaps, broken, ledger, miscounted} {
		for _, sentence := range found {
			r.differences.addDifference("%s", sentence)
		}
	}

	return nil
}
