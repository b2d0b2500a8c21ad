package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// loadGenerator sends events at a rate that does not depend on the answers.
type loadGenerator struct {
	*sender
	// rate is the number of events a second, and wideRate the number with large batches.
	rate, wideRate int
	random         *rand.Rand
	// wide is true when events are sent in batches large enough for the services to divide
	// groups among their lanes.
	wide bool
	// paused is true while nothing is sent.
	paused atomic.Bool

	inFlight sync.WaitGroup
	slots    chan struct{}
	cancel   context.CancelFunc
	ended    sync.WaitGroup
}

// The kinds of requests: the upper bound of each, in a thousand.
const (
	upToSingles         = 580
	upToBatches         = 850 // of new events
	upToCopies          = 890 // of events that were sent before
	upToConflicts       = 960
	upToEdits           = 982
	upToErasures        = 992
	upToSessionErasures = 995 // the rest is single new events
	thousand            = 1000

	maxBatch  = 20
	maxFlight = 4000
	// tries is the number of attempts before a sender leaves an event to the end of the cycle.
	tries = 3
	// verifyOneIn is the number of requests of which one is followed by a list request for one
	// of its events.
	verifyOneIn = 5
	// spread is the largest difference between the timestamps of a batch.
	spread = 2 * time.Second
)

// The sizes of large batches, and the number of them that make a service divide groups among
// its lanes: the average size of its groups has to exceed 250 events.
const (
	wideLeast, wideMost = 300, 700
	warming             = 12
)

func newLoadGenerator(c *sender, rate, wideRate int, seed uint64) *loadGenerator {
	return &loadGenerator{
		sender:   c,
		rate:     rate,
		wideRate: wideRate,
		slots:    make(chan struct{}, maxFlight),
		random:   rand.New(rand.NewPCG(seed, 2)), //nolint:gosec // has to be reproducible
	}
}

// start begins to send, in large batches if wide.
func (l *loadGenerator) start(ctx context.Context, wide bool) {
	l.wide = wide
	if wide {
		l.warmUpLanes(ctx)
	}

	ctx, l.cancel = context.WithCancel(ctx)
	l.ended.Go(func() { l.sendAtRate(ctx) })
	l.ended.Go(func() { l.replayPeriodically(ctx) })
}

// stop ends the sending, and returns when each request has its answer or has been given up.
func (l *loadGenerator) stop() {
	l.cancel()
	l.ended.Wait()
	l.inFlight.Wait()
}

// warmUpLanes sends large batches to each service, one after another, until it divides groups
// among its lanes.
func (l *loadGenerator) warmUpLanes(ctx context.Context) {
	var all sync.WaitGroup
	for n, target := range l.targets {
		all.Go(func() {
			for range warming {
				indexes := l.oracle.recordSending(n%applications, l.now(), make([]time.Duration, (wideLeast+wideMost)/2)...)
				if !l.sendOnce(ctx, target, indexes) {
					l.oracle.updateTally(func(t *tally) { t.unknown += int64(len(indexes)) })
				}
			}
		})
	}

	all.Wait()
}

// sendAtRate sends the events that are due, until ctx ends. A late event is sent at once.
func (l *loadGenerator) sendAtRate(ctx context.Context) {
	const step = 5 * time.Millisecond

	ticker := time.NewTicker(step)
	defer ticker.Stop()

	rate := l.rate
	if l.wide {
		rate = l.wideRate
	}

	began := l.now()
	sent := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}

		for due := l.now().Sub(began).Seconds() * float64(rate); sent < due; {
			sent += float64(l.startRequest(context.WithoutCancel(ctx)))
		}
	}
}

// replayPeriodically makes all services replay the events dated ahead, at the same time.
func (l *loadGenerator) replayPeriodically(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}

		if l.paused.Load() {
			continue
		}

		var all sync.WaitGroup
		for _, target := range l.targets {
			all.Go(func() { l.requestReplay(context.WithoutCancel(ctx), target) })
		}

		all.Wait()
	}
}

// request is a request that was drawn.
type request struct {
	kind, application int
	// before is how long ago each event happened, and picks choose among the recent events.
	before []time.Duration
	picks  []int
	verify bool
}

// drawRequest draws a request.
func (l *loadGenerator) drawRequest() request {
	r := request{
		kind:        l.random.IntN(thousand),
		application: l.random.IntN(applications),
		verify:      l.random.IntN(verifyOneIn) == 0,
	}

	n := 1
	switch {
	case l.wide && r.kind < upToCopies:
		n = wideLeast + l.random.IntN(wideMost-wideLeast+1)
	case r.kind >= upToSingles && r.kind < upToCopies:
		n = 2 + l.random.IntN(maxBatch-1)
	}

	r.before = make([]time.Duration, n)
	r.picks = make([]int, n)
	for i := range n {
		r.picks[i] = l.random.IntN(maxRecentEvents)
		if n > 1 {
			r.before[i] = time.Duration(l.random.Int64N(int64(spread)))
		}
	}

	return r
}

