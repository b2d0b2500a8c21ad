package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// load sends events at a rate that does not wait for anybody.
type load struct {
	*courier
	rate   int
	random *rand.Rand

	inFlight sync.WaitGroup
	slots    chan struct{}
	cancel   context.CancelFunc
	ended    chan struct{}
}

// The shapes of requests, in per cent of them.
const (
	singles   = 70
	batches   = 94 // up to here, batches of new events
	copies    = 98 // up to here, events that were sent before
	maxBatch  = 20
	maxFlight = 4000
	// tries is how often a sender tries before it leaves an event to the sweep.
	tries = 3
)

func newLoad(c *courier, rate int, seed uint64) *load {
	return &load{
		courier: c, rate: rate, slots: make(chan struct{}, maxFlight),
		random: rand.New(rand.NewPCG(seed, 2)), //nolint:gosec // it has to give the same again
	}
}

// start begins to send.
func (l *load) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		l.run(ctx)
	}()
}

// stop sends no more, and returns when everything that was sent has its answer or has
// been given up.
func (l *load) stop() {
	l.cancel()
	<-l.ended
	l.inFlight.Wait()
}

// run sends what is due, until ctx ends. What is late is sent at once.
func (l *load) run(ctx context.Context) {
	const step = 5 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	began, sent := l.now(), 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for due := l.now().Sub(began).Seconds() * float64(l.rate); sent < due; {
			sent += float64(l.one(context.WithoutCancel(ctx)))
		}
	}
}

// one sends a request and tells how many events are in it.
func (l *load) one(ctx context.Context) int {
	const percent = 100
	n, shape := 1, l.random.IntN(percent)
	if shape >= singles && shape < copies {
		n = 2 + l.random.IntN(maxBatch-1)
	}
	picks := make([]int, n)
	for i := range picks {
		picks[i] = l.random.IntN(recentEvents)
	}
	select {
	case l.slots <- struct{}{}:
	default:
		l.book.count(func(t *tally) { t.unsent += int64(n) })
		return n
	}
	l.inFlight.Go(func() {
		defer func() { <-l.slots }()
		switch {
		case shape < batches:
			l.send(ctx, l.book.mean(n, l.now()))
		case shape < copies:
			if indexes := l.book.again(picks); indexes != nil {
				l.deliver(ctx, indexes, tries)
			}
		default:
			if indexes := l.book.again(picks); indexes != nil {
				l.contradict(ctx, indexes[0])
			}
		}
	})
	return n
}

func (l *load) send(ctx context.Context, indexes []uint64) {
	if !l.deliver(ctx, indexes, tries) {
		l.book.count(func(t *tally) { t.unknown += int64(len(indexes)) })
	}
}

// storm sends many copies of a few events at once, new ones and old ones, single and
// in batches, to all services.
func (l *load) storm(ctx context.Context, random *rand.Rand) {
	const fresh, old, each, whole = 10, 10, 20, 6
	picks := make([]int, old)
	for i := range picks {
		picks[i] = random.IntN(recentEvents)
	}
	indexes := append(l.book.mean(fresh, l.now()), l.book.again(picks)...)
	l.book.count(func(t *tally) { t.copies += int64(len(indexes) * (each + whole)) })
	for _, index := range indexes {
		for range each {
			l.inFlight.Go(func() { l.deliver(ctx, []uint64{index}, tries) })
		}
	}
	for range whole {
		l.inFlight.Go(func() { l.deliver(ctx, indexes, tries) })
	}
}

// sweep sends everything again of which nobody knows what became of it, until each has
// a verdict or patience ends. It returns how many there were and how many are left.
func (l *load) sweep(ctx context.Context) (found, left int) {
	const chunk, rounds = 100, 20
	open := l.book.ledger.Unanswered()
	found = len(open)
	for range rounds {
		for len(open) > 0 {
			n := min(chunk, len(open))
			if !l.deliver(ctx, open[:n], tries) {
				break
			}
			open = open[n:]
		}
		if open = l.book.ledger.Unanswered(); len(open) == 0 || ctx.Err() != nil {
			break
		}
	}
	return found, len(open)
}
