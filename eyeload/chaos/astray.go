package chaos

import (
	"slices"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// astray is a service that judges by a wrong clock, and what it may refuse good events
// for.
type astray struct {
	target string
	code   string
	// from is before the clock was wrong, and to after it was right again; zero is not yet.
	from, to time.Time
}

// goAstray notes that a service is about to judge by a wrong clock, and may refuse good
// events with this code alone; empty is none.
func (b *book) goAstray(target, code string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.astray = append(b.astray, astray{target: target, code: code, from: now})
}

// straight notes that the clock is right again.
func (b *book) straight(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.astray[len(b.astray)-1].to = now
}

// explains tells whether a wrong clock explains why a service refused what was sent to
// it in a time: all that it objects to has to be the date.
func (b *book) explains(target string, codes []string, began, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.explained(target, codes, began, now)
}

func (b *book) explained(target string, codes []string, began, now time.Time) bool {
	return len(codes) > 0 && slices.ContainsFunc(b.astray, func(a astray) bool {
		other := func(code string) bool { return code != a.code }
		return a.target == target && !now.Before(a.from) && (a.to.IsZero() || !began.After(a.to)) && !slices.ContainsFunc(codes, other)
	})
}

// misdated notes that a good event was refused by a wrong clock. That says nothing of
// other attempts: one that was told that it is stored is right, and of one without a
// verdict nobody knows, so that the event has to be sent again. If there is none, the
// event must not be found in the tables, unless a replay may store it.
func (b *book) misdated(index uint64, known reconcile.Verdict) {
	if isAhead(index) {
		// It is kept with a time of receipt by that clock. A replay takes what was received
		// until now, and may not come to it for years.
		b.misplaced[index] = struct{}{}
		b.postponed(index, known)
		return
	}
	if _, doubtful := b.doubtful[index]; doubtful || known != reconcile.Unanswered {
		return
	}
	b.ledger.Told(index, reconcile.Rejected, 0)
	b.tally.refused++
}

// unheard notes that events were sent and nobody knows what became of that.
func (b *book) unheard(indexes []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, index := range indexes {
		if poisoned(index) {
			continue
		}
		b.doubtful[index] = struct{}{}
		if known, _ := b.ledger.Known(index); known == reconcile.Rejected {
			b.ledger.Told(index, reconcile.Unanswered, 0)
		}
	}
}
