package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// RejectionBounds bounds the refusals that are kept of one application in an hour.
// Beyond either bound they are counted and sampled.
type RejectionBounds struct {
	Rows  int64
	Bytes int64
	// RawBytes bounds the raw text that is kept of one.
	RawBytes int
	// BodyBytes bounds it where the text is a body that could not be taken apart into
	// events, and may hold many good ones. Less than RawBytes is the same as RawBytes.
	BodyBytes int
}

// EventStore stores groups of events. It implements ingest.Store and is safe for
// concurrent use.
type EventStore struct {
	db              *DB
	partitions      *partitions
	rejectionBounds RejectionBounds
	newID           func() uuid.UUID
	now             func() time.Time
	metrics         *Metrics
	// carefulGroups counts the groups that still take the careful path: a client that
	// resends would else make every group be done twice.
	carefulGroups atomic.Int64
}

var _ ingest.Store = (*EventStore)(nil)

// EventStoreDeps are what an event store works with.
type EventStoreDeps struct {
	DB *DB
	// NewID makes UUIDv7s for refusals that turn up inside a transaction.
	NewID func() uuid.UUID
	// Now is the monotonic clock that steps are timed with.
	Now func() time.Time
	// Metrics are what is measured. Nil measures nothing.
	Metrics *Metrics
}

// NewEventStore makes a store on a database whose schema is current.
func NewEventStore(keep RejectionBounds, deps EventStoreDeps) *EventStore {
	return &EventStore{
		db: deps.DB, partitions: &partitions{db: deps.DB, known: map[string]bool{}}, rejectionBounds: keep,
		newID: deps.NewID, now: deps.Now, metrics: deps.Metrics,
	}
}

// The attempts at one group. Connections that died while idle are worth more than one, and
// contention as many as the context allows, whose budget ends them all.
const (
	maxAttempts       = 8
	longestBackoff    = 100 * time.Millisecond
	carefulAfterKnown = 50
	firstBackoff      = 5 * time.Millisecond
	rollbackBudget    = 2 * time.Second
)

// errNeedsCarefulPath ends the fast path: an id is known already, or a session is
// erased, and each event needs a verdict of its own.
var errNeedsCarefulPath = errors.New("an event id is known or a session is erased")

// Commit implements ingest.Store. A group whose commit was cut off is tried again
// as long as ctx allows: by their ids, events that were stored after all are found.
func (s *EventStore) Commit(ctx context.Context, group *ingest.Group) error {
	p := planGroup(group)
	events, rejections := p.partitionMonths()
	c := groupTransaction{store: s, plan: p, rejectionIDs: map[int]uuid.UUID{}}
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		err := s.partitions.ensureMonths(ctx, eventTable, events)
		if err == nil {
			err = s.partitions.ensureMonths(ctx, rejectionTable, rejections)
		}
		if err == nil {
			err = s.runAttempt(ctx, &c)
		}
		switch {
		case err == nil || errors.Is(err, ingest.ErrAtomicRejected):
			return err
		case errors.Is(err, errNeedsCarefulPath):
			s.carefulGroups.Store(carefulAfterKnown)
			s.metrics.countRetry(ctx, retryKnownID)
			c.careful = true
			attempt--
			continue
		case missingPartition(err):
			s.partitions.forgetKnown()
			s.metrics.countRetry(ctx, retryMissingPartition)
		case lostConnection(err), errors.Is(err, errNotReplicated):
			c.careful, c.mayBeCommitted = true, true
			s.metrics.countRetry(ctx, retryLostConnection)
		case errors.Is(err, errUnsafeCommit):
			s.db.noteRefusal(ctx)
			return fmt.Errorf("%w: %w", ingest.ErrUnsafeDatabase, err)
		case errors.Is(err, errMonthTaken): // which strands the events of one month, and no others
			return fmt.Errorf("%w: %w", ingest.ErrRejectedByDatabase, err)
		case errors.Is(err, errLockHeld):
			return s.findLockedSessions(ctx, p, err)
		case contention(err), sqlState(err) == stateLockNotAvailable, // a table is locked, which nobody can be spared
			sqlState(err) == stateDuplicateTable: // an expired partition of that name is being set aside
			s.metrics.countRetry(ctx, retryContention)
			attempt-- // it ends, but when a deadlock has to be found first, after seconds
		case refusesData(err):
			return fmt.Errorf("%w: %w", ingest.ErrNotStorable, err)
		case refusesForAnother(err):
			return fmt.Errorf("%w: %w", ingest.ErrRejectedByDatabase, translate(err, "store a group"))
		default:
			return translate(err, "store a group")
		}
		if attempt == maxAttempts || !wait(ctx, backoff) {
			return translate(err, "store a group")
		}
		backoff = min(2*backoff, longestBackoff)
	}
}

// wait waits, unless ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// runAttempt runs the transaction once, by the fast or the careful path.
func (s *EventStore) runAttempt(ctx context.Context, c *groupTransaction) error {
	return withConnection(ctx, s.db.write, func(conn *pgx.Conn) error {
		if c.careful || c.plan.repeated {
			return c.runCarefulPath(ctx, conn)
		}
		if s.carefulGroups.Load() > 0 {
			s.carefulGroups.Add(-1)
			return c.runCarefulPath(ctx, conn)
		}
		return c.runFastPath(ctx, conn)
	})
}

