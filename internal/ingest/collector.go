package ingest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// Config bounds the collector.
type Config struct {
	// Budget is the time in which every request is answered, and bounds a transaction.
	Budget time.Duration
	// GroupEvents and GroupBytes bound what one transaction commits.
	GroupEvents int
	GroupBytes  int
	// QueueEvents and QueueBytes bound the queue. A request that does not fit is shed at once.
	QueueEvents int
	QueueBytes  int
	// Lanes is how many transactions may run at once. Each holds one connection.
	Lanes int
}

// Deps are what the collector works with.
type Deps struct {
	Store Store
	// Types validates payloads by their event types. Nil accepts all of them.
	Types Types
	// Ledger finds stored events by their ids. Nil finds none.
	Ledger Ledger
	Logger *zap.Logger
	// NewID makes UUIDv7s, for events without an id and for rejections.
	NewID func() uuid.UUID
	// Now is the monotonic clock that commits are timed with.
	Now func() time.Time
	// Timings stores how long commits took. Nil stores nothing.
	Timings TimingStore
	// Metrics are what is measured. Nil measures nothing.
	Metrics *Metrics
	// Tracer makes a span for each group that holds a sampled request. Nil makes none.
	Tracer trace.Tracer
}

// Collector is the group commit. Its methods are safe for concurrent use.
type Collector struct {
	config Config
	deps   Deps

	// events and bytes are what waits for a verdict.
	events    atomic.Int64
	bytes     atomic.Int64
	rates     rateEstimate
	deadlines deadlines

	lanes []*lane
	// sharded means that groups are large enough to be spread over the lanes by session.
	sharded atomic.Bool
	// lockedLane holds the events of sessions that another transaction has locked.
	lockedLane *lockedLane

	timings     *timingWriter
	slowCommits slowCommitLog

	mu       sync.Mutex
	stopped  bool
	cancel   context.CancelFunc
	laneRuns sync.WaitGroup
	// lockedLaneRun ends after the lanes, which move entries to the locked lane.
	lockedLaneRun sync.WaitGroup
}

// New makes a collector that has yet to be started.
func New(config Config, deps Deps) *Collector {
	c := &Collector{
		config:     config,
		deps:       deps,
		deadlines:  deadlines{budget: config.Budget},
		lockedLane: newLockedLane(),
		timings:    newTimingWriter(deps.Timings, deps.Logger, deps.Now),
	}
	for range max(config.Lanes, 1) {
		c.lanes = append(c.lanes, &lane{wake: newSignal(), metrics: newGroupMetrics(deps.Metrics)})
	}

	return c
}

// Start begins to commit, until Stop, even when ctx ends before. A stopped collector is not
// started again.
func (c *Collector) Start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.stopped || c.cancel != nil {
		return
	}

	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	for _, l := range c.lanes {
		c.laneRuns.Go(func() { c.runLane(ctx, l) })
	}

	c.lockedLaneRun.Go(func() { c.runLockedLane(ctx) })
	if c.deps.Timings != nil {
		go c.timings.run(ctx)
	}
}

// Stop sheds new requests, commits what waits, and answers it. When ctx ends first,
// running transactions are cancelled, their senders are asked to send again, and the
// number of abandoned events is returned. Stop may be called more than once, and
// without Start.
func (c *Collector) Stop(ctx context.Context) (abandoned int64) {
	c.mu.Lock()
	c.stopped = true
	cancel := c.cancel
	c.mu.Unlock()

	for _, l := range c.lanes {
		l.close()
	}

	if cancel == nil { // no lane runs, so nothing that waits will be committed
		abandoned = c.events.Load()
		for _, l := range c.lanes {
			c.failQueued(l)
		}

		return abandoned
	}

	defer cancel()

	drained := make(chan struct{})
	go func() {
		c.laneRuns.Wait()
		c.lockedLane.close()
		c.lockedLaneRun.Wait()
		if c.deps.Timings != nil {
			c.timings.stop()
		}

		close(drained)
	}()

	select {
	case <-drained:
	case <-ctx.Done():
		abandoned = c.events.Load()
		cancel()
		<-drained
	}

	return abandoned
}

// QueuedEvents returns how many events wait for a verdict.
func (c *Collector) QueuedEvents() int64 { return c.events.Load() }

// CommitDuration returns how long the commit of a group took, until that is stored.
func (c *Collector) CommitDuration(group GroupID) (time.Duration, bool) { return c.timings.find(group) }

// RegisterGauges makes the state of the queue a metric.
func (c *Collector) RegisterGauges() error {
	if c.deps.Metrics == nil {
		return nil
	}

	return c.deps.Metrics.registerGauges(c)
}
