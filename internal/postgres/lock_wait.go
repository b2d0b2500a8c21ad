package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// errLockHeld tells that somebody else held a lock that a group needs for longer than the
// group waits.
var errLockHeld = errors.New("a lock of this group is held by somebody else")

// markHeldLock marks an error of the steps that take the locks of a group's rows.
func markHeldLock(err error) error {
	if sqlState(err) == stateLockNotAvailable {
		return fmt.Errorf("%w: %w", errLockHeld, err)
	}
	return err
}

// lockTimeoutSQL sets how long a transaction waits for a lock, where the connection's own
// bound is not the one to use. Behind a pooler the connection has none of ours.
func (c *groupTransaction) lockTimeoutSQL() string {
	wait := c.plan.lockWait
	if wait == 0 && c.store.db.pooled {
		wait = c.store.db.lockTimeout
	}
	if wait == 0 {
		return ""
	}
	return "set local lock_timeout = " + strconv.FormatInt(wait.Milliseconds(), 10)
}

// lockedSessionsSQL tells which sessions somebody else holds locked, by session_pkey. It
// locks the others, until it ends.
const lockedSessionsSQL = `
with free as materialized (select session_id from session where session_id = any($1) for update skip locked)
select s.session_id from session s where s.session_id = any($1) and not exists (select from free where free.session_id = s.session_id)`

// findLockedSessions finds out which sessions of a group are locked, and returns that as an
// ingest.LockedError.
func (s *EventStore) findLockedSessions(ctx context.Context, p *groupPlan, cause error) error {
	locked := &ingest.LockedError{Sessions: map[uuid.UUID]bool{}, Err: cause}

	rows, err := s.db.write.Query(ctx, lockedSessionsSQL, p.numberRows(p.firstRows()).ids) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return translate(err, "find the sessions that are locked")
	}
	var id [16]byte
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		locked.Sessions[id] = true
		return nil
	})
	if err != nil {
		return translate(err, "find the sessions that are locked")
	}

	return locked
}
