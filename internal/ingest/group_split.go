package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// briefLockWait is how long the parts of a group wait for a lock, once the group is split
// to find out which of its events needs it.
const briefLockWait = 50 * time.Millisecond

// canSplit reports whether an error is about some events of a group, and not about the
// others.
func canSplit(err error) bool {
	return errors.Is(err, ErrNotStorable) || errors.Is(err, ErrRejectedByDatabase)
}

// commitHalves commits each half of items in a transaction of its own.
func (g *groupCommit) commitHalves(ctx context.Context, items []Item, lockWait time.Duration) {
	half := len(items) / 2
	g.commitItems(ctx, items[:half], false, lockWait)
	g.commitItems(ctx, items[half:], false, lockWait)
}

// withoutFailed leaves out the items of requests that have to be sent again in any case:
// to find out which of their others could be stored would keep other requests waiting.
func (g *groupCommit) withoutFailed(items []Item) []Item {
	failed := func(item Item) bool { return g.failed[item.Request] != nil }
	if len(g.failed) == 0 || !slices.ContainsFunc(items, failed) {
		return items
	}

	return slices.DeleteFunc(slices.Clone(items), failed)
}

// holdFollowers holds back what its request has in a session behind an item that is held,
// and returns the others: within a request, the events of a session are numbered in their
// order, and none may overtake another whose lock is free a moment later.
func (g *groupCommit) holdFollowers(items []Item) []Item {
	if len(g.held) == 0 {
		return items // as nearly always
	}

	type place struct {
		request *Request
		session uuid.UUID
	}
	held := make(map[place]bool, len(g.held))
	for _, item := range g.held {
		held[place{item.Request, item.Envelope.Event.SessionID}] = true
	}

	return g.hold(items, func(item Item) bool {
		return g.heldRequests[item.Request] || held[place{item.Request, item.Envelope.Event.SessionID}]
	})
}

// hold holds items back, and returns the others.
func (g *groupCommit) hold(items []Item, isHeld func(Item) bool) (free []Item) {
	free = make([]Item, 0, len(items))
	for _, item := range items {
		if isHeld(item) {
			g.held = append(g.held, item)
		} else {
			free = append(free, item)
		}
	}

	return free
}

// commitUnlocked holds back the items that need a lock of another transaction, and commits
// the others: requests share a transaction, and never a wait. Where the store does not know
// whose lock it is, the group is split until the item stands alone.
func (g *groupCommit) commitUnlocked(ctx context.Context, items []Item, atomic bool, locked *LockedError) {
	if ctx.Err() != nil {
		g.fail(items, ctx.Err())
		return
	}

	if atomic || len(items) == 1 || g.outOfTime(ctx) {
		g.held = append(g.held, items...)
		if len(items) == 1 && len(locked.Sessions) == 0 {
			g.holdRequest(items[0].Request)
		}

		return
	}

	if len(locked.Sessions) == 0 {
		g.commitHalves(ctx, items, briefLockWait)
		return
	}

	free := g.hold(items, func(item Item) bool { return locked.Sessions[item.Envelope.Event.SessionID] })
	g.commitItems(ctx, free, false, briefLockWait)
}

// holdRequest holds back what is left of a request.
func (g *groupCommit) holdRequest(request *Request) {
	if g.heldRequests == nil {
		g.heldRequests = map[*Request]bool{}
	}

	g.heldRequests[request] = true
}

// outOfTime reports that half of the budget is used up, so that what still waits for a lock
// is held back unsplit: the next group must not wait for it.
func (g *groupCommit) outOfTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()

	return bounded && deadline.Sub(g.collector.deps.Now()) < g.collector.config.Budget/2
}

// committedItems returns the items that have a verdict.
func (g *groupCommit) committedItems() []Item {
	if len(g.held) == 0 && len(g.failed) == 0 {
		return g.items
	}

	held := make(map[*Verdict]bool, len(g.held))
	for _, item := range g.held {
		held[item.Verdict] = true
	}

	return slices.DeleteFunc(slices.Clone(g.items), func(item Item) bool {
		return held[item.Verdict] || g.failed[item.Request] != nil
	})
}

// commitRejections records the rejections of an atomic request that was rolled back.
func (g *groupCommit) commitRejections(ctx context.Context, items []Item) {
	markNotStored(items)

	rejected := make([]Item, 0, len(items))
	for _, item := range items {
		if item.Verdict.IsRejected() {
			item.Envelope.Violations = item.Verdict.Violations
			rejected = append(rejected, item)
		}
	}

	g.commitItems(ctx, rejected, false, 0)
}

// rejectNotStorable rejects events that passed the decoder and yet cannot be stored: a bug,
// which must not affect other requests and must be noticed.
func (g *groupCommit) rejectNotStorable(ctx context.Context, items []Item, err error) {
	c := g.collector
	for _, item := range items {
		if !item.Envelope.Accepted() { // not even as a rejection
			g.fail([]Item{item}, err)
			continue
		}

		c.deps.Logger.Error("an event that passed every check cannot be stored",
			zap.Stringer("event_id", item.Verdict.EventID), zap.String("request_id", item.Request.ID), zap.Error(err))
		item.Envelope.Reject(fault.CodeNotStorable, "", "the store cannot hold this event")
		*item.Verdict = Verdict{
			Status:     Rejected,
			EventID:    item.Verdict.EventID,
			ErrorID:    c.deps.NewID(),
			Violations: item.Envelope.Violations,
		}
		if item.Request.Replay { // it is recorded already
			item.Verdict.ErrorID = uuid.Nil
			continue
		}

		g.commitItems(ctx, []Item{item}, false, 0)
	}
}

// logRejectedByDatabase names an event that a trigger or a constraint rejects which an
// operator added to the database: its sender is asked to try again, and a replay leaves its
// rejection open.
func (g *groupCommit) logRejectedByDatabase(item Item, err error) {
	message := "a trigger or constraint added to the database rejects an event; remove it, and the sender's retry is stored"
	if item.Request.Replay {
		message = "a trigger or constraint added to the database rejects an event of a replay; remove it, and replay the event again"
	}

	g.collector.deps.Logger.Error(message,
		zap.Stringer("event_id", item.Verdict.EventID), zap.String("request_id", item.Request.ID), zap.Error(err))
}