// startRequest sends a request in the background, and returns the number of its events.
func (l *loadGenerator) startRequest(ctx context.Context) int {
	r := l.drawRequest()
	n := len(r.picks)
	if l.paused.Load() {
		return n
	}

	select {
	case l.slots <- struct{}{}:
	default:
		l.oracle.updateTally(func(t *tally) { t.unsent += int64(n) })
		return n
	}

	l.inFlight.Go(func() {
		defer func() { <-l.slots }()

		l.sendDrawn(ctx, &r)
	})

	return n
}

// sendDrawn sends a request of the kind that was drawn.
func (l *loadGenerator) sendDrawn(ctx context.Context, r *request) {
	if r.kind < upToBatches || r.kind >= upToSessionErasures {
		l.sendNew(ctx, r)
		return
	}

	indexes := l.oracle.pickRecent(r.application, r.picks)
	if indexes == nil {
		return
	}

	switch {
	case r.kind < upToCopies:
		l.oracle.updateTally(func(t *tally) { t.copies += int64(len(indexes)) })
		l.sendUntilVerdict(ctx, indexes, tries)
	case r.kind < upToConflicts:
		l.sendConflicting(ctx, indexes[0], r.picks[0])
	case r.kind < upToEdits:
		l.editEvent(ctx, indexes[0])
	case r.kind < upToErasures:
		l.eraseEvent(ctx, indexes[0])
	default:
		l.eraseSession(ctx, indexes[0])
	}
}

// sendNew sends new events, and now and then requests a list with one of them.
func (l *loadGenerator) sendNew(ctx context.Context, r *request) {
	indexes := l.oracle.recordSending(r.application, l.now(), r.before...)
	if !l.sendUntilVerdict(ctx, indexes, tries) {
		l.oracle.updateTally(func(t *tally) { t.unknown += int64(len(indexes)) })
		return
	}

	if r.verify {
		l.verifyListed(ctx, indexes[r.picks[0]%len(indexes)], r.picks[0]%2 == 0)
	}
}

// pauseSending stops sending, and returns when all requests have their answer.
func (l *loadGenerator) pauseSending() {
	const step = 10 * time.Millisecond

	l.paused.Store(true)
	for quiet := 0; quiet < 3; quiet++ { // a request may not have its slot yet
		<-time.After(step)
		if len(l.slots) > 0 {
			quiet = 0
		}
	}
}

// resumeSending sends again.
func (l *loadGenerator) resumeSending() { l.paused.Store(false) }

// newStorableEvents returns new events of an application that can all be stored.
func (l *loadGenerator) newStorableEvents(application, n int) []uint64 {
	storable := make([]uint64, 0, n)
	for len(storable) < n {
		if index := l.oracle.recordSending(application, l.now(), 0)[0]; !isUnstorable(index) && !isAhead(index) {
			storable = append(storable, index)
		}
	}

	return storable
}

// sendCopies sends many copies of some events at once, new events and old ones, in single
// requests and in batches, to all services.
func (l *loadGenerator) sendCopies(ctx context.Context, random *rand.Rand) {
	const newEvents, oldEvents, singles, batches = 10, 10, 20, 6

	picks := make([]int, oldEvents)
	for i := range picks {
		picks[i] = random.IntN(maxRecentEvents)
	}

	application := random.IntN(applications)
	indexes := append(l.oracle.recordSending(application, l.now(), make([]time.Duration, newEvents)...), l.oracle.pickRecent(application, picks)...)
	l.oracle.updateTally(func(t *tally) { t.copies += int64(len(indexes) * (singles + batches)) })
	for _, index := range indexes {
		for range singles {
			l.inFlight.Go(func() { l.sendUntilVerdict(ctx, []uint64{index}, tries) })
		}
	}

	for range batches {
		l.inFlight.Go(func() { l.sendUntilVerdict(ctx, indexes, tries) })
	}
}

// resendUnanswered sends the events without a verdict again, until each has one or the rounds
// end. It returns the number of these events, and how many still have none.
func (l *loadGenerator) resendUnanswered(ctx context.Context) (found, left int) {
	const chunk, rounds = 100, 20

	open := l.oracle.journal.Unanswered()
	found = len(open)
	for range rounds {
		for _, indexes := range groupByApplication(open) {
			for len(indexes) > 0 {
				n := min(chunk, len(indexes))
				if !l.sendUntilVerdict(ctx, indexes[:n], tries) {
					break
				}

				indexes = indexes[n:]
			}
		}

		if open = l.oracle.journal.Unanswered(); len(open) == 0 || ctx.Err() != nil {
			break
		}
	}

	return found, len(open) + l.settleChanges(ctx)
}

// groupByApplication groups events by the application that sends them.
func groupByApplication(indexes []uint64) (grouped [applications][]uint64) {
	for _, index := range indexes {
		n := applicationOf(index)
		grouped[n] = append(grouped[n], index)
	}

	return grouped
}
