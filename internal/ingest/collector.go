package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Config bounds the collector.
type Config struct {
	// Budget is the time in which every request is answered, and bounds a transaction.
	Budget time.Duration
	// GroupEvents and GroupBytes bound what one transaction commits.
	GroupEvents int
	GroupBytes  int
	// QueueEvents and QueueBytes bound what waits for a transaction. Past them a
	// request is refused at once.
	QueueEvents int
	QueueBytes  int
	// Lanes is how many transactions may run at once. Each holds one connection.
	Lanes int
}

// Deps are what the collector works with.
type Deps struct {
	Store Store
	// Types judges events by their types. Nil lets all of them through.
	Types Types
	// Ledger knows the events that are given back. Nil knows none.
	Ledger Ledger
	Logger *zap.Logger
	// NewID makes UUIDv7s, for events without an id and for refusals.
	NewID func() uuid.UUID
	// Now is the monotonic clock that commits are timed with.
	Now func() time.Time
	// Timings keeps how long commits took. Nil keeps them nowhere.
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
	lanes  []*lane
	// sharded tells that groups are large enough to be shared out among the lanes.
	sharded     atomic.Bool
	events      atomic.Int64
	bytes       atomic.Int64
	rates       rateEstimate
	slowCommits slowCommitLog
	// deadlines end the waiting of requests.
	deadlines deadlines
	timings   *timingWriter
	// lockedLane is where events wait whose sessions somebody else holds locked.
	lockedLane *lockedLane

	mu       sync.Mutex
	stopped  bool
	laneRuns sync.WaitGroup
	// lockedLaneRun is the goroutine of the locked lane. It ends behind the lanes, which
	// hand over to it.
	lockedLaneRun sync.WaitGroup
	cancel        context.CancelFunc
}

// New makes a collector that has yet to be started.
func New(config Config, deps Deps) *Collector {
	c := &Collector{config: config, deps: deps, deadlines: deadlines{budget: config.Budget}, lockedLane: newLockedLane()}
	c.timings = newTimingWriter(deps.Timings, deps.Logger, deps.Now)
	for range max(config.Lanes, 1) {
		c.lanes = append(c.lanes, &lane{wake: make(chan struct{}, 1), metrics: newGroupMetrics(deps.Metrics)})
	}
	return c
}

// Start begins to commit. What was stopped is not started again.
func (c *Collector) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || c.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	for _, l := range c.lanes {
		c.laneRuns.Go(func() { c.runLane(ctx, l) })
	}
	c.lockedLaneRun.Go(func() { c.runLockedLane(ctx) })
	if c.deps.Timings != nil {
		go c.timings.run()
	}
}

// RegisterGauges makes the state of the queue a metric.
func (c *Collector) RegisterGauges() error {
	if c.deps.Metrics == nil {
		return nil
	}
	return c.deps.Metrics.registerGauges(c)
}

// CommitDuration tells how long the commit of a group took, as long as that is not kept elsewhere.
func (c *Collector) CommitDuration(group GroupID) (time.Duration, bool) { return c.timings.find(group) }

