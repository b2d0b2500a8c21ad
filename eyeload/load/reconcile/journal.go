package reconcile

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// Verdict is the known result of an event.
type Verdict uint8

// The verdicts. Unsent is the zero value.
const (
	Unsent Verdict = iota
	// Unanswered means sent, without a verdict. The event may be stored or not.
	Unanswered
	// Stored and Duplicate are acknowledged.
	Stored
	Duplicate
	// Conflict and Rejected are rejections.
	Conflict
	Rejected
	// Deferred means rejected and kept as a dead letter, which a replay may store at any time.
	Deferred
)

// String returns the verdict as the API names it.
func (v Verdict) String() string {
	switch v {
	case Unsent:
		return "unsent"
	case Unanswered:
		return "unanswered"
	case Stored:
		return "stored"
	case Duplicate:
		return "duplicate"
	case Conflict:
		return "conflict"
	case Rejected:
		return "rejected"
	case Deferred:
		return "deferred"
	}

	return "unknown"
}

// Counts counts events by verdict.
type Counts [Deferred + 1]int64

// Acknowledged returns the number of acknowledged events.
func (c *Counts) Acknowledged() int64 { return c[Stored] + c[Duplicate] }

// Rejected returns the number of rejected events.
func (c *Counts) Rejected() int64 { return c[Conflict] + c[Rejected] + c[Deferred] }

// Acknowledged reports whether the event was acknowledged as stored.
func (v Verdict) Acknowledged() bool { return v == Stored || v == Duplicate }

// entry is the record of one event.
type entry struct {
	// sent is the time of the first sending, in microseconds since 1970: the event's timestamp.
	sent int64
	// sequence is the acknowledged sequence; 0 if the event was stored without an
	// acknowledgement.
	sequence int64
	verdict  Verdict
	// seen counts how often the event was found in the store, up to 255.
	seen uint8
	// revision is the number of edits.
	revision uint8
	// erased is true when the event was erased.
	erased bool
}

// Entries are kept in chunks, so that a journal grows without being copied.
const (
	chunkEntries = 1 << 16
	maxChunks    = 1 << 16
)

type chunk [chunkEntries]entry

// Journal records the sent events and their verdicts by index. Different events may be recorded
// concurrently; one event is recorded by one goroutine at a time, and the journal is read when
// the recording has ended.
type Journal struct {
	chunks []atomic.Pointer[chunk]
	// next is one more than the highest index that was sent.
	next atomic.Uint64

	mu         sync.Mutex
	violations Differences
	// reported is the number of violations that a check of a part of the run has returned.
	reported int64
	// erased are the erased sessions.
	erased map[uuid.UUID]struct{}
	// conflicts are the indexes of the events by the ids of their conflicts' rejections.
	conflicts map[uuid.UUID]uint64
}

// NewJournal makes an empty journal.
func NewJournal() *Journal {
	return &Journal{
		chunks:    make([]atomic.Pointer[chunk], maxChunks),
		erased:    map[uuid.UUID]struct{}{},
		conflicts: map[uuid.UUID]uint64{},
	}
}

// HasRoom reports whether a journal has room for a number of events.
func HasRoom(events uint64) bool { return events <= chunkEntries*maxChunks }

func (l *Journal) entryAt(index uint64) *entry {
	slot := &l.chunks[index/chunkEntries]
	c := slot.Load()
	if c == nil {
		slot.CompareAndSwap(nil, new(chunk))
		c = slot.Load()
	}

	return &c[index%chunkEntries]
}

// findEntry returns an entry, or nil for an event that was never sent.
func (l *Journal) findEntry(index uint64) *entry {
	if index >= l.next.Load() {
		return nil
	}

	c := l.chunks[index/chunkEntries].Load()
	if c == nil || c[index%chunkEntries].verdict == Unsent {
		return nil
	}

	return &c[index%chunkEntries]
}

// RecordSending records that an event is about to be sent with a timestamp, in microseconds. An
// event that is sent again keeps its timestamp.
func (l *Journal) RecordSending(index uint64, micros int64) {
	e := l.entryAt(index)
	e.sent = micros
	e.verdict = Unanswered
	for next := l.next.Load(); index >= next && !l.next.CompareAndSwap(next, index+1); next = l.next.Load() {
	}
}

