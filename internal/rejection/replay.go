package rejection

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	// chunk is how many rejections are claimed at once. Their lease has to outlive them:
	// chunk / atOnce budgets of the gate.
	chunk = 256
	// atOnce is how many events go through the gate at the same time: they share its
	// transactions, and leave room for what comes in.
	atOnce = 64
	// discardChunk is how many rejections one transaction closes.
	discardChunk = 5000
	// noteBudget bounds the notes that are written even when a run was cut off.
	noteBudget = 10 * time.Second
)

// ReplayTotals tell what a run did, or would do.
type ReplayTotals struct {
	// Matched is how many rejections were open and meant.
	Matched int64 `json:"matched"`
	// Stored, Duplicates and Rejected count the verdicts. Those that were rejected again
	// stay open.
	Stored     int64 `json:"stored"`
	Duplicates int64 `json:"duplicates"`
	Rejected   int64 `json:"rejected"`
	// Skipped is how many another run held, or were closed or erased meanwhile.
	Skipped int64 `json:"skipped"`
}

func (t *ReplayTotals) add(status Status) {
	switch status {
	case Stored:
		t.Stored++
	case Duplicate:
		t.Duplicates++
	case Rejected:
		t.Rejected++
	}
}

func (t *ReplayTotals) taken() int64 { return t.Stored + t.Duplicates + t.Rejected }

// DiscardTotals tell what a run did, or would do.
type DiscardTotals struct {
	Matched   int64 `json:"matched"`
	Discarded int64 `json:"discarded"`
	// Skipped is how many another run held, or were closed or erased meanwhile.
	Skipped int64 `json:"skipped"`
}

// Deps are what a Desk works with.
type Deps struct {
	Store Store
	Gate  Gate
	// Rules are those by which events are decoded.
	Rules *event.Rules
	Now   func() time.Time
	// Stopping tells that runs are to end at the next opportunity. Nil never does.
	Stopping func() bool
}

// Desk replays and discards. It is safe for concurrent use, also with others on the
// same database.
type Desk struct{ deps Deps }

// NewDesk makes a desk.
func NewDesk(deps Deps) *Desk { return &Desk{deps} }

// Replay sends open rejections through the gate again, each at most once, and calls
// progress after each part of them. With an error it returns what was done until then.
func (d *Desk) Replay(ctx context.Context, selection Selection, progress func(ReplayTotals)) (ReplayTotals, error) {
	var totals ReplayTotals
	s, err := selection.check()
	if err != nil {
		return totals, err
	}
	target := s.describe()
	s.Filter = s.until(d.deps.Now())
	if totals.Matched, err = d.matched(ctx, &s); err != nil {
		return totals, err
	}
	take, pass := d.deps.Store.Claim, func(kept []Kept) error { return d.through(ctx, target, kept, &totals) }
	if s.DryRun {
		take, pass = d.deps.Store.Read, func(kept []Kept) error { return d.check(ctx, kept, &totals) }
	}
	var after Position
	for limit := s.next(totals.taken(), chunk); limit > 0; limit = s.next(totals.taken(), chunk) {
		var kept []Kept
		if err = d.stopping(); err == nil {
			kept, err = take(ctx, s.Filter, after, limit)
		}
		if err == nil && len(kept) > 0 {
			after = kept[len(kept)-1].Position
			err = pass(kept)
			totals.Matched = max(totals.Matched, totals.taken()) // some came meanwhile
			progress(totals)
		}
		if err != nil || len(kept) < limit {
			break
		}
	}
	if err == nil {
		totals.Skipped = totals.Matched - totals.taken()
	}
	return totals, err
}

