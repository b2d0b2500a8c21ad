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

// Refused is how many were told to be refused.
func (c *Counts) Refused() int64 { return c[Conflict] + c[Rejected] + c[Deferred] }

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
	// gone tells that it was erased.
	gone bool
}

// Entries are kept in chunks, so that a ledger grows without being copied.
const (
	chunkEntries = 1 << 16
	maxChunks    = 1 << 16
)

type chunk [chunkEntries]entry

// Ledger is what was sent and told, by the events' indexes. Different events may be
// noted at once; one event is noted by one goroutine at a time, and the ledger is
// read when nobody notes any more.
type Ledger struct {
	chunks []atomic.Pointer[chunk]
	// next is one more than the highest index that was sent.
	next atomic.Uint64

	mu    sync.Mutex
	wrong Differences
	// shown is how many of these were told by a look at a part of the run.
	shown int64
	// erased are the sessions that were erased.
	erased map[uuid.UUID]struct{}
	// conflicts are the refusals of conflicts that somebody was told, by their ids.
	conflicts map[uuid.UUID]uint64
}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{
		chunks: make([]atomic.Pointer[chunk], maxChunks), erased: map[uuid.UUID]struct{}{}, conflicts: map[uuid.UUID]uint64{},
	}
}

// Fits tells whether the ledger has room for so many events.
func Fits(events uint64) bool { return events <= chunkEntries*maxChunks }

func (l *Ledger) at(index uint64) *entry {
	slot := &l.chunks[index/chunkEntries]
	c := slot.Load()
	if c == nil {
		slot.CompareAndSwap(nil, new(chunk))
		c = slot.Load()
	}
	return &c[index%chunkEntries]
}

// find returns an entry, or nil for what was never sent.
func (l *Ledger) find(index uint64) *entry {
	if index >= l.next.Load() {
		return nil
	}
	c := l.chunks[index/chunkEntries].Load()
	if c == nil || c[index%chunkEntries].verdict == Unsent {
		return nil
	}
	return &c[index%chunkEntries]
}

// Sending notes that an event is about to be sent with a timestamp, in
// microseconds. An event that is sent again keeps the timestamp it had.
func (l *Ledger) Sending(index uint64, micros int64) {
	e := l.at(index)
	e.sent, e.verdict = micros, Unanswered
	for next := l.next.Load(); index >= next && !l.next.CompareAndSwap(next, index+1); next = l.next.Load() {
	}
}

// Told notes the verdict on an event that was sent.
func (l *Ledger) Told(index uint64, verdict Verdict, sequence int64) {
	e := l.at(index)
	e.verdict, e.sequence = verdict, sequence
}

// Edited notes that the content of a stored event was changed to a revision; Revise
// tells what that is.
func (l *Ledger) Edited(index uint64, revision uint8) { l.at(index).revision = revision }

// Erased notes that a stored event was erased.
func (l *Ledger) Erased(index uint64) { l.at(index).gone = true }

// SessionErased notes that a session was erased, with all that it had and will be sent.
func (l *Ledger) SessionErased(session uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erased[session] = struct{}{}
}

// Contradicted notes the id under which the refusal of an event's conflict is kept.
func (l *Ledger) Contradicted(refusal uuid.UUID, index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conflicts[refusal] = index
}

// sessionErased tells whether a session was erased.
func (l *Ledger) sessionErased(session uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, erased := l.erased[session]
	return erased
}

// Wrong notes an answer that nobody should get; it is a difference.
func (l *Ledger) Wrong(format string, arguments ...any) {
	const enough = 10 * MaxListed // a part of a run may have many
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong.addUpTo(enough, format, arguments...)
}

// wrongSince returns the answers that nobody should get: all of them, or, for a look at
// a part of the run, those that no such look has told yet.
func (l *Ledger) wrongSince(part bool) Differences {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.wrong
	if part {
		told.Count -= l.shown
		told.First = told.First[min(l.shown, int64(len(told.First))):]
		l.shown = l.wrong.Count
	}
	told.First = slices.Clone(told.First[:min(len(told.First), MaxListed)])
	return told
}

// Sent returns when an event was sent, in microseconds, and whether it was.
func (l *Ledger) Sent(index uint64) (micros int64, sent bool) {
	e := l.find(index)
	if e == nil {
		return 0, false
	}
	return e.sent, true
}

// Unanswered returns the indexes of the events of which nobody knows whether they
// are stored, in order.
func (l *Ledger) Unanswered() (indexes []uint64) {
	for index := range l.next.Load() {
		if e := l.find(index); e != nil && e.verdict == Unanswered {
			indexes = append(indexes, index)
		}
	}
	return indexes
}

// Known returns what is known of an event, and the sequence that was told last.
func (l *Ledger) Known(index uint64) (verdict Verdict, sequence int64) {
	e := l.find(index)
	if e == nil {
		return Unsent, 0
	}
	return e.verdict, e.sequence
}

// Next is one more than the highest index that was sent.
func (l *Ledger) Next() uint64 { return l.next.Load() }

// Count counts the events that were sent by their verdict.
func (l *Ledger) Count() (counts Counts) { return l.count(0) }

func (l *Ledger) count(from uint64) (counts Counts) {
	for index := from; index < l.next.Load(); index++ {
		if e := l.find(index); e != nil {
			counts[e.verdict]++
		}
	}
	return counts
}

// span returns the first and the last timestamp that was sent.
func (l *Ledger) span() (first, last int64) {
	for index := range l.next.Load() {
		e := l.find(index)
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

func (d *Differences) add(format string, arguments ...any) {
	d.addUpTo(MaxListed, format, arguments...)
}

func (d *Differences) addUpTo(most int, format string, arguments ...any) {
	d.Count++
	if len(d.First) < most {
		d.First = append(d.First, fmt.Sprintf(format, arguments...))
	}
}
