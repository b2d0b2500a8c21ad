package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// loadGenerator sends events at a rate that does not wait for anybody.
type loadGenerator struct {
	*sender
	// rate is how many events a second are sent, and wideRate how many in large batches.
	rate, wideRate int
	random         *rand.Rand
	// wide tells that events are sent in batches large enough for the services to share
	// groups out among their lanes.
	wide bool
	// paused tells that nothing is sent for now.
	paused atomic.Bool

	inFlight sync.WaitGroup
	slots    chan struct{}
	cancel   context.CancelFunc
	ended    sync.WaitGroup
}

// The shapes of requests, each up to so many of a thousand.
const (
	ofSingles         = 580
	ofBatches         = 850 // of new events
	ofCopies          = 890 // events that were sent before
	ofContradictions  = 960
	ofEdits           = 982
	ofErasures        = 992
	ofSessionErasures = 995 // the rest is singles again
	thousand          = 1000

	maxBatch  = 20
	maxFlight = 4000
	// tries is how often a sender tries before it leaves an event to the sweep.
	tries = 3
	// verifyOneIn is of how many requests one is followed by a question for what it stored.
	verifyOneIn = 5
	// spread is how far the timestamps of a batch lie apart, at most.
	spread = 2 * time.Second
)

// The batches of wide traffic, and how many of them to a service make it share groups
// out: the average of the sizes of groups has to pass 250 events.
const (
	wideLeast, wideMost = 300, 700
	warming             = 12
)

func newLoadGenerator(c *sender, rate, wideRate int, seed uint64) *loadGenerator {
	return &loadGenerator{
		sender: c, rate: rate, wideRate: wideRate, slots: make(chan struct{}, maxFlight),
		random: rand.New(rand.NewPCG(seed, 2)), //nolint:gosec // it has to give the same again
	}
}

// start begins to send, in large batches if it is told to.
func (l *loadGenerator) start(ctx context.Context, wide bool) {
	l.wide = wide
	if wide {
		l.warmUpLanes(ctx)
	}

	ctx, l.cancel = context.WithCancel(ctx)
	l.ended.Go(func() { l.sendAtRate(ctx) })
	l.ended.Go(func() { l.replayPeriodically(ctx) })
}

// stop sends no more, and returns when everything that was sent has its answer or has
// been given up.
func (l *loadGenerator) stop() {
	l.cancel()
	l.ended.Wait()
	l.inFlight.Wait()
}

// warmUpLanes sends large batches to each service, one after the other, until it shares
// groups out among its lanes.
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

// sendAtRate sends what is due, until ctx ends. What is late is sent at once.
func (l *loadGenerator) sendAtRate(ctx context.Context) {
	const step = 5 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()

	rate := l.rate
	if l.wide {
		rate = l.wideRate
	}

	began, sent := l.now(), 0.0
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

// replayPeriodically has all services replay at once, again and again, what was dated ahead.
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

// request is what is sent at once, as the dice decided.
type request struct {
	shape, application int
	// before is how long before now each event happened, and picks choose among those
	// that were sent a moment ago.
	before []time.Duration
	picks  []int
	verify bool
}

// drawRequest throws the dice for a request.
func (l *loadGenerator) drawRequest() request {
	r := request{shape: l.random.IntN(thousand), application: l.random.IntN(applications), verify: l.random.IntN(verifyOneIn) == 0}
	n := 1
	switch {
	case l.wide && r.shape < ofCopies:
		n = wideLeast + l.random.IntN(wideMost-wideLeast+1)
	case r.shape >= ofSingles && r.shape < ofCopies:
		n = 2 + l.random.IntN(maxBatch-1)
	}

	r.before, r.picks = make([]time.Duration, n), make([]int, n)
	for i := range n {
		r.picks[i] = l.random.IntN(maxRecentEvents)
		if n > 1 {
			r.before[i] = time.Duration(l.random.Int64N(int64(spread)))
		}
	}

	return r
}

// startRequest sends a request and tells how many events are in it.
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

// sendDrawn sends a request of the shape that was drawn.
func (l *loadGenerator) sendDrawn(ctx context.Context, r *request) {
	if r.shape < ofBatches || r.shape >= ofSessionErasures {
		l.sendNew(ctx, r)
		return
	}

	indexes := l.oracle.pickRecent(r.application, r.picks)
	if indexes == nil {
		return
	}

	switch {
	case r.shape < ofCopies:
		l.oracle.updateTally(func(t *tally) { t.copies += int64(len(indexes)) })
		l.sendUntilVerdict(ctx, indexes, tries)
	case r.shape < ofContradictions:
		l.sendConflicting(ctx, indexes[0], r.picks[0])
	case r.shape < ofEdits:
		l.editEvent(ctx, indexes[0])
	case r.shape < ofErasures:
		l.eraseEvent(ctx, indexes[0])
	default:
		l.eraseSession(ctx, indexes[0])
	}
}

// sendNew sends new events, and asks for one of them now and then.
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

// pauseSending sends nothing more, and returns when all that was sent has its answer.
func (l *loadGenerator) pauseSending() {
	const step = 10 * time.Millisecond
	l.paused.Store(true)
	for quiet := 0; quiet < 3; quiet++ { // a request may be on its way to its slot
		<-time.After(step)
		if len(l.slots) > 0 {
			quiet = 0
		}
	}
}

// resumeSending goes on sending.
func (l *loadGenerator) resumeSending() { l.paused.Store(false) }

// newStorableEvents are new events of an application that are all fit to be stored.
func (l *loadGenerator) newStorableEvents(application, n int) []uint64 {
	fit := make([]uint64, 0, n)
	for len(fit) < n {
		if index := l.oracle.recordSending(application, l.now(), 0)[0]; !isUnstorable(index) && !isAhead(index) {
			fit = append(fit, index)
		}
	}

	return fit
}

// sendCopies sends many copies of a few events at once, new ones and old ones, single and
// in batches, to all services.
func (l *loadGenerator) sendCopies(ctx context.Context, random *rand.Rand) {
	const fresh, old, each, whole = 10, 10, 20, 6
	picks := make([]int, old)
	for i := range picks {
		picks[i] = random.IntN(maxRecentEvents)
	}

	application := random.IntN(applications)
	indexes := append(l.oracle.recordSending(application, l.now(), make([]time.Duration, fresh)...), l.oracle.pickRecent(application, picks)...)
	l.oracle.updateTally(func(t *tally) { t.copies += int64(len(indexes) * (each + whole)) })
	for _, index := range indexes {
		for range each {
			l.inFlight.Go(func() { l.sendUntilVerdict(ctx, []uint64{index}, tries) })
		}
	}

	for range whole {
		l.inFlight.Go(func() { l.sendUntilVerdict(ctx, indexes, tries) })
	}
}

// resendUnanswered sends everything again of which nobody knows what became of it, until each has
// a verdict or patience ends. It returns how many there were and how many are left.
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

// groupByApplication sorts events by who sends them.
func groupByApplication(indexes []uint64) (sorted [applications][]uint64) {
	for _, index := range indexes {
		n := applicationOf(index)
		sorted[n] = append(sorted[n], index)
	}

	return sorted
}
