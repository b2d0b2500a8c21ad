package chaos

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// oracle is what was meant, noted before it is sent, and what was told of it. It lives
// in this process, which no fault touches. It is safe for concurrent use.
type oracle struct {
	mu      sync.Mutex
	journal *reconcile.Journal
	source  content
	// next is how many events each application has sent.
	next [applications]uint64
	// recent are the indexes of events that were sent a moment ago, by application.
	recent [applications]recentEvents
	// uncertain are the events of which an attempt had no verdict: they may be stored,
	// whatever another attempt was told.
	uncertain map[uint64]struct{}
	// replayMayMiss are the events that a replay may miss, since a wrong clock refused them.
	replayMayMiss map[uint64]struct{}
	// clockFaults are the faults that made a service judge by a wrong clock.
	clockFaults []clockFaultPeriod
	// changes are the edits and erasures of events, erasures those of sessions.
	changes  map[uint64]*change
	erasures map[uuid.UUID]*erasure

	ackWatches []*ackWatch
	tally      tally
}

// recentEvents keeps the last indexes that were added to it.
type recentEvents struct {
	indexes []uint64
	at      int
}

const maxRecentEvents = 512

func (r *recentEvents) addIndex(index uint64) {
	if len(r.indexes) < maxRecentEvents {
		r.indexes = append(r.indexes, index)
		return
	}

	r.indexes[r.at%maxRecentEvents] = index
	r.at++
}

// tally is what was counted in a cycle.
type tally struct {
	acknowledged, rejected int64
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

// ackWatch waits for the first acknowledgement of a request that began after a time.
type ackWatch struct {
	from time.Time
	took time.Duration
	done chan struct{}
}

func newOracle(source content) *oracle {
	b := &oracle{
		journal: reconcile.NewJournal(), source: source, uncertain: map[uint64]struct{}{}, replayMayMiss: map[uint64]struct{}{},
		changes: map[uint64]*change{}, erasures: map[uuid.UUID]*erasure{},
	}
	b.beginCycle()
	return b
}

// beginCycle starts to count anew. No event that is sent from now on has an index below one
// that was sent before.
func (b *oracle) beginCycle() {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.tally = tally{answers: map[string]int64{}}
	b.ackWatches = nil
	most := uint64(0)
	for _, n := range b.next {
		most = max(most, n)
	}

	for i := range b.next {
		b.next[i] = most
	}
}

func (b *oracle) snapshotTally() tally {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.tally
}

// recordSending notes that new events of an application are about to be sent, dated so much
// before now.
func (b *oracle) recordSending(application int, now time.Time, before ...time.Duration) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()

	indexes := make([]uint64, 0, len(before))
	for _, earlier := range before {
		index := b.next[application]*applications + uint64(application) //nolint:gosec // below applications
		at := now.Add(-earlier)
		if isAhead(index) {
			at = now.Add(aheadBy)
		}

		b.journal.RecordSending(index, at.UnixMicro())
		b.recent[application].addIndex(index)
		b.next[application]++
		indexes = append(indexes, index)
	}

	return indexes
}

