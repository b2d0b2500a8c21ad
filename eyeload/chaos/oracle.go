package chaos

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// oracle is the independent record of the events: the content of each, recorded before it is
// sent, and the answers. It is kept in this process, which no fault touches. It is safe for
// concurrent use.
type oracle struct {
	mu      sync.Mutex
	journal *reconcile.Journal
	source  content
	// next is the number of events that each application has sent.
	next [applications]uint64
	// recent are the indexes of the last events, by application.
	recent [applications]recentEvents
	// uncertain are the events with an attempt that had no verdict: they may be stored,
	// whatever the answer to another attempt.
	uncertain map[uint64]struct{}
	// replayMayMiss are the events that a replay may miss, because a wrong clock rejected them.
	replayMayMiss map[uint64]struct{}
	// clockFaults are the periods in which a service had a wrong clock.
	clockFaults []clockFaultPeriod
	// changes are the edits and erasures of events, and erasures those of sessions.
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

// tally holds the counters of a cycle.
type tally struct {
	acknowledged, rejected int64
	// unknown is the number of events without a verdict when their sender gave up.
	unknown int64
	// copies is the number of events that were sent again, and conflicts the number of those
	// that had other content.
	copies, conflicts int64
	// edits, erased and replayed are the numbers of events that were changed, erased (singly or
	// with their session), or stored by a replay; reads is the number of lists that were
	// checked.
	edits, erased, replayed, reads int64
	// unsent is the number of events that were due and could not be sent.
	unsent int64
	// answers counts the attempts by their result.
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
		journal:       reconcile.NewJournal(),
		source:        source,
		uncertain:     map[uint64]struct{}{},
		replayMayMiss: map[uint64]struct{}{},
		changes:       map[uint64]*change{},
		erasures:      map[uuid.UUID]*erasure{},
	}

	b.beginCycle()

	return b
}

// beginCycle resets the counters. From then on, every new event has a higher index than all
// events before.
func (o *oracle) beginCycle() {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.tally = tally{answers: map[string]int64{}}
	o.ackWatches = nil
	highest := uint64(0)
	for _, n := range o.next {
		highest = max(highest, n)
	}

	for i := range o.next {
		o.next[i] = highest
	}
}

func (o *oracle) snapshotTally() tally {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.tally
}

// recordSending records new events of an application that are about to be sent, dated so long
// before now.
func (o *oracle) recordSending(application int, now time.Time, before ...time.Duration) []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()

	indexes := make([]uint64, 0, len(before))
	for _, earlier := range before {
		index := o.next[application]*applications + uint64(application) //nolint:gosec // not negative
		at := now.Add(-earlier)
		if isAhead(index) {
			at = now.Add(aheadBy)
		}

		o.journal.RecordSending(index, at.UnixMicro())
		o.recent[application].addIndex(index)
		o.next[application]++
		indexes = append(indexes, index)
	}

	return indexes
}

// pickRecent picks recent events of an application, one for each number.
func (o *oracle) pickRecent(application int, picks []int) []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()

	sent := o.recent[application].indexes
	if len(sent) == 0 {
		return nil
	}

	indexes := make([]uint64, len(picks))
	for i, pick := range picks {
		indexes[i] = sent[pick%len(sent)]
	}

	return indexes
}

// answer is a service's answer on an event.
type answer struct {
	index    uint64
	verdict  reconcile.Verdict
	sequence int64
	// codes are the codes of the violations.
	codes  []string
	target string
	// began is when the request was sent, and now when the answer arrived.
	began, now time.Time
}

