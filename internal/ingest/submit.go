package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Submit hands in a request and waits for its verdicts, in the order of its envelopes. It
// returns a fault of kind Unavailable when the queue is full, and nothing was stored; or, with
// an unknown outcome, when there is no verdict by the end of the budget or of ctx, or the
// store cannot be reached. The request can be sent again with the same event ids.
func (c *Collector) Submit(ctx context.Context, request *Request) ([]Verdict, error) {
	if err := c.validateTypes(ctx, request); err != nil {
		return nil, err
	}

	p := newPendingRequest(request, c.deps.Now())
	request.ValidatedAfter = max(0, p.submittedAt.Sub(request.ReceivedAt))
	c.prepareItems(p)
	if len(p.items) == 0 {
		return p.answer(), nil
	}

	if reason := c.admit(p); reason != "" {
		c.deps.Metrics.countShed(ctx, reason)
		return nil, fault.NewUnavailable(nil, fault.CodeOverloaded, "too many events are waiting to be stored; send the request again", c.estimateRetryAfter())
	}

	c.enqueue(p)

	cause := context.DeadlineExceeded
	select {
	case <-p.done:
		if p.err == nil {
			return p.answer(), nil
		}

		cause = p.err
	case <-c.deadlines.expiryOf(p.submittedAt):
	case <-ctx.Done():
		cause = ctx.Err()
	}

	p.abandoned.Store(true)
	c.deps.Metrics.countShed(ctx, shedReasonOf(cause))

	return nil, c.unavailableFault(cause)
}

// DryRun returns the verdicts that Submit would return now, and stores nothing.
func (c *Collector) DryRun(ctx context.Context, request *Request) ([]Verdict, error) {
	if err := c.validateTypes(ctx, request); err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()

	p := newPendingRequest(request, c.deps.Now())
	c.prepareItems(p)
	if err := c.deps.Store.DryRun(ctx, &Group{Items: p.items, Atomic: request.Atomic}); err != nil {
		return nil, c.uncheckedFault(err)
	}

	if request.Atomic && slices.ContainsFunc(p.verdicts, func(v Verdict) bool { return v.IsRejected() }) {
		markNotStored(p.items)
	}

	for i := range p.verdicts {
		p.verdicts[i].ErrorID = uuid.Nil
	}

	return p.answer(), nil
}

// validateTypes validates the payloads of a request.
func (c *Collector) validateTypes(ctx context.Context, request *Request) error {
	if err := c.checkReadOnlyFields(ctx, request); err != nil || c.deps.Types == nil {
		return err
	}

	if request.RegisteredOnly {
		return c.deps.Types.ValidateRegistered(request.Envelopes)
	}

	return c.deps.Types.ValidatePayloads(request.Envelopes, request.Replay)
}

// prepareItems makes the items to commit. Events without an id get one, rejections get the
// id to be recorded under, and events are brought into the order of their timestamps, in
// which they will be numbered.
func (c *Collector) prepareItems(p *pendingRequest) {
	anyRejected := false
	for i := range p.request.Envelopes {
		e := &p.request.Envelopes[i]
		v := &p.verdicts[i]
		switch {
		case !e.Accepted():
			anyRejected = true
			*v = Verdict{Status: Rejected, ErrorID: c.deps.NewID(), Violations: e.Violations}
		case !e.Has(event.FieldID):
			e.Event.ID = c.deps.NewID()
			e.Known |= event.FieldID
		}

		if e.Has(event.FieldID) {
			v.EventID = e.Event.ID
		}

		p.size += len(e.Raw)
		p.items = append(p.items, Item{Request: p.request, Envelope: e, Verdict: v})
	}

	if p.request.Atomic && anyRejected {
		markNotStored(p.items)
		p.items = slices.DeleteFunc(p.items, func(i Item) bool { return i.Verdict.Status == NotStored })
	}

	if p.request.Replay { // its rejections are recorded already
		p.items = slices.DeleteFunc(p.items, func(i Item) bool { return i.Verdict.IsRejected() })
	}

	p.atomic = p.request.Atomic && len(p.items) == len(p.verdicts)

	byTime := func(a, b Item) int { return a.Envelope.Event.Timestamp.Compare(b.Envelope.Event.Timestamp) }
	if !slices.IsSortedFunc(p.items, byTime) {
		slices.SortStableFunc(p.items, byTime)
	}
}

// markNotStored marks the valid events of an atomic request that is rejected.
func markNotStored(items []Item) {
	for _, item := range items {
		if !item.Verdict.IsRejected() {
			*item.Verdict = Verdict{Status: NotStored, EventID: item.Verdict.EventID}
		}
	}
}

// unavailableFault turns what stopped a commit into the one answer a sender can use.
func (c *Collector) unavailableFault(err error) error {
	if errors.Is(err, ErrUnsafeDatabase) {
		return fault.NewUnavailable(err, fault.CodeUnavailable, "nothing was stored: a setting of the database could lose events, and an operator has to correct it; "+
			"send the request again with the same event ids", c.estimateRetryAfter())
	}

	return fault.NewUnavailable(err, fault.CodeUnavailable,
		"the events could not be stored in time and their outcome is not known; send the request again with the same event ids", c.estimateRetryAfter())
}

// uncheckedFault says that events could not be compared with what is stored, before any was.
func (c *Collector) uncheckedFault(err error) error {
	return fault.NewUnavailable(err, fault.CodeUnavailable,
		"the events could not be compared with what is stored, and nothing of the request was stored; send it again with the same event ids", c.estimateRetryAfter())
}

// pendingRequest is a request that waits for its verdicts.
type pendingRequest struct {
	request     *Request
	submittedAt time.Time
	verdicts    []Verdict
	// items are what is to be committed, and size is how many bytes that is.
	items []Item
	size  int
	// atomic means that the items are committed together or not at all. It is false for an
	// atomic request of which only rejections are left to record.
	atomic bool

	// openEntries counts the queue entries of the request that have no outcome yet.
	openEntries atomic.Int32
	// abandoned means that the sender has been answered and no longer waits.
	abandoned atomic.Bool
	failOnce  sync.Once
	err       error
	done      chan struct{}

	// These spare most requests three allocations.
	firstEntry   queueEntry
	firstItem    [1]Item
	firstVerdict [1]Verdict
}

func newPendingRequest(request *Request, now time.Time) *pendingRequest {
	p := &pendingRequest{request: request, submittedAt: now, done: make(chan struct{})}
	if n := len(request.Envelopes); n == 1 {
		p.items = p.firstItem[:0]
		p.verdicts = p.firstVerdict[:]
	} else {
		p.items = make([]Item, 0, n)
		p.verdicts = make([]Verdict, n)
	}

	return p
}

// answer returns the verdicts, with the version of the type that validated each event.
func (p *pendingRequest) answer() []Verdict {
	for i := range p.verdicts {
		if v := &p.verdicts[i]; v.Status == Stored || v.Status == Valid || v.Status == Rejected {
			v.TypeVersion = p.request.Envelopes[i].TypeVersion
		}
	}

	return p.verdicts
}
