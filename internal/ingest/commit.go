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

// commitGroup commits the items of parts, and tells how long it took.
func (c *Collector) commitGroup(ctx context.Context, tally *groupMetrics, parts []*queueEntry, items []Item) {
	began := c.deps.Now()
	id := newGroupID(began)
	tally.recordBegin(ctx, parts, len(items), began)
	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()
	ctx, span := c.startGroupSpan(ctx, parts, id, len(items))

	g := groupCommit{collector: c, id: id}
	g.commitItems(ctx, items, parts[0].atomic, 0)

	ended := c.deps.Now()
	endGroupSpan(span, parts, ended)
	if c.deps.Timings != nil {
		c.timings.add(Timing{Group: id, Took: ended.Sub(began)})
	}
	tally.recordEnd(ctx, parts, g.settledItems(items), began, ended, c.config.Budget)
	c.rates.addGroup(len(items), ended.Sub(began))
	c.updateSharding()
	c.slowCommits.logIfSlow(c.deps.Logger, len(items), ended, ended.Sub(began))
	c.moveToLockedLane(g.held)
}

// groupCommit is the commit of one group, in one transaction or, where it has to be
// split, in several.
type groupCommit struct {
	collector *Collector
	id        GroupID
	// held are the items that wait for a lock that somebody else holds. They have no
	// verdict yet.
	held []Item
	// heldEntries are those of which an item is held for a lock that is not a session's. All
	// the rest of them waits with it: to find out which of it could be stored would keep
	// strangers waiting, and its request waits in any case.
	heldEntries map[*queueEntry]bool
}

// briefLockWait is how long the parts of a group wait for a lock, once the group is split
// to find out which of its events needs it.
const briefLockWait = 50 * time.Millisecond

// commitItems stores items in one transaction, or in several if it has to be split. lockWait is
// how long a transaction waits for a lock; 0 is what the store waits by itself.
func (g *groupCommit) commitItems(ctx context.Context, items []Item, whole bool, lockWait time.Duration) {
	if items = g.holdFollowers(withoutFailed(items)); len(items) == 0 {
		return
	}

	err := g.collector.deps.Store.Commit(ctx, &Group{ID: g.id, Items: items, Atomic: whole, LockWait: lockWait})
	var locked *LockedError
	switch {
	case err == nil:
	case errors.Is(err, ErrAtomicRejected):
		g.commitRejections(ctx, items)
	case errors.As(err, &locked):
		g.commitUnlocked(ctx, items, whole, locked)
	case canSplit(err) && !whole && len(items) > 1:
		half := len(items) / 2
		g.commitItems(ctx, items[:half], false, lockWait)
		g.commitItems(ctx, items[half:], false, lockWait)
	case errors.Is(err, ErrNotStorable):
		g.rejectNotStorable(ctx, items, err)
	default:
		if errors.Is(err, ErrRejectedByDatabase) {
			g.logDatabaseRejection(items, err)
		}
		for _, item := range items {
			item.entry.err = err
		}
	}
}

// withoutFailed leaves out the items of requests that are told to send again in any case:
// to find out which of their others could be stored would keep strangers waiting.
func withoutFailed(items []Item) []Item {
	failed := func(item Item) bool { return item.entry.err != nil }
	if !slices.ContainsFunc(items, failed) {
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
		part    *queueEntry
		session uuid.UUID
	}
	held := make(map[place]bool, len(g.held))
	for _, item := range g.held {
		held[place{item.entry, item.Envelope.Event.SessionID}] = true
	}

	free := make([]Item, 0, len(items))
	for _, item := range items {
		if g.heldEntries[item.entry] || held[place{item.entry, item.Envelope.Event.SessionID}] {
			g.held = append(g.held, item)
		} else {
			free = append(free, item)
		}
	}
	return free
}

// canSplit tells whether an error is about some events of a group, and not about the
// others.
func canSplit(err error) bool {
	return errors.Is(err, ErrNotStorable) || errors.Is(err, ErrRejectedByDatabase)
}

