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

// KeepConfig bounds the refusals that are kept of one application in an hour.
// Beyond either bound they are counted and sampled.
type KeepConfig struct {
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
	db         *DB
	partitions *partitions
	keep       KeepConfig
	newID      func() uuid.UUID
	now        func() time.Time
	metrics    *Metrics
	// careful counts the groups that still take the careful path: a client that
	// resends would else make every group be done twice.
	careful atomic.Int64
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
func NewEventStore(keep KeepConfig, deps EventStoreDeps) *EventStore {
	return &EventStore{
		db: deps.DB, partitions: &partitions{db: deps.DB, known: map[string]bool{}}, keep: keep,
		newID: deps.NewID, now: deps.Now, metrics: deps.Metrics,
	}
}

// The attempts at one group. Connections that died while idle are worth more than one, and
// contention as many as the context allows, whose budget ends them all.
const (
	maxAttempts    = 8
	longestBackoff = 100 * time.Millisecond
	carefulGroups  = 50
	firstBackoff   = 5 * time.Millisecond
	rollbackBudget = 2 * time.Second
)

// errNeedsCare ends the fast path: an id is known already, or a session is
// erased, and each event needs a verdict of its own.
var errNeedsCare = errors.New("an event id is known or a session is erased")

// Commit implements ingest.Store. A group whose commit was cut off is tried again
// as long as ctx allows: by their ids, events that were stored after all are found.
func (s *EventStore) Commit(ctx context.Context, group *ingest.Group) error {
	p := newPlan(group)
	events, rejections := p.months()
	c := commit{store: s, plan: p, errorIDs: map[int]uuid.UUID{}}
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		err := s.partitions.ensure(ctx, eventTable, events)
		if err == nil {
			err = s.partitions.ensure(ctx, rejectionTable, rejections)
		}
		if err == nil {
			err = s.attempt(ctx, &c)
		}
		switch {
		case err == nil || errors.Is(err, ingest.ErrAtomicRefused):
			return err
		case errors.Is(err, errNeedsCare):
			s.careful.Store(carefulGroups)
			s.metrics.retried(ctx, retryKnownID)
			c.care = true
			attempt--
			continue
		case isMissingPartition(err):
			s.partitions.forget()
			s.metrics.retried(ctx, retryMissingPartition)
		case isConnectionLost(err), errors.Is(err, errNotReplicated):
			c.care, c.again = true, true
			s.metrics.retried(ctx, retryLostConnection)
		case errors.Is(err, errUnsafeCommit):
			s.db.recordUnsafeCommit(ctx)
			return fmt.Errorf("%w: %w", ingest.ErrUnsafeDatabase, err)
		case errors.Is(err, errMonthTaken): // which strands the events of one month, and no others
			return fmt.Errorf("%w: %w", ingest.ErrDatabaseRefuses, err)
		case errors.Is(err, errLockHeld):
			return s.findLocked(ctx, p, err)
		case isContention(err), sqlState(err) == stateLockNotAvailable, // a table is locked, which nobody can be spared
			sqlState(err) == stateDuplicateTable: // an expired partition of that name is being set aside
			s.metrics.retried(ctx, retryContention)
			attempt-- // it ends, but when a deadlock has to be found first, after seconds
		case isDataError(err):
			return fmt.Errorf("%w: %w", ingest.ErrNotStorable, err)
		case isAdditionError(err):
			return fmt.Errorf("%w: %w", ingest.ErrDatabaseRefuses, translateError(err, "store a group"))
		default:
			return translateError(err, "store a group")
		}
		if attempt == maxAttempts || !wait(ctx, backoff) {
			return translateError(err, "store a group")
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

// attempt runs the transaction once, by the fast or the careful path.
func (s *EventStore) attempt(ctx context.Context, c *commit) error {
	return onConnection(ctx, s.db.write, func(conn *pgx.Conn) error {
		if c.care || c.plan.repeated {
			return c.carefully(ctx, conn)
		}
		if s.careful.Load() > 0 {
			s.careful.Add(-1)
			return c.carefully(ctx, conn)
		}
		return c.fast(ctx, conn)
	})
}

// onConnection runs a transaction that ends by its own COMMIT, and rolls back what
// is left open. The rollback has a budget of its own, so that a request that ran
// out of time does not leave its locks behind.
func onConnection(ctx context.Context, pool *pgxpool.Pool, run func(*pgx.Conn) error) error {
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

// commit is one group's transaction, over all of its attempts.
type commit struct {
	store *EventStore
	plan  *plan
	// care asks for the careful path.
	care bool
	// again tells that an earlier attempt may have committed.
	again bool
	// errorIDs are the ids of refusals that turned up in the transaction, by row.
	errorIDs map[int]uuid.UUID
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

// fast assumes that every id is new: the ledger and the sessions in one round trip,
// COPY and COMMIT in the next. Refusals, if there are any, take two more.
func (c *commit) fast(ctx context.Context, conn *pgx.Conn) error {
	p := c.plan
	refusals := newRefusals(c.store.keep, p.refused)
	var numbered *sessions
	if len(p.rows) > 0 {
		numbered = p.number(p.byID)
	}
	err := c.store.step(ctx, stepLock, func(ctx context.Context) error { return c.open(ctx, conn, numbered, refusals) })
	if err != nil {
		return heldLock(err)
	}
	if err := c.write(ctx, conn, p.byID, numbered, refusals); err != nil {
		return err
	}
	c.allStored(numbered)
	refusals.settle()
	return nil
}

// write writes what is refused and what is stored, and commits.
func (c *commit) write(ctx context.Context, conn *pgx.Conn, rows []int, numbered *sessions, refusals *refusals) error {
	return c.store.step(ctx, stepWrite, func(ctx context.Context) error {
		if err := refusals.insert(ctx, conn); err != nil {
			return err
		}
		return c.store.db.copyAndCommit(ctx, conn, c.plan, rows, numbered)
	})
}

// open begins the transaction and takes its locks.
func (c *commit) open(ctx context.Context, conn *pgx.Conn, numbered *sessions, refusals *refusals) error {
	t := trip{conn: conn, pooled: c.store.db.pooled}
	if err := t.add(ctx, beginStatement()); err != nil {
		return err
	}
	if sql := c.lockWaitSQL(); sql != "" {
		if err := t.add(ctx, prepared{name: "theeye_" + sql, sql: sql}); err != nil {
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
	if numbered != nil && numbered.anyErased() {
		return errNeedsCare
	}
	batch := &pgx.Batch{}
	refusals.queueCount(batch)
	if batch.Len() == 0 {
		return nil
	}
	return conn.SendBatch(ctx, batch).Close()
}

// allStored fills the verdicts of a group without refusals among its events.
func (c *commit) allStored(numbered *sessions) {
	for _, i := range c.plan.byID {
		r := &c.plan.rows[i]
		*r.item.Verdict = ingest.Verdict{Status: ingest.Stored, EventID: r.event().ID, Sequence: numbered.sequence(r)}
	}
}

// queueSessions queues the upsert of sessions and notes what it returns.
func queueSessions(batch *pgx.Batch, s *sessions) {
	batch.Queue(sessionSQL, s.ids, s.counts, s.firsts, s.lasts, s.applications).Query(func(rows pgx.Rows) error {
		var id [16]byte
		var last int64
		_, err := pgx.ForEachRow(rows, []any{&id, &last}, func() error {
			s.answered(id, last)
			return nil
		})
		return err
	})
}
