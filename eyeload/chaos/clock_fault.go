package chaos

import (
	"slices"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// clockFaultPeriod is a period in which a service has a wrong clock, with the code with which
// it may reject good events.
type clockFaultPeriod struct {
	target string
	code   string
	// from is a time before the clock was wrong, and to one after it was right again; zero
	// means not yet.
	from, to time.Time
}

// beginClockFault records that a service is about to have a wrong clock, and may reject good
// events with this code alone; an empty code stands for none.
func (o *oracle) beginClockFault(target, code string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.clockFaults = append(o.clockFaults, clockFaultPeriod{target: target, code: code, from: now})
}

// endClockFault records that the clock is right again.
func (o *oracle) endClockFault(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.clockFaults[len(o.clockFaults)-1].to = now
}

// clockExplains reports whether a wrong clock explains why a service rejected an event that was
// sent at began and answered at now: the timestamp has to be the only problem.
func (o *oracle) clockExplains(target string, codes []string, began, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.clockExplainsLocked(target, codes, began, now)
}

func (o *oracle) clockExplainsLocked(target string, codes []string, began, now time.Time) bool {
	return len(codes) > 0 && slices.ContainsFunc(o.clockFaults, func(a clockFaultPeriod) bool {
		other := func(code string) bool { return code != a.code }
		return a.target == target && !now.Before(a.from) && (a.to.IsZero() || !began.After(a.to)) && !slices.ContainsFunc(codes, other)
	})
}

// recordMisdatedRejection records that a good event was rejected because of a wrong clock. That
// proves nothing about other attempts: an acknowledgement of another attempt is right, and an
// attempt without a verdict may have stored the event, so that it has to be sent again. Without
// such an attempt, the event must not be in the tables, unless a replay may store it.
func (o *oracle) recordMisdatedRejection(index uint64, known reconcile.Verdict) {
	if isAhead(index) {
		// The dead letter has a time of receipt by that clock. A replay selects dead letters
		// received until now, and may not reach this one for years.
		o.replayMayMiss[index] = struct{}{}
		o.recordDeferral(index, known)
		return
	}

	if _, doubtful := o.uncertain[index]; doubtful || known != reconcile.Unanswered {
		return
	}

	o.journal.RecordVerdict(index, reconcile.Rejected, 0)
	o.tally.rejected++
}

// recordUnanswered records that events were sent and have no verdict.
func (o *oracle) recordUnanswered(indexes []uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()

	for _, index := range indexes {
		if isUnstorable(index) {
			continue
		}

		o.uncertain[index] = struct{}{}
		if known, _ := o.journal.VerdictOf(index); known == reconcile.Rejected {
			o.journal.RecordVerdict(index, reconcile.Unanswered, 0)
		}
	}
}
