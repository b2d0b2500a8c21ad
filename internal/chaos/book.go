package chaos

import (
	"sync"
	"time"

	"github.com/the-eye-events/the-eye/internal/load/reconcile"
	"github.com/the-eye-events/the-eye/internal/load/traffic"
)

// book is what was meant, noted before it is sent, and what was told of it. It lives
// in this process, which no fault touches. It is safe for concurrent use.
type book struct {
	mu     sync.Mutex
	ledger *reconcile.Ledger
	source *traffic.Source
	// next is the index of the next event.
	next uint64
	// recent are the indexes of events that were sent a moment ago.
	recent []uint64
	at     int
	// doubtful are the events of which an attempt had no verdict: they may be stored,
	// whatever another attempt was told.
	doubtful map[uint64]struct{}
	// astray are the faults that made a service judge by a wrong clock.
	astray []astray

	watches []*watch
	tally   tally
}

// tally is what was counted in a cycle.
type tally struct {
	acknowledged, refused int64
	// unknown is how many events nobody knew the fate of when their sender gave up.
	unknown int64
	// copies is how many events were sent that had been sent before, and conflicts how
	// many of these with another content.
	copies, conflicts int64
	// unsent is how many events were due and could not be sent.
	unsent int64
	// answers counts the attempts by what came of them.
	answers map[string]int64
	// lastAck and silence find the longest time without an acknowledgement.
	lastAck time.Time
	silence time.Duration
}

// watch waits for the first acknowledgement of a request that began after a time.
type watch struct {
	from time.Time
	took time.Duration
	done chan struct{}
}

const recentEvents = 512

func newBook(source *traffic.Source) *book {
	b := &book{ledger: reconcile.NewLedger(), source: source, doubtful: map[uint64]struct{}{}}
	b.begin()
	return b
}

// begin starts to count anew.
func (b *book) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally = tally{answers: map[string]int64{}}
	b.watches = nil
}

func (b *book) counted() tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tally
}

// mean notes that new events are about to be sent.
func (b *book) mean(n int, now time.Time) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	indexes := make([]uint64, n)
	for i := range indexes {
		indexes[i] = b.next
		b.ledger.Sending(b.next, now.UnixMicro())
		if len(b.recent) < recentEvents {
			b.recent = append(b.recent, b.next)
		} else {
			b.recent[b.at%recentEvents] = b.next
			b.at++
		}
		b.next++
	}
	return indexes
}

// again picks events that were sent a moment ago, by a number each.
func (b *book) again(picks []int) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.recent) == 0 {
		return nil
	}
	indexes := make([]uint64, len(picks))
	for i, pick := range picks {
		indexes[i] = b.recent[pick%len(b.recent)]
	}
	b.tally.copies += int64(len(indexes))
	return indexes
}

// told notes a verdict on an event that was sent. Verdicts that contradict one another
// are differences. A good event that is refused is one, too, unless a wrong clock
// explains it.
func (b *book) told(index uint64, v reconcile.Verdict, sequence int64, began, now time.Time, misdated bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, before := b.ledger.Known(index)
	if misdated && v == reconcile.Rejected && !poisoned(index) {
		b.misdated(index, known)
		return
	}
	id := b.source.ID(index)
	switch bad := poisoned(index); {
	case v.Acknowledged() == bad:
		b.ledger.Wrong("%s: told %q, and it is fit to be stored: %t", id, v, !bad)
	case v.Acknowledged() && known.Acknowledged() && before != sequence:
		b.ledger.Wrong("%s: told sequence %d, then %d", id, before, sequence)
	case v == reconcile.Stored && known == reconcile.Stored:
		b.ledger.Wrong("%s: told twice that it was stored anew", id)
	}
	if known == reconcile.Stored {
		v = known // a copy is a duplicate, and the event is not
	}
	b.ledger.Told(index, v, sequence)
	switch {
	case !v.Acknowledged() && known == reconcile.Unanswered:
		b.tally.refused++
	case v.Acknowledged() && !known.Acknowledged():
		b.tally.acknowledged++
	}
	if v.Acknowledged() {
		b.acknowledged(began, now)
	}
}

func (b *book) acknowledged(began, now time.Time) {
	if t := &b.tally; !t.lastAck.IsZero() {
		t.silence = max(t.silence, now.Sub(t.lastAck))
	}
	b.tally.lastAck = now
	for _, w := range b.watches {
		if w.took == 0 && !began.Before(w.from) {
			w.took = max(now.Sub(w.from), 1)
			close(w.done)
		}
	}
}

// watch waits for the first acknowledgement of what is sent from now on.
func (b *book) watch(now time.Time) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := &watch{from: now, done: make(chan struct{})}
	b.watches = append(b.watches, w)
	return w
}

// waited is how long a watch took, if it has come to its end.
func (b *book) waited(w *watch) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return w.took, w.took > 0
}

func (b *book) count(change func(t *tally)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.tally)
}

func (b *book) wrong(format string, arguments ...any) { b.ledger.Wrong(format, arguments...) }

// known is what is known of an event, and when it is dated.
func (b *book) known(index uint64) (v reconcile.Verdict, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, _ = b.ledger.Known(index)
	micros, _ := b.ledger.Sent(index)
	return v, time.UnixMicro(micros)
}
