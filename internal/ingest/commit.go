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

// flushItems commits the items of parts, and tells how long it took.
func (c *Collector) flushItems(ctx context.Context, tally *tally, parts []*part, items []Item) {
	began := c.deps.Now()
	id := newGroupID(began)
	tally.begin(ctx, parts, len(items), began)
	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()
	ctx, span := c.groupSpan(ctx, parts, id, len(items))

	g := groupCommit{collector: c, id: id}
	g.commit(ctx, items, parts[0].atomic, 0)

	ended := c.deps.Now()
	endSpan(span, parts, ended)
	if c.deps.Timings != nil {
		c.journal.note(Timing{Group: id, Took: ended.Sub(began)})
	}
	tally.end(ctx, parts, g.settled(items), began, ended, c.config.Budget)
	c.pace.observe(len(items), ended.Sub(began))
	c.widen()
	c.slow.note(c.deps.Logger, len(items), ended, ended.Sub(began))
	c.setAside(g.held)
}

// groupCommit is the commit of one group, in one transaction or, where it has to be
// split, in several.
type groupCommit struct {
	collector *Collector
	id        GroupID
	// held are the items that wait for a lock that somebody else holds. They have no
	// verdict yet.
	held []Item
	// heldParts are those of which an item is held for a lock that is not a session's. All
	// the rest of them waits with it: to find out which of it could be stored would keep
	// strangers waiting, and its request waits in any case.
	heldParts map[*part]bool
}

// briefLockWait is how long the parts of a group wait for a lock, once the group is split
// to find out which of its events needs it.
const briefLockWait = 50 * time.Millisecond

// commit stores items in one transaction, or in several if it has to be split. lockWait is
// how long a transaction waits for a lock; 0 is what the store waits by itself.
func (g *groupCommit) commit(ctx context.Context, items []Item, whole bool, lockWait time.Duration) {
	if items = g.holdFollowers(dropFailed(items)); len(items) == 0 {
		return
	}

	err := g.collector.deps.Store.Commit(ctx, &Group{ID: g.id, Items: items, Atomic: whole, LockWait: lockWait})
	var locked *LockedError
	switch {
	case err == nil:
	case errors.Is(err, ErrAtomicRefused):
		g.commitRefused(ctx, items)
	case errors.As(err, &locked):
		g.commitUnlocked(ctx, items, whole, locked)
	case isolates(err) && !whole && len(items) > 1:
		half := len(items) / 2
		g.commit(ctx, items[:half], false, lockWait)
		g.commit(ctx, items[half:], false, lockWait)
	case errors.Is(err, ErrNotStorable):
		g.notStorable(ctx, items, err)
	default:
		if errors.Is(err, ErrDatabaseRefuses) {
			g.logRefusal(items, err)
		}
		for _, item := range items {
			item.part.err = err
		}
	}
}

// dropFailed leaves out the items of requests that are told to send again in any case:
// to find out which of their others could be stored would keep strangers waiting.
func dropFailed(items []Item) []Item {
	failed := func(item Item) bool { return item.part.err != nil }
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
		part    *part
		session uuid.UUID
	}
	held := make(map[place]bool, len(g.held))
	for _, item := range g.held {
		held[place{item.part, item.Envelope.Event.SessionID}] = true
	}

	free := make([]Item, 0, len(items))
	for _, item := range items {
		if g.heldParts[item.part] || held[place{item.part, item.Envelope.Event.SessionID}] {
			g.held = append(g.held, item)
		} else {
			free = append(free, item)
		}
	}
	return free
}

// isolates tells whether an error is about some events of a group, and not about the
// others.
func isolates(err error) bool {
	return errors.Is(err, ErrNotStorable) || errors.Is(err, ErrDatabaseRefuses)
}

// commitUnlocked holds back the items that need a lock which somebody else holds, and
// commits the others: strangers share a transaction, and never a wait. Where the store
// cannot tell whose lock it is, the group is split until the item stands alone.
func (g *groupCommit) commitUnlocked(ctx context.Context, items []Item, whole bool, locked *LockedError) {
	if ctx.Err() != nil {
		for _, item := range items {
			item.part.err = ctx.Err()
		}
		return
	}
	if whole || len(items) == 1 || g.outOfTime(ctx) {
		g.held = append(g.held, items...)
		if len(items) == 1 && len(locked.Sessions) == 0 {
			g.holdPart(items[0].part)
		}
		return
	}
	if len(locked.Sessions) == 0 {
		half := len(items) / 2
		g.commit(ctx, items[:half], false, briefLockWait)
		g.commit(ctx, items[half:], false, briefLockWait)
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
		g.commit(ctx, free, false, briefLockWait)
	}
}

// holdPart holds back what is left of a part.
func (g *groupCommit) holdPart(p *part) {
	if g.heldParts == nil {
		g.heldParts = map[*part]bool{}
	}
	g.heldParts[p] = true
}

// outOfTime tells that half of the budget is used up, so that what still waits for a lock
// is held back unsplit: the next group must not wait for it.
func (g *groupCommit) outOfTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return bounded && deadline.Sub(g.collector.deps.Now()) < g.collector.config.Budget/2
}

// settled returns the items that have an outcome.
func (g *groupCommit) settled(items []Item) []Item {
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

// commitRefused keeps the refusals of an atomic request that was rolled back.
func (g *groupCommit) commitRefused(ctx context.Context, items []Item) {
	refuseTheRest(items)
	refused := make([]Item, 0, len(items))
	for _, item := range items {
		if item.Verdict.Refused() {
			item.Envelope.Violations = item.Verdict.Violations
			refused = append(refused, item)
		}
	}
	g.commit(ctx, refused, false, 0)
}

// notStorable refuses events that passed the decoder and yet cannot be stored:
// a defect of ours, which must not touch the neighbours and must be seen.
func (g *groupCommit) notStorable(ctx context.Context, items []Item, err error) {
	c := g.collector
	for _, item := range items {
		if !item.Envelope.Accepted() { // not even as a refusal
			item.part.err = err
			continue
		}
		c.deps.Logger.Error("an event that passed every check cannot be stored",
			zap.Stringer("event_id", item.Verdict.EventID), zap.String("request_id", item.Request.ID), zap.Error(err))
		item.Envelope.Refuse(fault.CodeNotStorable, "", "the store cannot hold this event")
		*item.Verdict = Verdict{
			Status: Rejected, EventID: item.Verdict.EventID,
			ErrorID: c.deps.NewID(), Violations: item.Envelope.Violations,
		}
		if item.Request.Replay { // it is kept already
			item.Verdict.ErrorID = uuid.Nil
			continue
		}
		g.commit(ctx, []Item{item}, false, 0)
	}
}

// logRefusal names the events that a trigger or a constraint of the database refuses which
// is not the service's: their senders are told to try again, for it is not their fault.
func (g *groupCommit) logRefusal(items []Item, err error) {
	for _, item := range items[:1] { // the others are of its request, or follow
		g.collector.deps.Logger.Error("a trigger or a constraint that is not the service's refuses an event; remove it, or send the event again after it lets it pass",
			zap.Stringer("event_id", item.Verdict.EventID), zap.String("request_id", item.Request.ID), zap.Error(err))
	}
}
