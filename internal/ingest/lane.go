package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Requests are spread over the lanes, by session, once groups are large: two groups then no
// longer meet in a hot session. Small groups are better kept together, for the cost of a
// transaction is shared by fewer events otherwise.
const (
	shardAbove   = 250
	unshardBelow = 60
)

var errStopped = errors.New("the service is stopping")

// queueEntry is the part of a request that goes into one group: all of it, unless it is
// spread over the lanes.
type queueEntry struct {
	pending *pendingRequest
	items   []Item
	size    int
}

// enqueue puts a request into the queues of the lanes.
func (c *Collector) enqueue(p *pendingRequest) {
	sharded := c.sharded.Load() && !p.atomic
	if !sharded && c.lockedLane.isEmpty() {
		p.firstEntry = queueEntry{pending: p, items: p.items, size: p.size}
		c.enqueueEntry(c.lanes[0], &p.firstEntry)
		return
	}

	p.openEntries.Add(1) // so that it is not finished before all its entries are queued
	free, locked := c.lockedLane.splitLocked(p.items, p.atomic)
	for at, items := range c.shardItems(free, sharded) {
		if len(items) > 0 {
			c.enqueueEntry(c.lanes[at], &queueEntry{pending: p, items: items, size: p.size * len(items) / len(free)})
		}
	}

	for session, items := range locked {
		c.enqueueLocked(session, &queueEntry{pending: p, items: items})
	}

	c.finishEntry(p, nil)
}

func (c *Collector) enqueueEntry(l *lane, entry *queueEntry) {
	entry.pending.openEntries.Add(1)
	if !l.push(entry) {
		c.finishEntry(entry.pending, errStopped)
	}
}

// shardItems returns the items of each lane.
func (c *Collector) shardItems(items []Item, sharded bool) [][]Item {
	shards := make([][]Item, len(c.lanes))
	if !sharded {
		shards[0] = items
		return shards
	}

	for _, item := range items {
		at := c.laneOf(item.Envelope.Event.SessionID)
		shards[at] = append(shards[at], item)
	}

	return shards
}

// laneOf returns in which lane the events of a session are, while requests are spread.
func (c *Collector) laneOf(session uuid.UUID) int {
	// The last byte is random in a UUIDv4 and a v7, the fourth changes fastest in a v1,
	// and ids that a client composed may be random in the middle alone.
	return int(session[15]^session[11]^session[3]) % len(c.lanes)
}

// updateSharding decides whether requests are spread over the lanes.
func (c *Collector) updateSharding() {
	switch size := c.rates.groupSize(); {
	case size > shardAbove && len(c.lanes) > 1:
		c.sharded.Store(true)
	case size < unshardBelow:
		c.sharded.Store(false)
	}
}

// runLane commits a lane's groups until the lane is closed and empty.
func (c *Collector) runLane(ctx context.Context, l *lane) {
	for {
		entries, open := l.dequeue(c.config.GroupEvents, c.config.GroupBytes)
		if len(entries) > 0 {
			c.commitGroup(ctx, l, entries)
			continue
		}

		if !open {
			return
		}

		<-l.wake
	}
}

// finishEntry records the outcome of a part of a request. The last one answers the request,
// and gives back its room in the queue: nothing refers to it any more.
func (c *Collector) finishEntry(p *pendingRequest, err error) {
	if err != nil {
		p.failOnce.Do(func() { p.err = err })
	}

	if p.openEntries.Add(-1) == 0 {
		c.releaseRoom(p)
		close(p.done)
	}
}

// failQueued asks the senders of what waits in a closed lane, which never ran, to send again.
func (c *Collector) failQueued(l *lane) {
	l.mu.Lock()
	left := l.queue
	l.queue = nil
	l.events.Store(0)
	l.bytes.Store(0)
	l.atomicEntries.Store(0)
	l.mu.Unlock()

	for _, entry := range left {
		c.finishEntry(entry.pending, errStopped)
	}
}