// Stop refuses new requests, commits what waits, and answers it. When ctx ends
// first, running transactions are cancelled, their callers told to send again,
// and the count of events that were abandoned is returned. Stop may be called
// more than once, and without Start.
func (c *Collector) Stop(ctx context.Context) (abandoned int64) {
	c.mu.Lock()
	c.stopped = true
	cancel := c.cancel
	c.mu.Unlock()
	for _, l := range c.lanes {
		l.close()
	}
	if cancel == nil { // nobody commits what waits
		abandoned = c.events.Load()
		for _, l := range c.lanes {
			l.failQueued()
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

// Submit hands in a request and waits for its verdicts, in the order of its
// envelopes. It returns a fault of kind Unavailable when there is no verdict by
// the end of the budget, when ctx ends before, when too much is waiting, or when
// the store cannot be reached: then nothing is known of the outcome, and the request
// can be sent again with the same event ids.
func (c *Collector) Submit(ctx context.Context, request *Request) ([]Verdict, error) {
	if err := c.validateTypes(ctx, request); err != nil {
		return nil, err
	}
	now := c.deps.Now()
	request.ValidatedAfter = max(0, now.Sub(request.ReceivedAt))
	w := &pendingRequest{done: make(chan struct{}), collector: c, submittedAt: now, span: request.Span}
	items, verdicts := w.allocate(len(request.Envelopes))
	items, size := c.prepareItems(request, items, verdicts)
	if len(items) == 0 {
		setTypeVersions(request, verdicts)
		return verdicts, nil
	}
	w.events, w.size = len(items), size
	whole := request.Atomic && len(items) == len(verdicts)
	if reason := c.admitRequest(items, size, whole); reason != "" {
		c.deps.Metrics.countShed(ctx, reason)
		return nil, fault.Busy(nil, fault.CodeOverloaded, "too many events are waiting to be stored; send the request again", c.estimateRetryAfter())
	}
	c.enqueueRequest(w, items, whole)
	cause := context.DeadlineExceeded
	select {
	case <-w.done:
		if w.err == nil {
			setTypeVersions(request, verdicts)
			return verdicts, nil
		}
		cause = w.err
	case <-c.deadlines.expiryOf(now):
	case <-ctx.Done():
		cause = ctx.Err()
	}
	w.abandoned.Store(true)
	c.deps.Metrics.countShed(ctx, shedReasonOf(cause))
	return nil, c.unavailableFault(cause)
}

// DryRun judges a request as Submit would, and stores nothing.
func (c *Collector) DryRun(ctx context.Context, request *Request) ([]Verdict, error) {
	if err := c.validateTypes(ctx, request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()
	verdicts := make([]Verdict, len(request.Envelopes))
	items, _ := c.prepareItems(request, make([]Item, 0, len(verdicts)), verdicts)
	if err := c.deps.Store.DryRun(ctx, &Group{Items: items, Atomic: request.Atomic}); err != nil {
		return nil, c.unavailableFault(err)
	}
	if request.Atomic && slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.IsRejected() }) {
		markNotStored(items)
	}
	for i := range verdicts {
		verdicts[i].ErrorID = uuid.Nil
	}
	setTypeVersions(request, verdicts)
	return verdicts, nil
}

func (c *Collector) validateTypes(ctx context.Context, request *Request) error {
	if err := c.checkReadOnlyFields(ctx, request); err != nil || c.deps.Types == nil {
		return err
	}
	return c.deps.Types.Judge(request.Envelopes, request.Replay)
}

// setTypeVersions notes which version of its type judged each event.
func setTypeVersions(request *Request, verdicts []Verdict) {
	for i := range verdicts {
		if v := &verdicts[i]; v.Status == Stored || v.Status == Valid || v.Status == Rejected {
			v.TypeVersion = request.Envelopes[i].TypeVersion
		}
	}
}

// prepareItems appends the items to commit. Events without an id get one, refusals get
// the id to be kept under, and events are brought into the order of their
// timestamps, in which they will be numbered.
func (c *Collector) prepareItems(request *Request, items []Item, verdicts []Verdict) (prepared []Item, size int) {
	refused := false
	for i := range request.Envelopes {
		e, v := &request.Envelopes[i], &verdicts[i]
		switch {
		case !e.Accepted():
			refused = true
			*v = Verdict{Status: Rejected, ErrorID: c.deps.NewID(), Violations: e.Violations}
		case !e.Has(event.FieldID):
			e.Event.ID = c.deps.NewID()
			e.Known |= event.FieldID
		}
		if e.Has(event.FieldID) {
			v.EventID = e.Event.ID
		}
		size += len(e.Raw)
		items = append(items, Item{Request: request, Envelope: e, Verdict: v})
	}
	if request.Atomic && refused {
		markNotStored(items)
		items = slices.DeleteFunc(items, func(i Item) bool { return i.Verdict.Status == NotStored })
	}
	if request.Replay {
		items = slices.DeleteFunc(items, func(i Item) bool { return i.Verdict.IsRejected() })
	}
	byTime := func(a, b Item) int { return a.Envelope.Event.Timestamp.Compare(b.Envelope.Event.Timestamp) }
	if !slices.IsSortedFunc(items, byTime) {
		slices.SortStableFunc(items, byTime)
	}
	return items, size
}

// markNotStored marks the valid events of an atomic request that is refused.
func markNotStored(items []Item) {
	for _, item := range items {
		if !item.Verdict.IsRejected() {
			*item.Verdict = Verdict{Status: NotStored, EventID: item.Verdict.EventID}
		}
	}
}

// admitRequest makes room in the queue, or says why there is none.
func (c *Collector) admitRequest(items []Item, size int, whole bool) shedReason {
	events := len(items)
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	if stopped {
		return shedStopping
	}
	queued, held := c.events.Add(int64(events)), c.bytes.Add(int64(size))
	if queued > int64(c.config.QueueEvents) || held > int64(c.config.QueueBytes) || (queued > int64(events) && c.wouldMissBudget(items, whole)) {
		c.releaseRoom(events, size)
		return shedQueueFull
	}
	return ""
}

// wouldMissBudget tells whether a request cannot be expected to be stored within the budget, for
// all that waits before it. To let it in would be to do work that nobody waits for any
// more. A request that finds nobody waiting is let in whatever was measured, or a
// database that was away would never be asked again.
func (c *Collector) wouldMissBudget(items []Item, whole bool) bool {
	const share = 0.8 // of the budget; the rest is for a group that takes longer than those before it
	groups := 0.0
	if whole || !c.sharded.Load() {
		groups = c.lanes[0].queuedGroups(&c.config)
	} else {
		for i := range items {
			groups = max(groups, c.lanes[c.laneOf(items[i].Envelope.Event.SessionID)].queuedGroups(&c.config))
		}
	}
	// A group is on its way already, and its own is begun or comes last.
	own := float64(len(items)) / float64(c.config.GroupEvents)
	return (1+groups+own)*float64(c.rates.commitDuration()) > share*float64(c.config.Budget)
}

func (c *Collector) releaseRoom(events, size int) {
	c.events.Add(int64(-events))
	c.bytes.Add(int64(-size))
}

// estimateRetryAfter estimates how long what waits now will take, and adds up to half of
// it, so that those who are sent away do not all come back at once. It is in whole
// seconds, as the header is: spread within one second, all would be told the next.
func (c *Collector) estimateRetryAfter() time.Duration {
	wait := max(time.Second, min(c.rates.timeFor(c.events.Load()), c.config.Budget))
	return wait.Round(time.Second) + rand.N(wait/2+time.Second).Truncate(time.Second) //nolint:gosec // it spreads retries and guards nothing
}

// unavailableFault turns what stopped a commit into the one answer a sender can use.
func (c *Collector) unavailableFault(err error) error {
	if errors.Is(err, ErrUnsafeDatabase) {
		return fault.Busy(err, fault.CodeUnavailable, "nothing was stored: a setting of the database could lose events, and an operator has to correct it; "+
			"send the request again with the same event ids", c.estimateRetryAfter())
	}
	return fault.Busy(err, fault.CodeUnavailable,
		"the events could not be stored in time and their outcome is not known; send the request again with the same event ids", c.estimateRetryAfter())
}
