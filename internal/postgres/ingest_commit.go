package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// Commit implements ingest.Store. It makes up to eight attempts after lost connections, and as
// many as ctx allows after contention: events that were stored after all are found by id.
func (s *EventStore) Commit(ctx context.Context, group *ingest.Group) error {
	t := newGroupTransaction(s, group)

	return transactionRetry().run(ctx, func() (retryDecision, error) {
		err := t.ensurePartitions(ctx)
		if err == nil {
			err = withConnection(ctx, s.db.write, func(conn *pgx.Conn) error { return t.run(ctx, conn) })
		}

		return t.decideRetry(ctx, err)
	})
}

// groupTransaction is the transaction of one group, over all of its attempts.
type groupTransaction struct {
	store *EventStore
	group *ingest.Group
	plan  *groupPlan
	// careful asks for the careful path.
	careful bool
	// mayBeCommitted means that an earlier attempt may have committed.
	mayBeCommitted bool
	// rejectionIDs are the ids of rejections that turned up in the transaction, by row: they
	// are the same in every attempt.
	rejectionIDs map[int]uuid.UUID
	// stored is what the careful path found under ids that were known already.
	stored map[uuid.UUID]storedEvent
}

func newGroupTransaction(s *EventStore, group *ingest.Group) *groupTransaction {
	p := planGroup(group)

	return &groupTransaction{store: s, group: group, plan: p, careful: p.hasCopies, rejectionIDs: map[int]uuid.UUID{}}
}

// ensurePartitions makes the partitions that the group needs. Nearly always they are known.
func (t *groupTransaction) ensurePartitions(ctx context.Context) error {
	events, rejections := t.plan.partitionMonths()
	if err := t.store.partitions.ensureMonths(ctx, eventTable, events); err != nil {
		return err
	}

	return t.store.partitions.ensureMonths(ctx, rejectionTable, rejections)
}

// run makes one attempt. Its locks are in the order of every transaction of the service: ids,
// sessions, counters of rejections.
func (t *groupTransaction) run(ctx context.Context, conn *pgx.Conn) error {
	var o *groupOutcome
	err := t.store.measureStep(ctx, stepLock, func(ctx context.Context) error {
		// 1. Begin. 2. Claim the ids of the events in the ledger. 3. Lock their sessions,
		// which numbers the events.
		if err := t.lockRows(ctx, conn); err != nil {
			return err
		}

		// 4. Resolve the verdict of each event.
		o = t.resolveVerdicts()
		if t.group.Atomic && o.anyRejected {
			o.publish()
			return ingest.ErrAtomicRejected
		}

		// 5. Give back the ids of events that are not stored, and count the rejections.
		return t.countRejections(ctx, conn, o)
	})
	if err != nil {
		return markHeldLock(err)
	}

	err = t.store.measureStep(ctx, stepWrite, func(ctx context.Context) error {
		// 6. Record the rejections.
		if err := t.recordRejections(ctx, conn, o); err != nil {
			return err
		}

		// 7. Copy the events. 8. Confirm that they are durable. 9. Commit.
		return t.copyAndCommit(ctx, conn, o)
	})
	if err != nil {
		return err
	}

	// 10. Hand out the verdicts.
	o.publish()

	return nil
}

// carefulAfterKnown is for how many groups the careful path is used once a group needed it.
const carefulAfterKnown = 50

// decideRetry decides what follows an attempt, and what its error means to the caller.
func (t *groupTransaction) decideRetry(ctx context.Context, err error) (retryDecision, error) {
	s := t.store
	switch {
	case err == nil || errors.Is(err, ingest.ErrAtomicRejected):
		return giveUp, err
	case errors.Is(err, errNeedsCarefulPath):
		s.carefulGroups.Store(carefulAfterKnown)
		s.metrics.countRetry(ctx, retryKnownID)
		t.careful = true
		return retryAtOnce, err
	case isMissingPartition(err):
		s.partitions.forgetKnown()
		s.metrics.countRetry(ctx, retryMissingPartition)
		return retryCounted, translateError(err, "store a group")
	case isConnectionLost(err), errors.Is(err, errNotReplicated):
		t.careful = true
		t.mayBeCommitted = true
		s.metrics.countRetry(ctx, retryLostConnection)
		return retryCounted, translateError(err, "store a group")
	case errors.Is(err, errUnsafeCommit):
		s.db.recordUnsafeCommit(ctx)
		return giveUp, fmt.Errorf("%w: %w", ingest.ErrUnsafeDatabase, err)
	case errors.Is(err, errMonthTaken): // which concerns the events of one month, and no others
		return giveUp, fmt.Errorf("%w: %w", ingest.ErrRejectedByDatabase, err)
	case errors.Is(err, errLockHeld):
		return giveUp, t.findLockedSessions(ctx, err)
	case isContention(err), sqlState(err) == stateLockNotAvailable, // a table is locked, which every event needs
		sqlState(err) == stateDuplicateTable: // an expired partition of that name is being set aside
		s.metrics.countRetry(ctx, retryContention)
		return retryUncounted, translateError(err, "store a group") // it ends, but after seconds where a deadlock has to be found first
	case isDataError(err):
		return giveUp, fmt.Errorf("%w: %w", ingest.ErrNotStorable, err)
	case isAdditionError(err):
		return giveUp, fmt.Errorf("%w: %w", ingest.ErrRejectedByDatabase, translateError(err, "store a group"))
	}

	return giveUp, translateError(err, "store a group")
}