// recordVerdict records a verdict on an event. Verdicts that contradict one another are
// violations, and so is the rejection of a good event without a reason.
func (o *oracle) recordVerdict(a answer) {
	o.mu.Lock()
	defer o.mu.Unlock()

	known, before := o.journal.VerdictOf(a.index)
	unstorable := isUnstorable(a.index)
	if a.verdict == reconcile.Rejected && !unstorable && o.recordExpectedRejection(a, known) {
		return
	}

	id := o.source.ID(a.index)
	v := a.verdict
	switch {
	case v.Acknowledged() == unstorable:
		o.journal.RecordViolation("%s: answered %q, and storable is %t: %v", id, v, !unstorable, a.codes)
	case v.Acknowledged() && known.Acknowledged() && before != 0 && before != a.sequence:
		o.journal.RecordViolation("%s: answered with sequence %d, then %d", id, before, a.sequence)
	case v == reconcile.Stored && known == reconcile.Stored:
		o.journal.RecordViolation("%s: answered \"stored\" twice", id)
	case v.Acknowledged() && o.erasedBefore(a.index, a.began):
		o.journal.RecordViolation("%s: answered %q after it was erased", id, v)
	}

	if known == reconcile.Stored {
		v = known // the copy is a duplicate, the event is stored
	}

	o.journal.RecordVerdict(a.index, v, a.sequence)
	switch {
	case !v.Acknowledged() && known == reconcile.Unanswered:
		o.tally.rejected++
	case v.Acknowledged() && !known.Acknowledged():
		o.tally.acknowledged++
	}

	if v.Acknowledged() {
		o.recordAcknowledgement(a.began, a.now)
	}
}

// recordExpectedRejection reports whether there is a reason to reject a good event, and then
// records the verdict. An earlier acknowledgement stays valid.
func (o *oracle) recordExpectedRejection(a answer, known reconcile.Verdict) bool {
	switch {
	case o.clockExplainsLocked(a.target, a.codes, a.began, a.now):
		o.recordMisdatedRejection(a.index, known)
	case isAhead(a.index) && hasOnlyCode(a.codes, codeInFuture):
		o.recordDeferral(a.index, known)
	case o.mayBeErasedLocked(a.index) && (hasOnlyCode(a.codes, codeEventErased) || hasOnlyCode(a.codes, codeSessionErased)):
		if known == reconcile.Unanswered {
			o.journal.RecordVerdict(a.index, reconcile.Rejected, 0)
			o.tally.rejected++
		}
	default:
		return false
	}

	return true
}

// recordDeferral records the rejection of an event that a replay may store at any time.
func (o *oracle) recordDeferral(index uint64, known reconcile.Verdict) {
	if known.Acknowledged() || known == reconcile.Deferred {
		return
	}

	o.journal.RecordVerdict(index, reconcile.Deferred, 0)
	o.tally.rejected++
}

// recordReplay records that all events deferred until a time have been replayed, and have to be
// stored now.
func (o *oracle) recordReplay(until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()

	for index := range o.journal.NextIndex() {
		sent, _ := o.journal.SentAt(index)
		known, _ := o.journal.VerdictOf(index)
		_, misplaced := o.replayMayMiss[index]
		if known != reconcile.Deferred || misplaced || sent > until.UnixMicro() || o.mayBeErasedLocked(index) {
			continue
		}

		o.journal.RecordVerdict(index, reconcile.Duplicate, 0) // its sequence is unknown
		o.tally.replayed++
	}
}

func hasOnlyCode(codes []string, code string) bool { return len(codes) == 1 && codes[0] == code }

func (o *oracle) recordAcknowledgement(began, now time.Time) {
	if t := &o.tally; !t.lastAck.IsZero() {
		t.silence = max(t.silence, now.Sub(t.lastAck))
	}

	o.tally.lastAck = now
	for _, w := range o.ackWatches {
		if w.took == 0 && !began.Before(w.from) {
			w.took = max(now.Sub(w.from), 1)
			close(w.done)
		}
	}
}

// watchForAck waits for the first acknowledgement of a request that is sent from now on.
func (o *oracle) watchForAck(now time.Time) *ackWatch {
	o.mu.Lock()
	defer o.mu.Unlock()

	w := &ackWatch{from: now, done: make(chan struct{})}
	o.ackWatches = append(o.ackWatches, w)

	return w
}

// ackDelay returns how long a watch took, if it has ended.
func (o *oracle) ackDelay(w *ackWatch) (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	return w.took, w.took > 0
}

func (o *oracle) updateTally(change func(t *tally)) {
	o.mu.Lock()
	defer o.mu.Unlock()

	change(&o.tally)
}

func (o *oracle) recordViolation(format string, arguments ...any) {
	o.journal.RecordViolation(format, arguments...)
}

// lookUpEvent returns the known verdict, sequence and timestamp of an event.
func (o *oracle) lookUpEvent(index uint64) (v reconcile.Verdict, sequence int64, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()

	v, sequence = o.journal.VerdictOf(index)
	micros, _ := o.journal.SentAt(index)

	return v, sequence, time.UnixMicro(micros)
}
