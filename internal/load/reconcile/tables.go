package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/the-eye-events/the-eye/internal/load/traffic"
	"github.com/the-eye-events/the-eye/internal/oracle"
)

// storedSQL reads the events from a time on, by the index on the timestamp.
const storedSQL = `select event_id, session_id, sequence, category, name, data, "timestamp" from event where "timestamp" >= $1`

// Tables compares what was sent and told, from an index on, with what the database
// holds, and asks whether its tables contradict one another. It does not go through
// the service, which is under suspicion, and takes the database for the run's alone:
// what stands in it and was not sent is a difference. It may be called again and
// again, whenever nothing is being sent.
func Tables(ctx context.Context, l *Ledger, source *traffic.Source, database oracle.Querier, from uint64) Result {
	const roomy = 4 << 10
	r := &reading{ledger: l, source: source, scratch: make([]byte, 0, roomy), alone: true, from: from}
	l.mu.Lock()
	r.differences.Count, r.differences.First = l.wrong.Count, append([]string(nil), l.wrong.First...)
	l.mu.Unlock()
	err := r.rows(ctx, database)
	if err == nil {
		r.missing()
		err = r.refusals(ctx, database)
	}
	if err == nil {
		err = r.contradictions(ctx, database)
	}
	return r.result(err, true)
}

// rows holds every stored event against the ledger.
func (r *reading) rows(ctx context.Context, database oracle.Querier) error {
	earliest := pgtype.Timestamptz{Time: time.UnixMicro(r.forget()), Valid: true}
	if r.from == 0 { // all there is, whatever its time
		earliest = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	rows, err := database.Query(ctx, storedSQL, earliest) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return fmt.Errorf("read the stored events: %w", err)
	}
	var w wire
	_, err = pgx.ForEachRow(rows, []any{&w.ID, &w.SessionID, &w.Sequence, &w.Category, &w.Name, &w.Data, &w.Timestamp}, func() error {
		r.compare(&w)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the stored events: after %d of this run: %w", r.found, err)
	}
	return nil
}

// forget takes back what an earlier reconciliation has seen, and returns the earliest
// time of what is compared, in microseconds.
func (r *reading) forget() (earliest int64) {
	for index := r.from; index < r.ledger.next.Load(); index++ {
		if e := r.ledger.find(index); e != nil {
			e.seen = 0
			if earliest == 0 || e.sent < earliest {
				earliest = e.sent
			}
		}
	}
	return earliest
}

// refusedSQL reads whose refusals are kept, and whether all of them are: an application
// that has too many refused in an hour has the rest of them counted.
const refusedSQL = `
select r.event_id, (select coalesce(sum(c.refused) = sum(c.kept), true) from rejection_count c)
from rejection r where r.event_id is not null`

// refusals looks for the refused events among the errors, where people look for them.
func (r *reading) refusals(ctx context.Context, database oracle.Querier) error {
	rows, err := database.Query(ctx, refusedSQL) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return fmt.Errorf("read the refused events: %w", err)
	}
	kept, whole := map[uuid.UUID]bool{}, true
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &whole}, func() error {
		kept[id] = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the refused events: %w", err)
	}
	for index := r.from; whole && index < r.ledger.next.Load(); index++ {
		if e := r.ledger.find(index); e != nil && (e.verdict == Rejected || e.verdict == Conflict) && !kept[r.source.ID(index)] {
			r.differences.add("%s: told %q, and not among the errors", r.source.ID(index), e.verdict)
		}
	}
	return nil
}

// contradictions asks the database about all sessions and the ledger of ids.
func (r *reading) contradictions(ctx context.Context, database oracle.Querier) error {
	broken, err := oracle.BrokenSessions(ctx, database, oracle.Scope{})
	if err != nil {
		return err
	}
	gaps, err := oracle.Gaps(ctx, database, oracle.Scope{})
	if err != nil {
		return err
	}
	ledger, err := oracle.BrokenLedger(ctx, database)
	if err != nil {
		return err
	}
	errors, err := oracle.MiscountedRefusals(ctx, database)
	if err != nil {
		return err
	}
	r.gaps = int64(len(gaps))
	for _, found := range [][]string{gaps, broken, ledger, errors} {
		for _, sentence := range found {
			r.differences.add("%s", sentence)
		}
	}
	return nil
}
