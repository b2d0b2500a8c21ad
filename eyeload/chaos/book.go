package chaos

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// book is what was meant, noted before it is sent, and what was told of it. It lives
// in this process, which no fault touches. It is safe for concurrent use.
type book struct {
	mu     sync.Mutex
	ledger *reconcile.Ledger
	source content
	// next is how many events each application has sent.
	next [applications]uint64
	// recent are the indexes of events that were sent a moment ago, by application.
	recent [applications]recent
	// doubtful are the events of which an attempt had no verdict: they may be stored,
	// whatever another attempt was told.
	doubtful map[uint64]struct{}
	// misplaced are the events that a replay may miss, since a wrong clock refused them.
	misplaced map[uint64]struct{}
	// astray are the faults that made a service judge by a wrong clock.
	astray []astray
	// changes are the edits and erasures of events, erasures those of sessions.
	changes  map[uint64]*change
	erasures map[uuid.UUID]*erasure

	watches []*watch
	tally   tally
}

// recent keeps the last indexes that were added to it.
type recent struct {
	indexes []uint64
	at      int
}

const recentEvents = 512

func (r *recent) add(index uint64) {
	if len(r.indexes) < recentEvents {
		r.indexes = append(r.indexes, index)
		return
	}
	r.indexes[r.at%recentEvents] = index
	r.at++
}

// tally is what was counted in a cycle.
type tally struct {
	acknowledged, refused int64
	// unknown is how many events nobody knew the fate of when their sender gave up.
	unknown int64
	// copies is how many events were sent that had been sent before, and conflicts how
	// many of these with another content.
	copies, conflicts int64
	// edits, erased and replayed are how many events were changed, erased singly or with
	// their session, or stored by a replay; reads how many lists were looked at.
	edits, erased, replayed, reads int64
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

func newBook(source content) *book {
	b := &book{
		ledger: reconcile.NewLedger(), source: source, doubtful: map[uint64]struct{}{}, misplaced: map[uint64]struct{}{},
		changes: map[uint64]*change{}, erasures: map[uuid.UUID]*erasure{},
	}
	b.begin()
	return b
}

// begin starts to count anew. No event that is sent from now on has an index below one
// that was sent before.
func (b *book) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally = tally{answers: map[string]int64{}}
	b.watches = nil
	most := uint64(0)
	for _, n := range b.next {
		most = max(most, n)
	}
	for i := range b.next {
		b.next[i] = most
	}
}

func (b *book) counted() tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tally
}

// mean notes that new events of an application are about to be sent, dated so much
// before now.
func (b *book) mean(application int, now time.Time, before ...time.Duration) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	indexes := make([]uint64, 0, len(before))
	for _, earlier := range before {
		index := b.next[application]*applications + uint64(application) //nolint:gosec // below applications
		at := now.Add(-earlier)
		if isAhead(index) {
			at = now.Add(aheadBy)
		}
		b.ledger.Sending(index, at.UnixMicro())
		b.recent[application].add(index)
		b.next[application]++
		indexes = append(indexes, index)
	}
	return indexes
}

// again picks events of an application that were sent a moment ago, by a number each.
func (b *book) again(application int, picks []int) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.recent[application].indexes
	if len(sent) == 0 {
		return nil
	}
	indexes := make([]uint64, len(picks))
	for i, pick := range picks {
		indexes[i] = sent[pick%len(sent)]
	}
	return indexes
}

// answer is what a service told of an event.
type answer struct {
	index    uint64
	verdict  reconcile.Verdict
	sequence int64
	// codes are what was objected to.
	codes  []string
	target string
	// began is when the request was sent, and now when it was answered.
	began, now time.Time
}

// told notes a verdict on an event that was sent. Verdicts that contradict one another
// are differences. A good event that is refused is one, too, unless there is a reason.
func (b *book) told(a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, before := b.ledger.Known(a.index)
	bad := poisoned(a.index)
	if a.verdict == reconcile.Rejected && !bad && b.excused(a, known) {
		return
	}
	id, v := b.source.ID(a.index), a.verdict
	switch {
	case v.Acknowledged() == bad:
		b.ledger.Wrong("%s: told %q, and it is fit to be stored: %t %v", id, v, !bad, a.codes)
	case v.Acknowledged() && known.Acknowledged() && before != 0 && before != a.sequence:
		b.ledger.Wrong("%s: told sequence %d, then %d", id, before, a.sequence)
	case v == reconcile.Stored && known == reconcile.Stored:
		b.ledger.Wrong("%s: told twice that it was stored anew", id)
	case v.Acknowledged() && b.goneBefore(a.index, a.began):
		b.ledger.Wrong("%s: told %q after it was erased", id, v)
	}
	if known == reconcile.Stored {
		v = known // a copy is a duplicate, and the event is not
	}
	b.ledger.Told(a.index, v, a.sequence)
	switch {
	case !v.Acknowledged() && known == reconcile.Unanswered:
		b.tally.refused++
	case v.Acknowledged() && !known.Acknowledged():
		b.tally.acknowledged++
	}
	if v.Acknowledged() {
		b.acknowledged(a.began, a.now)
	}
}

// excused tells whether there is a reason to refuse a good event, and notes the verdict
// then. Nothing that was acknowledged before is less so for it.
func (b *book) excused(a answer, known reconcile.Verdict) bool {
	switch {
	case b.explained(a.target, a.codes, a.began, a.now):
		b.misdated(a.index, known)
	case isAhead(a.index) && onlyCode(a.codes, codeInFuture):
		b.postponed(a.index, known)
	case b.mayBeGone(a.index) && (onlyCode(a.codes, codeEventErased) || onlyCode(a.codes, codeSessionErased)):
		if known == reconcile.Unanswered {
			b.ledger.Told(a.index, reconcile.Rejected, 0)
			b.tally.refused++
		}
	default:
		return false
	}
	return true
}

// postponed notes that an event was refused that a replay may store at any time.
func (b *book) postponed(index uint64, known reconcile.Verdict) {
	if known.Acknowledged() || known == reconcile.Deferred {
		return
	}
	b.ledger.Told(index, reconcile.Deferred, 0)
	b.tally.refused++
}

// replayed notes that all that was postponed until a time has been replayed, and has to
// be stored now.
func (b *book) replayed(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for index := range b.ledger.Next() {
		sent, _ := b.ledger.Sent(index)
		known, _ := b.ledger.Known(index)
		_, misplaced := b.misplaced[index]
		if known != reconcile.Deferred || misplaced || sent > until.UnixMicro() || b.mayBeGone(index) {
			continue
		}
		b.ledger.Told(index, reconcile.Duplicate, 0) // its place was told to nobody
		b.tally.replayed++
	}
}

func onlyCode(codes []string, code string) bool { return len(codes) == 1 && codes[0] == code }

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
func (b *book) known(index uint64) (v reconcile.Verdict, sequence int64, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, sequence = b.ledger.Known(index)
	micros, _ := b.ledger.Sent(index)
	return v, sequence, time.UnixMicro(micros)
}
