package chaos

import (
	"slices"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// clockFaultPeriod is a service that judges by a wrong clock, and what it may refuse good events
// for.
type clockFaultPeriod struct {
	target string
	code   string
	// from is before the clock was wrong, and to after it was right again; zero is not yet.
	from, to time.Time
}

// beginClockFault notes that a service is about to judge by a wrong clock, and may refuse good
// events with this code alone; empty is none.
func (b *oracle) beginClockFault(target, code string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.clockFaults = append(b.clockFaults, clockFaultPeriod{target: target, code: code, from: now})
}

// endClockFault notes that the clock is right again.
func (b *oracle) endClockFault(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.clockFaults[len(b.clockFaults)-1].to = now
}

// clockExplains tells whether a wrong clock explains why a service refused what was sent to
// it in a time: all that it objects to has to be the date.
func (b *oracle) clockExplains(target string, codes []string, began, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.clockExplainsLocked(target, codes, began, now)
}

func (b *oracle) clockExplainsLocked(target string, codes []string, began, now time.Time) bool {
	return len(codes) > 0 && slices.ContainsFunc(b.clockFaults, func(a clockFaultPeriod) bool {
		other := func(code string) bool { return code != a.code }
		return a.target == target && !now.Before(a.from) && (a.to.IsZero() || !began.After(a.to)) && !slices.ContainsFunc(codes, other)
	})
}

// recordMisdatedRejection notes that a good event was refused by a wrong clock. That says nothing of
// other attempts: one that was told that it is stored is right, and of one without a
// verdict nobody knows, so that the event has to be sent again. If there is none, the
// event must not be found in the tables, unless a replay may store it.
func (b *oracle) recordMisdatedRejection(index uint64, known reconcile.Verdict) {
	if isAhead(index) {
		// It is kept with a time of receipt by that clock. A replay takes what was received
		// until now, and may not come to it for years.
		b.replayMayMiss[index] = struct{}{}
		b.recordDeferral(index, known)
		return
	}

	if _, doubtful := b.uncertain[index]; doubtful || known != reconcile.Unanswered {
		return
	}

	b.journal.RecordVerdict(index, reconcile.Rejected, 0)
	b.tally.rejected++
}

// recordUnanswered notes that events were sent and nobody knows what became of that.
func (b *oracle) recordUnanswered(indexes []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()

	for _, index := range indexes {
		if isUnstorable(index) {
			continue
		}

		b.uncertain[index] = struct{}{}
		if known, _ := b.journal.VerdictOf(index); known == reconcile.Rejected {
			b.journal.RecordVerdict(index, reconcile.Unanswered, 0)
		}
	}
}
