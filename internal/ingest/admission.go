package ingest

import (
	"math/rand/v2"
	"sync"
	"time"
)

// admit makes room in the queue, or says why there is none.
func (c *Collector) admit(p *pendingRequest) shedReason {
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	if stopped {
		return shedStopping
	}

	own := int64(len(p.items))
	events := c.events.Add(own)
	bytes := c.bytes.Add(int64(p.size))
	full := events > int64(c.config.QueueEvents) || bytes > int64(c.config.QueueBytes)
	if full || (events > own && c.wouldMissBudget(p)) {
		c.releaseRoom(p)
		return shedQueueFull
	}

	return ""
}

// releaseRoom gives back the room of a request that was admitted.
func (c *Collector) releaseRoom(p *pendingRequest) {
	c.events.Add(-int64(len(p.items)))
	c.bytes.Add(-int64(p.size))
}

// wouldMissBudget reports whether a request cannot be expected to be stored within the
// budget, because of all that waits before it: to admit it would be to do work that no
// sender waits for any more. A request that finds an empty queue is admitted whatever was
// measured, or a database that was down would never be tried again.
func (c *Collector) wouldMissBudget(p *pendingRequest) bool {
	const share = 0.8 // of the budget; the rest is for a group that takes longer than those before it
	groups := 0.0
	if p.atomic || !c.sharded.Load() {
		groups = c.lanes[0].queuedGroups(&c.config)
	} else {
		for i := range p.items {
			groups = max(groups, c.lanes[c.laneOf(p.items[i].Envelope.Event.SessionID)].queuedGroups(&c.config))
		}
	}

	// One group is being committed, and the request's own comes last.
	own := float64(len(p.items)) / float64(c.config.GroupEvents)

	return (1+groups+own)*float64(c.rates.commitDuration()) > share*float64(c.config.Budget)
}

// estimateRetryAfter estimates how long the queue takes to empty, and adds up to half of it,
// so that shed requests do not all come back at once. It is in whole seconds, as the header
// is: spread within one second, all would come back in the next.
func (c *Collector) estimateRetryAfter() time.Duration {
	wait := max(time.Second, min(c.rates.timeFor(c.events.Load()), c.config.Budget))

	return wait.Round(time.Second) + rand.N(wait/2+time.Second).Truncate(time.Second) //nolint:gosec // it spreads retries and guards nothing
}

// rateEstimate follows how fast groups are committed, as moving averages.
type rateEstimate struct {
	mu sync.Mutex
	// groupEvents is the size of a group.
	groupEvents float64
	// groupTook is the time for a group, in nanoseconds, in which the last few count most.
	groupTook float64
	// perSecond is the rate in events a second.
	perSecond float64
}

func (r *rateEstimate) addGroup(events int, took time.Duration) {
	const weight, quick = 0.1, 0.5
	r.mu.Lock()
	defer r.mu.Unlock()

	r.groupEvents += weight * (float64(events) - r.groupEvents)
	if r.groupTook == 0 {
		r.groupTook = float64(took)
	}

	r.groupTook += quick * (float64(took) - r.groupTook)
	if s := took.Seconds(); s > 0 {
		r.perSecond += weight * (float64(events)/s - r.perSecond)
	}
}

// groupSize returns how many events a group has of late.
func (r *rateEstimate) groupSize() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.groupEvents
}

// commitDuration returns how long the commit of a group takes of late.
func (r *rateEstimate) commitDuration() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()

	return time.Duration(r.groupTook)
}

// timeFor estimates how long a number of events takes.
func (r *rateEstimate) timeFor(events int64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.perSecond < 1 {
		return 0
	}

	return time.Duration(float64(events) / r.perSecond * float64(time.Second))
}