// commitUnlocked holds back the items that need a lock which somebody else holds, and
// commits the others: strangers share a transaction, and never a wait. Where the store
// cannot tell whose lock it is, the group is split until the item stands alone.
func (g *groupCommit) commitUnlocked(ctx context.Context, items []Item, whole bool, locked *LockedError) {
	if ctx.Err() != nil {
		for _, item := range items {
			item.entry.err = ctx.Err()
		}
		return
	}
	if whole || len(items) == 1 || g.outOfTime(ctx) {
		g.held = append(g.held, items...)
		if len(items) == 1 && len(locked.Sessions) == 0 {
			g.holdEntry(items[0].entry)
		}
		return
	}
	if len(locked.Sessions) == 0 {
		half := len(items) / 2
		g.commitItems(ctx, items[:half], false, briefLockWait)
		g.commitItems(ctx, items[half:], false, briefLockWait)
		return
	}

	free := make([]Item, 0, len(items))
	for _, item := range items {
		if locked.Sessions[item.Envelope.Event.SessionID] {
			g.held = append(g.held, item)
		} else {
			free = append(free, item)
		}
	}
	if len(free) > 0 {
		g.commitItems(ctx, free, false, briefLockWait)
	}
}

// holdEntry holds back what is left of a part.
func (g *groupCommit) holdEntry(p *queueEntry) {
	if g.heldEntries == nil {
		g.heldEntries = map[*queueEntry]bool{}
	}
	g.heldEntries[p] = true
}

// outOfTime tells that half of the budget is used up, so that what still waits for a lock
// is held back unsplit: the next group must not wait for it.
func (g *groupCommit) outOfTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return bounded && deadline.Sub(g.collector.deps.Now()) < g.collector.config.Budget/2
}

// settledItems returns the items that have an outcome.
func (g *groupCommit) settledItems(items []Item) []Item {
	if len(g.held) == 0 {
		return items
	}
	held := make(map[*Verdict]bool, len(g.held))
	for _, item := range g.held {
		held[item.Verdict] = true
	}
	settled := make([]Item, 0, len(items))
	for _, item := range items {
		if !held[item.Verdict] {
			settled = append(settled, item)
		}
	}
	return settled
}

// commitRejections keeps the refusals of an atomic request that was rolled back.
func (g *groupCommit) commitRejections(ctx context.Context, items []Item) {
	markNotStored(items)
	refused := make([]Item, 0, len(items))
	for _, item := range items {
		if item.Verdict.IsRejected() {
			item.Envelope.Violations = item.Verdict.Violations
			refused = append(refused, item)
		}
	}
	g.commitItems(ctx, refused, false, 0)
}

// rejectNotStorable refuses events that passed the decoder and yet cannot be stored:
// a defect of ours, which must not touch the neighbours and must be seen.
func (g *groupCommit) rejectNotStorable(ctx context.Context, items []Item, err error) {
	c := g.collector
	for _, item := range items {
		if !item.Envelope.Accepted() { // not even as a refusal
			item.entry.err = err
			continue
		}
		c.deps.Logger.Error("an event that passed every check cannot be stored",
			zap.Stringer("event_id", item.Verdict.EventID), zap.String("request_id", item.Request.ID), zap.Error(err))
		item.Envelope.Reject(fault.CodeNotStorable, "", "the store cannot hold this event")
		*item.Verdict = Verdict{
			Status: Rejected, EventID: item.Verdict.EventID,
			ErrorID: c.deps.NewID(), Violations: item.Envelope.Violations,
		}
		if item.Request.Replay { // it is kept already
			item.Verdict.ErrorID = uuid.Nil
			continue
		}
		g.commitItems(ctx, []Item{item}, false, 0)
	}
}

// logDatabaseRejection names the events that a trigger or a constraint of the database refuses which
// is not the service's: their senders are told to try again, for it is not their fault.
func (g *groupCommit) logDatabaseRejection(items []Item, err error) {
	for _, item := range items[:1] { // the others are of its request, or follow
		g.collector.deps.Logger.Error("a trigger or a constraint that is not the service's refuses an event; remove it, or send the event again after it lets it pass",
			zap.Stringer("event_id", item.Verdict.EventID), zap.String("request_id", item.Request.ID), zap.Error(err))
	}
}