// pickRecent picks events of an application that were sent a moment ago, by a number each.
func (b *oracle) pickRecent(application int, picks []int) []uint64 {
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

// recordVerdict notes a verdict on an event that was sent. Verdicts that contradict one another
// are differences. A good event that is refused is one, too, unless there is a reason.
func (b *oracle) recordVerdict(a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()

	known, before := b.journal.VerdictOf(a.index)
	bad := isUnstorable(a.index)
	if a.verdict == reconcile.Rejected && !bad && b.recordExpectedRejection(a, known) {
		return
	}

	id, v := b.source.ID(a.index), a.verdict
	switch {
	case v.Acknowledged() == bad:
		b.journal.RecordViolation("%s: told %q, and it is fit to be stored: %t %v", id, v, !bad, a.codes)
	case v.Acknowledged() && known.Acknowledged() && before != 0 && before != a.sequence:
		b.journal.RecordViolation("%s: told sequence %d, then %d", id, before, a.sequence)
	case v == reconcile.Stored && known == reconcile.Stored:
		b.journal.RecordViolation("%s: told twice that it was stored anew", id)
	case v.Acknowledged() && b.erasedBefore(a.index, a.began):
		b.journal.RecordViolation("%s: told %q after it was erased", id, v)
	}

	if known == reconcile.Stored {
		v = known // a copy is a duplicate, and the event is not
	}

	b.journal.RecordVerdict(a.index, v, a.sequence)
	switch {
	case !v.Acknowledged() && known == reconcile.Unanswered:
		b.tally.rejected++
	case v.Acknowledged() && !known.Acknowledged():
		b.tally.acknowledged++
	}

	if v.Acknowledged() {
		b.recordAcknowledgement(a.began, a.now)
	}
}

// recordExpectedRejection tells whether there is a reason to refuse a good event, and notes the verdict
// then. Nothing that was acknowledged before is less so for it.
func (b *oracle) recordExpectedRejection(a answer, known reconcile.Verdict) bool {
	switch {
	case b.clockExplainsLocked(a.target, a.codes, a.began, a.now):
		b.recordMisdatedRejection(a.index, known)
	case isAhead(a.index) && hasOnlyCode(a.codes, codeInFuture):
		b.recordDeferral(a.index, known)
	case b.mayBeErasedLocked(a.index) && (hasOnlyCode(a.codes, codeEventErased) || hasOnlyCode(a.codes, codeSessionErased)):
		if known == reconcile.Unanswered {
			b.journal.RecordVerdict(a.index, reconcile.Rejected, 0)
			b.tally.rejected++
		}
	default:
		return false
	}

	return true
}

// recordDeferral notes that an event was refused that a replay may store at any time.
func (b *oracle) recordDeferral(index uint64, known reconcile.Verdict) {
	if known.Acknowledged() || known == reconcile.Deferred {
		return
	}

	b.journal.RecordVerdict(index, reconcile.Deferred, 0)
	b.tally.rejected++
}

// recordReplay notes that all that was postponed until a time has been replayed, and has to
// be stored now.
func (b *oracle) recordReplay(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	for index := range b.journal.NextIndex() {
		sent, _ := b.journal.SentAt(index)
		known, _ := b.journal.VerdictOf(index)
		_, misplaced := b.replayMayMiss[index]
		if known != reconcile.Deferred || misplaced || sent > until.UnixMicro() || b.mayBeErasedLocked(index) {
			continue
		}

		b.journal.RecordVerdict(index, reconcile.Duplicate, 0) // its place was told to nobody
		b.tally.replayed++
	}
}

func hasOnlyCode(codes []string, code string) bool { return len(codes) == 1 && codes[0] == code }

func (b *oracle) recordAcknowledgement(began, now time.Time) {
	if t := &b.tally; !t.lastAck.IsZero() {
		t.silence = max(t.silence, now.Sub(t.lastAck))
	}

	b.tally.lastAck = now
	for _, w := range b.ackWatches {
		if w.took == 0 && !began.Before(w.from) {
			w.took = max(now.Sub(w.from), 1)
			close(w.done)
		}
	}
}

// watchForAck waits for the first acknowledgement of what is sent from now on.
func (b *oracle) watchForAck(now time.Time) *ackWatch {
	b.mu.Lock()
	defer b.mu.Unlock()

	w := &ackWatch{from: now, done: make(chan struct{})}
	b.ackWatches = append(b.ackWatches, w)
	return w
}

// ackDelay is how long a watch took, if it has come to its end.
func (b *oracle) ackDelay(w *ackWatch) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	return w.took, w.took > 0
}

func (b *oracle) updateTally(change func(t *tally)) {
	b.mu.Lock()
	defer b.mu.Unlock()

	change(&b.tally)
}

func (b *oracle) recordViolation(format string, arguments ...any) {
	b.journal.RecordViolation(format, arguments...)
}

// lookUpEvent is what is known of an event, and when it is dated.
func (b *oracle) lookUpEvent(index uint64) (v reconcile.Verdict, sequence int64, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	v, sequence = b.journal.VerdictOf(index)
	micros, _ := b.journal.SentAt(index)
	return v, sequence, time.UnixMicro(micros)
}
