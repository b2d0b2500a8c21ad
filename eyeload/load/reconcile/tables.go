package reconcile

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/the-eye-events/the-eye/internal/oracle"
)

// storedSQL reads the events from a time on, by the index on the timestamp.
const storedSQL = `select event_id, session_id, sequence, category, name, data, "timestamp", application_id from event where "timestamp" >= $1`

// Expectation is what tables are held against.
type Expectation struct {
	Journal *Journal
	Source  Source
	// From is the first index that is looked at.
	From uint64
	// Application is the number of the application that sent an event; nil does not ask
	// whether events and errors are attributed to the right one.
	Application func(index uint64) int32
}

// CompareTables compares what was sent and told with what the database
// holds, and asks whether its tables contradict one another. It does not go through
// the service, which is under suspicion, and takes the database for the run's alone:
// what stands in it and was not sent is a difference. It may be called again and
// again, whenever nothing is being sent.
func CompareTables(ctx context.Context, c Expectation, database oracle.Querier) Result {
	const roomy = 4 << 10
	r := &comparison{
		journal: c.Journal, source: c.Source, scratch: make([]byte, 0, roomy), exclusive: true, from: c.From,
		application: c.Application, differences: c.Journal.newViolations(c.From > 0),
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

// compareRows holds every stored event against the ledger.
func (r *comparison) compareRows(ctx context.Context, database oracle.Querier) error {
	earliest := pgtype.Timestamptz{Time: time.UnixMicro(r.resetSeen()), Valid: true}
	if r.from == 0 { // all there is, whatever its time
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

// resetSeen takes back what an earlier reconciliation has seen, and returns the earliest
// time of what is compared, in microseconds.
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

// rejectionsSQL reads whose refusals are kept, and whether all of them are: an application
// that has too many refused in an hour has the rest of them counted.
const rejectionsSQL = `
select r.event_id, r.rejection_id, r.application_id, r.code, (select coalesce(sum(c.refused) = sum(c.kept), true) from rejection_count c)
from rejection r where r.event_id is not null`

// rejection is an error as it is kept.
type rejection struct {
	event, id   uuid.UUID
	application int32
	code        string
}

// compareRejections looks for the refused events among the errors, where people look for them.
func (r *comparison) compareRejections(ctx context.Context, database oracle.Querier) error {
	rows, err := database.Query(ctx, rejectionsSQL) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return fmt.Errorf("read the refused events: %w", err)
	}

	kept, byID, whole := map[uuid.UUID]bool{}, map[uuid.UUID]rejection{}, true
	var found rejection
	_, err = pgx.ForEachRow(rows, []any{&found.event, &found.id, &found.application, &found.code, &whole}, func() error {
		kept[found.event], byID[found.id] = true, found
		r.checkApplication(&found)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the refused events: %w", err)
	}

	if whole {
		r.findMissingRejections(kept)
		r.findMissingConflicts(byID)
	}

	return nil
}

// checkApplication tells whether an error is kept as one of the application that sent the event.
func (r *comparison) checkApplication(found *rejection) {
	if index, ours := r.source.IndexOf(found.event); ours && r.application != nil && r.application(index) != found.application {
		r.differences.addDifference("%s: its refusal %s is kept as one of application %d, and application %d sent it",
			found.event, found.id, found.application, r.application(index))
	}
}

// findMissingRejections looks for every event that was told to be refused.
func (r *comparison) findMissingRejections(kept map[uuid.UUID]bool) {
	for index := r.from; index < r.journal.next.Load(); index++ {
		e := r.journal.findEntry(index)
		if e == nil || (e.verdict != Rejected && e.verdict != Conflict && e.verdict != Deferred) || kept[r.source.ID(index)] {
			continue
		}

		if sent := r.source.MakeEvent(index, time.UnixMicro(e.sent), r.scratch); r.journal.isSessionErased(sent.SessionID) {
			continue // its errors were erased with it
		}

		r.differences.addDifference("%s: told %q, and not among the errors", r.source.ID(index), e.verdict)
	}
}

// findMissingConflicts looks for every refusal of a conflict that somebody was told.
func (r *comparison) findMissingConflicts(kept map[uuid.UUID]rejection) {
	r.journal.mu.Lock()
	conflicts := maps.Clone(r.journal.conflicts)
	r.journal.mu.Unlock()
	for id, index := range conflicts {
		found, there := kept[id]
		e := r.journal.findEntry(index)
		switch sent := r.source.MakeEvent(index, time.UnixMicro(e.sent), r.scratch); {
		case index < r.from || r.journal.isSessionErased(sent.SessionID):
		case !there:
			r.differences.addDifference("%s: told that its conflict is kept as error %s, and it is not among the errors", sent.ID, id)
		case found.code != conflictCode || found.event != sent.ID:
			r.differences.addDifference("%s: its conflict %s is kept as %q of %s", sent.ID, id, found.code, found.event)
		}
	}
}

// conflictCode is the code of the API for an id that was stored with another content.
const conflictCode = "event_id_conflict"

// checkAllTables asks the database about all sessions and the ledger of ids.
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

	errors, err := oracle.FindMiscountedRejections(ctx, database)
	if err != nil {
		return err
	}

	r.gaps = int64(len(gaps))
	for _, found := range [][]string{gaps, broken, ledger, errors} {
		for _, sentence := range found {
			r.differences.addDifference("%s", sentence)
		}
	}

	return nil
}