// lane is a queue whose groups are committed one after the other.
type lane struct {
	wake    signal
	metrics *groupMetrics

	mu     sync.Mutex
	queue  []*queueEntry
	closed bool
	// events, bytes and atomicEntries are what waits in the queue.
	events        atomic.Int64
	bytes         atomic.Int64
	atomicEntries atomic.Int64
}

// push queues an entry unless the lane is closed.
func (l *lane) push(entry *queueEntry) (open bool) {
	l.mu.Lock()
	open = !l.closed
	if open {
		l.queue = append(l.queue, entry)
		l.addToCounts(entry, 1)
	}

	l.mu.Unlock()

	l.wake.send()

	return open
}

// close stops the lane from accepting entries. What waits is still committed.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()

	l.wake.send()
}

// dequeue returns the next group's entries. None and open means: wait for a signal. Where
// more waits than one group may hold, the applications take turns.
func (l *lane) dequeue(maxEvents, maxBytes int) (entries []*queueEntry, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.fitsOneGroup(maxEvents, maxBytes) {
		entries = l.queue
		l.queue = nil
	} else {
		entries, l.queue = pickByTurns(l.queue, maxEvents, maxBytes)
	}

	for _, entry := range entries {
		l.addToCounts(entry, -1)
	}

	return entries, !l.closed
}

// fitsOneGroup reports whether all that waits may be one group. An atomic entry is a group of
// its own.
func (l *lane) fitsOneGroup(maxEvents, maxBytes int) bool {
	if len(l.queue) <= 1 {
		return true
	}

	return l.atomicEntries.Load() == 0 && l.events.Load() <= int64(maxEvents) && l.bytes.Load() <= int64(maxBytes)
}

// addToCounts counts an entry that came into the queue, by 1, or left it, by -1.
func (l *lane) addToCounts(entry *queueEntry, by int64) {
	l.events.Add(by * int64(len(entry.items)))
	l.bytes.Add(by * int64(entry.size))
	if entry.pending.atomic {
		l.atomicEntries.Add(by)
	}
}

// queuedGroups returns how many groups wait in the queue, a part of one counted as such.
func (l *lane) queuedGroups(config *Config) float64 {
	byEvents := float64(l.events.Load()) / float64(config.GroupEvents)
	byBytes := float64(l.bytes.Load()) / float64(config.GroupBytes)

	return float64(l.atomicEntries.Load()) + max(byEvents, byBytes)
}

// pickByTurns picks the entries of a group: the oldest first, then one of each application in
// turn, those of one application in the order in which they came. What is left keeps its
// order. An application that sends very much fills what the others leave, and delays
// no other by more than a group.
func pickByTurns(queue []*queueEntry, maxEvents, maxBytes int) (picked, left []*queueEntry) {
	if queue[0].pending.atomic {
		return slices.Clone(queue[:1]), slices.Clone(queue[1:])
	}

	var applications []event.ApplicationID
	waiting := map[event.ApplicationID][]*queueEntry{}
	for _, entry := range queue {
		from := entry.pending.request.Application
		if waiting[from] == nil {
			applications = append(applications, from)
		}

		waiting[from] = append(waiting[from], entry)
	}

	chosen := make(map[*queueEntry]bool)
	events, size := 0, 0
	for len(applications) > 0 {
		haveMore := applications[:0]
		for _, from := range applications {
			entry := waiting[from][0]
			tooMany := events+len(entry.items) > maxEvents || size+entry.size > maxBytes
			if entry.pending.atomic || len(chosen) > 0 && tooMany {
				continue // what comes behind it waits with it
			}

			chosen[entry] = true
			events += len(entry.items)
			size += entry.size
			if waiting[from] = waiting[from][1:]; len(waiting[from]) > 0 {
				haveMore = append(haveMore, from)
			}
		}

		applications = haveMore
	}

	for _, entry := range queue {
		if chosen[entry] {
			picked = append(picked, entry)
		} else {
			left = append(left, entry)
		}
	}

	return picked, left
}

// signal wakes up one goroutine. Signals that are sent while one is pending are one.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) send() {
	select {
	case s <- struct{}{}:
	default: // one is pending already
	}
}
