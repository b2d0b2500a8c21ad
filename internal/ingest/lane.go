package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Groups are shared out among the lanes, by session, once they are large: two
// groups then no longer meet in a hot session. Small groups are better kept
// together, for the cost of a transaction is shared by fewer events otherwise.
const (
	shardAbove   = 250
	unshardBelow = 60
)

var errStopped = errors.New("the service is stopping")

// pendingRequest is a request that waits for its parts.
type pendingRequest struct {
	openEntries atomic.Int32
	abandoned   atomic.Bool
	failure     sync.Once
	err         error
	done        chan struct{}
	// The room in the queue is given back once nothing refers to it any more.
	collector *Collector
	events    int
	size      int
	// submittedAt is when it began to wait.
	submittedAt time.Time
	// span is the request's; nil unless it is sampled.
	span trace.Span
	// first is the part of a request that goes into one group, as most do; item and
	// verdict are those of a request with one event.
	first   queueEntry
	item    [1]Item
	verdict [1]Verdict
}

// allocate returns room for the items and the verdicts of n envelopes.
func (w *pendingRequest) allocate(n int) ([]Item, []Verdict) {
	if n == 1 {
		return w.item[:0], w.verdict[:]
	}
	return make([]Item, 0, n), make([]Verdict, n)
}

// queueEntry is the share of a request that goes into one group.
type queueEntry struct {
	request *pendingRequest
	items   []Item
	size    int
	atomic  bool
	err     error
}

func (p *queueEntry) finish() {
	if p.err != nil {
		p.request.failure.Do(func() { p.request.err = p.err })
	}
	if p.request.openEntries.Add(-1) == 0 {
		p.request.collector.releaseRoom(p.request.events, p.request.size)
		close(p.request.done)
	}
}

// lane is a queue whose groups are committed one after the other.
type lane struct {
	mu     sync.Mutex
	queue  []*queueEntry
	closed bool
	// events and bytes are what waits in the queue.
	events, bytes atomic.Int64
	// atomicEntries is how many atomic parts wait there.
	atomicEntries atomic.Int64
	wake          chan struct{}
	metrics       *groupMetrics
}

// enqueue queues a part unless the lane is closed.
func (l *lane) enqueue(p *queueEntry) bool {
	l.mu.Lock()
	open := !l.closed
	if open {
		l.queue = append(l.queue, p)
		l.updateCounts(p, 1)
	}
	l.mu.Unlock()
	l.wakeUp()
	return open
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wakeUp()
}

// failQueued tells those who wait in a lane that is closed, and never ran, to send again.
func (l *lane) failQueued() {
	l.mu.Lock()
	left := l.queue
	l.queue = nil
	for _, p := range left {
		l.updateCounts(p, -1)
	}
	l.mu.Unlock()
	for _, p := range left {
		p.err = errStopped
		p.finish()
	}
}

func (l *lane) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // a signal is pending already
	}
}

// dequeue returns the next group's parts. None and open means: wait for a signal. Where more
// waits than one group may hold, the applications take turns.
func (l *lane) dequeue(maxEvents, maxBytes int) (parts []*queueEntry, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fitsOneGroup(maxEvents, maxBytes) {
		parts, l.queue = l.queue, nil
	} else {
		parts, l.queue = pickByTurns(l.queue, maxEvents, maxBytes)
	}
	for _, p := range parts {
		l.updateCounts(p, -1)
	}
	return parts, !l.closed
}

// fitsOneGroup tells whether all that waits may be one group. An atomic part is one by itself.
func (l *lane) fitsOneGroup(maxEvents, maxBytes int) bool {
	if len(l.queue) <= 1 {
		return true
	}
	return l.atomicEntries.Load() == 0 && l.events.Load() <= int64(maxEvents) && l.bytes.Load() <= int64(maxBytes)
}

// pickByTurns picks the parts of a group: the oldest first, then one of each application in
// turn, those of one application in the order in which they came. What is left keeps its
// order. An application that sends very much fills what the others leave, and delays
// nobody by more than a group.
func pickByTurns(queue []*queueEntry, maxEvents, maxBytes int) (picked, left []*queueEntry) {
	if queue[0].atomic {
		return slices.Clone(queue[:1]), slices.Clone(queue[1:])
	}

	var applications []event.ApplicationID
	waiting := map[event.ApplicationID][]*queueEntry{}
	for _, p := range queue {
		from := p.items[0].Request.Application
		if waiting[from] == nil {
			applications = append(applications, from)
		}
		waiting[from] = append(waiting[from], p)
	}

	chosen := make(map[*queueEntry]bool)
	events, size := 0, 0
	for len(applications) > 0 {
		goOn := applications[:0]
		for _, from := range applications {
			p := waiting[from][0]
			if p.atomic || len(chosen) > 0 && (events+len(p.items) > maxEvents || size+p.size > maxBytes) {
				continue // what comes behind it waits with it
			}
			chosen[p] = true
			events += len(p.items)
			size += p.size
			if waiting[from] = waiting[from][1:]; len(waiting[from]) > 0 {
				goOn = append(goOn, from)
			}
		}
		applications = goOn
	}

	for _, p := range queue {
		if chosen[p] {
			picked = append(picked, p)
		} else {
			left = append(left, p)
		}
	}
	return picked, left
}

