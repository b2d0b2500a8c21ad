package reconcile

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// Verdict is what is known of an event.
type Verdict uint8

// The verdicts. Unsent is the zero value.
const (
	Unsent Verdict = iota
	// Unanswered: it was sent and nobody knows what became of it. Whether it is
	// stored is open.
	Unanswered
	// Stored and Duplicate are acknowledged.
	Stored
	Duplicate
	// Conflict and Rejected were refused.
	Conflict
	Rejected
	// Deferred was refused and is kept among the errors, from where a replay may store it
	// at any time.
	Deferred
)

// String is the verdict as the API names it.
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

// Counts counts events by their verdict.
type Counts [Deferred + 1]int64

// Acknowledged is how many somebody was told are stored.
func (c *Counts) Acknowledged() int64 { return c[Stored] + c[Duplicate] }

// Rejected is how many were told to be refused.
func (c *Counts) Rejected() int64 { return c[Conflict] + c[Rejected] + c[Deferred] }

// Acknowledged tells whether somebody was told that the event is stored.
func (v Verdict) Acknowledged() bool { return v == Stored || v == Duplicate }

// entry is what is known of one event.
type entry struct {
	// sent is when it was sent first, in microseconds since 1970: its timestamp.
	sent int64
	// sequence is the told one; 0 for what was stored without anybody being told it.
	sequence int64
	verdict  Verdict
	// seen counts how often it was found in the store, up to 255.
	seen uint8
	// revision is how often its content was changed since.
	revision uint8
	// erased tells that it was erased.
	erased bool
}

// Entries are kept in chunks, so that a ledger grows without being copied.
const (
	chunkEntries = 1 << 16
	maxChunks    = 1 << 16
)

type chunk [chunkEntries]entry

// Journal is what was sent and told, by the events' indexes. Different events may be
// noted at once; one event is noted by one goroutine at a time, and the ledger is
// read when nobody notes any more.
type Journal struct {
	chunks []atomic.Pointer[chunk]
	// next is one more than the highest index that was sent.
	next atomic.Uint64

	mu         sync.Mutex
	violations Differences
	// reported is how many of these were told by a look at a part of the run.
	reported int64
	// erased are the sessions that were erased.
	erased map[uuid.UUID]struct{}
	// conflicts are the refusals of conflicts that somebody was told, by their ids.
	conflicts map[uuid.UUID]uint64
}

// NewJournal makes an empty ledger.
func NewJournal() *Journal {
	return &Journal{
		chunks: make([]atomic.Pointer[chunk], maxChunks), erased: map[uuid.UUID]struct{}{}, conflicts: map[uuid.UUID]uint64{},
	}
}

// HasRoom tells whether the ledger has room for so many events.
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

// findEntry returns an entry, or nil for what was never sent.
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

// RecordSending notes that an event is about to be sent with a timestamp, in
// microseconds. An event that is sent again keeps the timestamp it had.
func (l *Journal) RecordSending(index uint64, micros int64) {
	e := l.entryAt(index)
	e.sent, e.verdict = micros, Unanswered
	for next := l.next.Load(); index >= next && !l.next.CompareAndSwap(next, index+1); next = l.next.Load() {
	}
}

// RecordVerdict notes the verdict on an event that was sent.
func (l *Journal) RecordVerdict(index uint64, verdict Verdict, sequence int64) {
	e := l.entryAt(index)
	e.verdict, e.sequence = verdict, sequence
}

// RecordEdit notes that the content of a stored event was changed to a revision; Revise
// tells what that is.
func (l *Journal) RecordEdit(index uint64, revision uint8) { l.entryAt(index).revision = revision }

// RecordErasure notes that a stored event was erased.
func (l *Journal) RecordErasure(index uint64) { l.entryAt(index).erased = true }

// RecordSessionErasure notes that a session was erased, with all that it had and will be sent.
func (l *Journal) RecordSessionErasure(session uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.erased[session] = struct{}{}
}

// RecordConflict notes the id under which the refusal of an event's conflict is kept.
func (l *Journal) RecordConflict(refusal uuid.UUID, index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.conflicts[refusal] = index
}

// isSessionErased tells whether a session was erased.
func (l *Journal) isSessionErased(session uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	_, erased := l.erased[session]
	return erased
}

// RecordViolation notes an answer that nobody should get; it is a difference.
func (l *Journal) RecordViolation(format string, arguments ...any) {
	const enough = 10 * MaxListed // a part of a run may have many
	l.mu.Lock()
	defer l.mu.Unlock()

	l.violations.addUpTo(enough, format, arguments...)
}

// newViolations returns the answers that nobody should get: all of them, or, for a look at
// a part of the run, those that no such look has told yet.
func (l *Journal) newViolations(part bool) Differences {
	l.mu.Lock()
	defer l.mu.Unlock()

	told := l.violations
	if part {
		told.Count -= l.reported
		told.First = told.First[min(l.reported, int64(len(told.First))):]
		l.reported = l.violations.Count
	}

	told.First = slices.Clone(told.First[:min(len(told.First), MaxListed)])
	return told
}

// SentAt returns when an event was sent, in microseconds, and whether it was.
func (l *Journal) SentAt(index uint64) (micros int64, sent bool) {
	e := l.findEntry(index)
	if e == nil {
		return 0, false
	}

	return e.sent, true
}

// Unanswered returns the indexes of the events of which nobody knows whether they
// are stored, in order.
func (l *Journal) Unanswered() (indexes []uint64) {
	for index := range l.next.Load() {
		if e := l.findEntry(index); e != nil && e.verdict == Unanswered {
			indexes = append(indexes, index)
		}
	}

	return indexes
}

// VerdictOf returns what is known of an event, and the sequence that was told last.
func (l *Journal) VerdictOf(index uint64) (verdict Verdict, sequence int64) {
	e := l.findEntry(index)
	if e == nil {
		return Unsent, 0
	}

	return e.verdict, e.sequence
}

// NextIndex is one more than the highest index that was sent.
func (l *Journal) NextIndex() uint64 { return l.next.Load() }

// CountVerdicts counts the events that were sent by their verdict.
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

// Differences are sentences, of which the first few are kept and all counted.
type Differences struct {
	Count int64
	First []string
}

// MaxListed bounds the differences that are listed.
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