// withConnection runs a transaction that ends by its own COMMIT, and rolls back what
// is left open. The rollback has a budget of its own, so that a request that ran
// out of time does not leave its locks behind.
func withConnection(ctx context.Context, pool *pgxpool.Pool, run func(*pgx.Conn) error) error {
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Conn()
	defer func() {
		if conn.IsClosed() {
			pooled.Hijack() // its slot is free at once; Release would wait for a server that may be gone
			return
		}
		pooled.Release() // closes the connection unless it is idle
	}()
	if err = run(conn); err != nil && !conn.IsClosed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBudget)
		defer cancel()
		if _, failed := conn.Exec(ctx, "rollback"); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return err
}

// groupTransaction is one group's transaction, over all of its attempts.
type groupTransaction struct {
	store *EventStore
	plan  *groupPlan
	// careful asks for the careful path.
	careful bool
	// mayBeCommitted tells that an earlier attempt may have committed.
	mayBeCommitted bool
	// rejectionIDs are the ids of refusals that turned up in the transaction, by row.
	rejectionIDs map[int]uuid.UUID
}

const beginSQL = "begin"

// ledgerSQL locks the new ids, ascending. A known one is a unique violation.
const ledgerSQL = `
insert into event_key (event_id, "timestamp")
select n.event_id, n."timestamp" from unnest($1::uuid[], $2::timestamptz[]) as n (event_id, "timestamp")`

// sessionSQL locks the session rows, ascending, by session_pkey. No indexed column
// changes unless a session turns out to have started earlier, so updates are HOT.
const sessionSQL = `
insert into session as s (session_id, last_sequence, event_count, started_at, last_event_at, application_ids)
select n.session_id, n.events, n.events, n.started_at, n.last_event_at, n.application_ids::integer[]
from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[])
	as n (session_id, events, started_at, last_event_at, application_ids)
on conflict (session_id) do update set
	last_sequence = s.last_sequence + excluded.last_sequence,
	event_count = s.event_count + excluded.event_count,
	started_at = least(s.started_at, excluded.started_at),
	last_event_at = greatest(s.last_event_at, excluded.last_event_at),
	application_ids = case when s.application_ids @> excluded.application_ids then s.application_ids
		else (select array_agg(distinct id order by id) from unnest(s.application_ids || excluded.application_ids) as id) end
where s.erased_at is null
returning s.session_id, s.last_sequence`

// runFastPath assumes that every id is new: the ledger and the sessions in one round trip,
// COPY and COMMIT in the next. Refusals, if there are any, take two more.
func (c *groupTransaction) runFastPath(ctx context.Context, conn *pgx.Conn) error {
	p := c.plan
	refusals := newGroupRejections(c.store.rejectionBounds, p.rejected)
	var numbered *groupSessions
	if len(p.rows) > 0 {
		numbered = p.numberRows(p.byID)
	}
	err := c.store.measureStep(ctx, stepLock, func(ctx context.Context) error { return c.lockFast(ctx, conn, numbered, refusals) })
	if err != nil {
		return markHeldLock(err)
	}
	if err := c.write(ctx, conn, p.byID, numbered, refusals); err != nil {
		return err
	}
	c.setAllStored(numbered)
	refusals.clearUnrecordedIDs()
	return nil
}

// write writes what is refused and what is stored, and commits.
func (c *groupTransaction) write(ctx context.Context, conn *pgx.Conn, rows []int, numbered *groupSessions, refusals *groupRejections) error {
	return c.store.measureStep(ctx, stepWrite, func(ctx context.Context) error {
		if err := refusals.insertChosen(ctx, conn); err != nil {
			return err
		}
		return c.store.db.copyAndCommit(ctx, conn, c.plan, rows, numbered)
	})
}

// lockFast begins the transaction and takes its locks.
func (c *groupTransaction) lockFast(ctx context.Context, conn *pgx.Conn, numbered *groupSessions, refusals *groupRejections) error {
	t := statementBatch{conn: conn, pooled: c.store.db.pooled}
	if err := t.queue(ctx, beginStatement()); err != nil {
		return err
	}
	if sql := c.lockTimeoutSQL(); sql != "" {
		if err := t.queue(ctx, namedStatement{name: "theeye_" + sql, sql: sql}); err != nil {
			return err
		}
	}
	if numbered != nil {
		if err := t.lock(ctx, c.plan, numbered); err != nil {
			return err
		}
	}
	if err := t.take(ctx, numbered); err != nil {
		return err
	}
	if numbered != nil && numbered.hasErased() {
		return errNeedsCarefulPath
	}
	batch := &pgx.Batch{}
	refusals.queueCount(batch)
	if batch.Len() == 0 {
		return nil
	}
	return conn.SendBatch(ctx, batch).Close()
}

// setAllStored fills the verdicts of a group without refusals among its events.
func (c *groupTransaction) setAllStored(numbered *groupSessions) {
	for _, i := range c.plan.byID {
		r := &c.plan.rows[i]
		*r.item.Verdict = ingest.Verdict{Status: ingest.Stored, EventID: r.event().ID, Sequence: numbered.sequenceOf(r)}
	}
}

// queueSessions queues the upsert of sessions and notes what it returns.
func queueSessions(batch *pgx.Batch, s *groupSessions) {
	batch.Queue(sessionSQL, s.ids, s.counts, s.firsts, s.lasts, s.applications).Query(func(rows pgx.Rows) error {
		var id [16]byte
		var last int64
		_, err := pgx.ForEachRow(rows, []any{&id, &last}, func() error {
			s.setLastSequence(id, last)
			return nil
		})
		return err
	})
}