// RecordVerdict records the verdict on an event that was sent.
func (l *Journal) RecordVerdict(index uint64, verdict Verdict, sequence int64) {
	e := l.entryAt(index)
	e.verdict = verdict
	e.sequence = sequence
}

// RecordEdit records that a stored event was edited to a revision; see ReviseEvent.
func (l *Journal) RecordEdit(index uint64, revision uint8) { l.entryAt(index).revision = revision }

// RecordErasure records that a stored event was erased.
func (l *Journal) RecordErasure(index uint64) { l.entryAt(index).erased = true }

// RecordSessionErasure records that a session was erased, with all its present and future
// events.
func (l *Journal) RecordSessionErasure(session uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.erased[session] = struct{}{}
}

// RecordConflict records the id of the rejection for a conflict of an event.
func (l *Journal) RecordConflict(rejection uuid.UUID, index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.conflicts[rejection] = index
}

// isSessionErased reports whether a session was erased.
func (l *Journal) isSessionErased(session uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	_, erased := l.erased[session]

	return erased
}

// RecordViolation records a wrong answer of the service; it counts as a difference.
func (l *Journal) RecordViolation(format string, arguments ...any) {
	const enough = 10 * MaxListed // a part of a run may have many
	l.mu.Lock()
	defer l.mu.Unlock()

	l.violations.addUpTo(enough, format, arguments...)
}

// newViolations returns the violations: all of them or, for a part of the run, those that no
// check of a part has returned yet.
func (l *Journal) newViolations(part bool) Differences {
	l.mu.Lock()
	defer l.mu.Unlock()

	found := l.violations
	if part {
		found.Count -= l.reported
		found.First = found.First[min(l.reported, int64(len(found.First))):]
		l.reported = l.violations.Count
	}

	found.First = slices.Clone(found.First[:min(len(found.First), MaxListed)])

	return found
}

// SentAt returns when an event was sent, in microseconds, and whether it was sent.
func (l *Journal) SentAt(index uint64) (micros int64, sent bool) {
	e := l.findEntry(index)
	if e == nil {
		return 0, false
	}

	return e.sent, true
}

// Unanswered returns the indexes of the events without a verdict, in order.
func (l *Journal) Unanswered() (indexes []uint64) {
	for index := range l.next.Load() {
		if e := l.findEntry(index); e != nil && e.verdict == Unanswered {
			indexes = append(indexes, index)
		}
	}

	return indexes
}

// VerdictOf returns the verdict on an event and its last acknowledged sequence.
func (l *Journal) VerdictOf(index uint64) (verdict Verdict, sequence int64) {
	e := l.findEntry(index)
	if e == nil {
		return Unsent, 0
	}

	return e.verdict, e.sequence
}

// NextIndex returns one more than the highest index that was sent.
func (l *Journal) NextIndex() uint64 { return l.next.Load() }

// CountVerdicts counts the sent events by verdict.
func (l *Journal) CountVerdicts() (counts Counts) { return l.countVerdictsFrom(0) }

func (l *Journal) countVerdictsFrom(from uint64) (counts Counts) {
	for index := from; index < l.next.Load(); index++ {
		if e := l.findEntry(index); e != nil {
			counts[e.verdict]++
		}
	}

	return counts
}

// timeSpan returns the first and the last timestamp that was sent.
func (l *Journal) timeSpan() (first, last int64) {
	for index := range l.next.Load() {
		e := l.findEntry(index)
		if e == nil {
			continue
		}

		if first == 0 || e.sent < first {
			first = e.sent
		}

		last = max(last, e.sent)
	}

	return first, last
}

// Differences counts differences, and keeps the first of them as sentences.
type Differences struct {
	Count int64
	First []string
}

// MaxListed bounds the listed differences.
const MaxListed = 20

func (d *Differences) addDifference(format string, arguments ...any) {
	d.addUpTo(MaxListed, format, arguments...)
}

func (d *Differences) addUpTo(most int, format string, arguments ...any) {
	d.Count++
	if len(d.First) < most {
		d.First = append(d.First, fmt.Sprintf(format, arguments...))
	}
}