// Discard closes open rejections for good; they are kept until they are past the time
// that errors are kept. With an error it returns what was done until then.
func (d *Desk) Discard(ctx context.Context, selection Selection, progress func(DiscardTotals)) (DiscardTotals, error) {
	var totals DiscardTotals
	s, err := selection.check()
	if err != nil {
		return totals, err
	}
	target := s.describe()
	s.Filter = s.until(d.deps.Now())
	if totals.Matched, err = d.matched(ctx, &s); err != nil || s.DryRun {
		return totals, err
	}
	var after Position
	for limit := s.next(totals.Discarded, discardChunk); limit > 0; limit = s.next(totals.Discarded, discardChunk) {
		var n int
		if err = d.stopping(); err == nil {
			n, after, err = d.deps.Store.Discard(ctx, target, s.Filter, after, limit)
		}
		totals.Discarded += int64(n)
		totals.Matched = max(totals.Matched, totals.Discarded)
		if err != nil || n < limit {
			break
		}
		progress(totals)
	}
	if err == nil {
		totals.Skipped = totals.Matched - totals.Discarded
	}
	return totals, err
}

// matched counts what a selection means, at most its limit.
func (d *Desk) matched(ctx context.Context, s *Selection) (int64, error) {
	n, err := d.deps.Store.Count(ctx, s.Filter)
	if s.Limit > 0 {
		n = min(n, int64(s.Limit))
	}
	return n, err
}

// next is how many may be taken next, when some were taken.
func (s *Selection) next(taken int64, most int) int {
	if s.Limit == 0 {
		return most
	}
	return min(most, s.Limit-int(taken))
}

func (d *Desk) stopping() error {
	if d.deps.Stopping == nil || !d.deps.Stopping() {
		return nil
	}
	return fault.Busy(nil, fault.CodeUnavailable, "the service is stopping; ask again to go on", time.Second)
}

// through sends claimed rejections through the gate, many at once, notes what became of
// them, and gives back those that got no verdict.
func (d *Desk) through(ctx context.Context, target string, kept []Kept, totals *ReplayTotals) error {
	outcomes := make([]Outcome, len(kept))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(atOnce, len(kept)) {
		workers.Go(func() {
			// What is under way when one fails is waited for: its outcome is worth knowing.
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(kept) {
					return
				}
				p := d.passage(&kept[i])
				verdict, err := d.deps.Gate.Submit(ctx, &p)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				outcomes[i].Verdict = verdict
			}
		})
	}
	workers.Wait()
	for i := range outcomes {
		outcomes[i].Position = kept[i].Position
		totals.add(outcomes[i].Status)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteBudget)
	defer cancel()
	err := d.deps.Store.Settle(ctx, target, outcomes)
	if cause := failed.Load(); cause != nil {
		return *cause // what could not be noted either is free when its lease ends
	}
	if err != nil {
		return fmt.Errorf("note what was replayed: %w", err)
	}
	return nil
}

// check counts the verdicts that rejections would get now.
func (d *Desk) check(ctx context.Context, kept []Kept, totals *ReplayTotals) error {
	passages := make([]Passage, len(kept))
	for i := range kept {
		passages[i] = d.passage(&kept[i])
	}
	verdicts, err := d.deps.Gate.Check(ctx, passages)
	if err != nil {
		return fmt.Errorf("judge rejections: %w", err)
	}
	for _, v := range verdicts {
		totals.add(v.Status)
	}
	return nil
}

// passage decodes a rejection by the rules and the time of now. An event that brought
// no id gets the rejection's.
func (d *Desk) passage(k *Kept) Passage {
	switch {
	case k.Raw == nil:
		return k.unreadable("the text of this error is withheld")
	case len(k.Raw) < k.RawSize:
		return k.unreadable("only the beginning of the text was kept")
	}
	envelopes, single, err := event.ParseJSON(k.Raw, d.deps.Rules, d.deps.Now())
	if f, ok := fault.As(err); ok && len(f.Violations) > 0 {
		return Passage{k, event.Envelope{Raw: k.Raw, Violations: f.Violations}}
	}
	if err != nil || !single {
		return k.unreadable("the text is not a single event")
	}
	e := envelopes[0]
	if !e.Has(event.FieldID) {
		e.Event.ID = k.ID
		e.Known |= event.FieldID
	}
	return Passage{k, e}
}

func (k *Kept) unreadable(detail string) Passage {
	p := Passage{k, event.Envelope{Raw: k.Raw}}
	p.Envelope.Reject(fault.CodeNotReplayable, "", detail)
	return p
}
