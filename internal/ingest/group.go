package ingest

import (
	"context"
	"errors"
	"time"
)

// groupCommit is the commit of one group, in one transaction or, where it has to be
// split, in several.
type groupCommit struct {
	collector *Collector
	id        GroupID
	began     time.Time
	entries   []*queueEntry
	items     []Item
	// failed are the requests whose senders have to send again, and why; nil until there
	// are some. A request has one entry at most in a group.
	failed map[*Request]error
	// held are the items that wait for a lock of another transaction. They have no verdict yet.
	held []Item
	// heldRequests are those of which an item is held for a lock that is not a session's. All
	// the rest of them waits with it: to find out which of it could be stored would keep
	// other requests waiting, and its own request waits in any case.
	heldRequests map[*Request]bool
}

// commitGroup commits the entries of one group and answers their requests.
func (c *Collector) commitGroup(ctx context.Context, l *lane, entries []*queueEntry) {
	g := c.newGroup(entries)
	if len(g.items) == 0 {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()

	ctx, span := c.startGroupTelemetry(ctx, l.metrics, g)

	g.commitItems(ctx, g.items, g.entries[0].pending.atomic, 0)

	took := c.endGroupTelemetry(ctx, l.metrics, g, span)
	c.rates.addGroup(len(g.items), took)
	c.updateSharding()
	g.finish()
}

// newGroup makes a group of entries. Those that no sender waits for any more are dropped.
func (c *Collector) newGroup(entries []*queueEntry) *groupCommit {
	began := c.deps.Now()
	g := &groupCommit{
		collector: c,
		id:        newGroupID(began),
		began:     began,
		entries:   make([]*queueEntry, 0, len(entries)),
		items:     make([]Item, 0, 2*len(entries)),
	}
	for _, entry := range entries {
		if entry.pending.abandoned.Load() {
			c.finishEntry(entry.pending, context.Canceled)
			continue
		}

		g.entries = append(g.entries, entry)
		g.items = append(g.items, entry.items...)
	}

	return g
}

// finish answers the requests of a group, unless they wait for others of their entries, or
// for held items: these go to the locked lane first, as a request is answered when none of its
// entries is open.
func (g *groupCommit) finish() {
	g.moveHeldToLockedLane()
	for _, entry := range g.entries {
		g.collector.finishEntry(entry.pending, g.failed[entry.pending.request])
	}
}

// commitItems stores items in one transaction, or in several if it has to be split. lockWait
// is how long a transaction waits for a lock; 0 is the store's own bound.
func (g *groupCommit) commitItems(ctx context.Context, items []Item, atomic bool, lockWait time.Duration) {
	if items = g.holdFollowers(g.withoutFailed(items)); len(items) == 0 {
		return
	}

	err := g.collector.deps.Store.Commit(ctx, &Group{ID: g.id, Items: items, Atomic: atomic, LockWait: lockWait})
	var locked *LockedError
	switch {
	case err == nil:
	case errors.Is(err, ErrAtomicRejected):
		g.commitRejections(ctx, items)
	case errors.As(err, &locked):
		g.commitUnlocked(ctx, items, atomic, locked)
	case canSplit(err) && !atomic && len(items) > 1:
		g.commitHalves(ctx, items, lockWait)
	case errors.Is(err, ErrNotStorable):
		g.rejectNotStorable(ctx, items, err)
	default:
		g.fail(items, err)
	}
}

// fail asks the senders of items to send again.
func (g *groupCommit) fail(items []Item, err error) {
	if errors.Is(err, ErrRejectedByDatabase) {
		g.logRejectedByDatabase(items[0], err) // one line names the first event
	}

	if g.failed == nil {
		g.failed = map[*Request]error{}
	}

	for _, item := range items {
		g.failed[item.Request] = err
	}
}