// updateCounts notes that a part came into the queue, by 1, or left it, by -1.
func (l *lane) updateCounts(p *queueEntry, by int64) {
	l.events.Add(by * int64(len(p.items)))
	l.bytes.Add(by * int64(p.size))
	if p.atomic {
		l.atomicEntries.Add(by)
	}
}

// queuedGroups is how many groups wait in the queue, a part of one counted as such. An atomic
// part is a group of its own.
func (l *lane) queuedGroups(config *Config) float64 {
	return float64(l.atomicEntries.Load()) + max(float64(l.events.Load())/float64(config.GroupEvents), float64(l.bytes.Load())/float64(config.GroupBytes))
}

// laneOf tells in which lane the events of a session are, while requests are shared out.
func (c *Collector) laneOf(session uuid.UUID) int {
	// The last byte is random in a UUIDv4 and a v7, the fourth changes fastest in a v1,
	// and ids that somebody made may be random in the middle alone.
	return int(session[15]^session[11]^session[3]) % len(c.lanes)
}

// enqueueRequest shares a request's items out among the lanes.
func (c *Collector) enqueueRequest(w *pendingRequest, items []Item, whole bool) {
	if c.lockedLane.isEmpty() && (whole || len(c.lanes) == 1 || !c.sharded.Load()) {
		w.openEntries.Store(1)
		w.first = queueEntry{request: w, items: items, size: w.size, atomic: whole}
		c.enqueueEntry(c.lanes[0], &w.first)
		return
	}

	items, held := c.lockedLane.splitLocked(items, whole)
	shares := c.shardItems(items, whole)
	parts := len(held)
	for _, share := range shares {
		if share != nil {
			parts++
		}
	}

	w.openEntries.Store(int32(parts)) //nolint:gosec // bounded by the batch limit
	for at, share := range shares {
		if share != nil {
			c.enqueueEntry(c.lanes[at], &queueEntry{request: w, items: share, size: w.size * len(share) / max(len(items), 1), atomic: whole})
		}
	}
	for session, share := range held {
		c.lockedLane.enqueue(session, &queueEntry{request: w, items: share, atomic: whole})
	}
}

// shardItems tells which items go into which lane.
func (c *Collector) shardItems(items []Item, whole bool) [][]Item {
	shares := make([][]Item, len(c.lanes))
	if whole || !c.sharded.Load() {
		if len(items) > 0 {
			shares[0] = items
		}
		return shares
	}
	for _, item := range items {
		at := c.laneOf(item.Envelope.Event.SessionID)
		shares[at] = append(shares[at], item)
	}
	return shares
}

func (c *Collector) enqueueEntry(l *lane, p *queueEntry) {
	for i := range p.items {
		p.items[i].entry = p
	}
	if !l.enqueue(p) {
		p.err = errStopped
		p.finish()
	}
}

// runLane commits a lane's groups until the lane is closed and empty.
func (c *Collector) runLane(ctx context.Context, l *lane) {
	for {
		parts, open := l.dequeue(c.config.GroupEvents, c.config.GroupBytes)
		if len(parts) > 0 {
			c.commitEntries(ctx, l, parts)
			continue
		}
		if !open {
			return
		}
		<-l.wake
	}
}

// commitEntries commits one group and answers its requests.
func (c *Collector) commitEntries(ctx context.Context, l *lane, parts []*queueEntry) {
	items, live := make([]Item, 0, 2*len(parts)), make([]*queueEntry, 0, len(parts))
	for _, p := range parts {
		if p.request.abandoned.Load() {
			p.err = context.Canceled // nobody waits for it any more
			continue
		}
		items, live = append(items, p.items...), append(live, p)
	}
	if len(items) > 0 {
		c.commitGroup(ctx, l.metrics, live, items)
	}
	for _, p := range parts {
		p.finish()
	}
}

// updateSharding decides whether requests are shared out among the lanes.
func (c *Collector) updateSharding() {
	switch size := c.rates.groupSize(); {
	case size > shardAbove:
		c.sharded.Store(true)
	case size < unshardBelow:
		c.sharded.Store(false)
	}
}

// rateEstimate follows how fast groups are committed, as moving averages.
type rateEstimate struct {
	mu     sync.Mutex
	events float64 // a group
	took   float64 // a group, in nanoseconds, in which the last few count most
	rate   float64 // events a second
}

func (p *rateEstimate) addGroup(events int, took time.Duration) {
	const weight, quick = 0.1, 0.5
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events += weight * (float64(events) - p.events)
	if p.took == 0 {
		p.took = float64(took)
	}
	p.took += quick * (float64(took) - p.took)
	if s := took.Seconds(); s > 0 {
		p.rate += weight * (float64(events)/s - p.rate)
	}
}

func (p *rateEstimate) groupSize() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

// commitDuration is how long the commit of a group takes of late.
func (p *rateEstimate) commitDuration() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.took)
}

// timeFor estimates how long a number of events takes.
func (p *rateEstimate) timeFor(events int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate < 1 {
		return 0
	}
	return time.Duration(float64(events) / p.rate * float64(time.Second))
}
