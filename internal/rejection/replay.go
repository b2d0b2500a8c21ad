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
	// replayChunkSize is how many rejections are claimed at once. Their lease has to outlive them:
	// chunk / atOnce budgets of the gate.
	replayChunkSize = 256
	// maxConcurrent is how many events go through the gate at the same time: they share its
	// transactions, and leave room for what comes in.
	maxConcurrent = 64
	// discardChunkSize is how many rejections one transaction closes.
	discardChunkSize = 5000
	// settleBudget bounds the notes that are written even when a run was cut off.
	settleBudget = 10 * time.Second
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

func (t *ReplayTotals) countVerdict(status Status) {
	switch status {
	case Stored:
		t.Stored++
	case Duplicate:
		t.Duplicates++
	case Rejected:
		t.Rejected++
	}
}

func (t *ReplayTotals) verdictCount() int64 { return t.Stored + t.Duplicates + t.Rejected }

// DiscardTotals tell what a run did, or would do.
type DiscardTotals struct {
	Matched   int64 `json:"matched"`
	Discarded int64 `json:"discarded"`
	// Skipped is how many another run held, or were closed or erased meanwhile.
	Skipped int64 `json:"skipped"`
}

// Deps are what a Desk works with.
type Deps struct {
	Store    Store
	Ingester Ingester
	// Rules are those by which events are decoded.
	Rules *event.Rules
	Now   func() time.Time
	// Stopping tells that runs are to end at the next opportunity. Nil never does.
	Stopping func() bool
}

// Service replays and discards. It is safe for concurrent use, also with others on the
// same database.
type Service struct{ deps Deps }

// NewService makes a desk.
func NewService(deps Deps) *Service { return &Service{deps} }

// Replay sends open rejections through the gate again, each at most once, and calls
// progress after each part of them. With an error it returns what was done until then.
func (d *Service) Replay(ctx context.Context, selection Selection, progress func(ReplayTotals)) (ReplayTotals, error) {
	var totals ReplayTotals
	s, err := selection.normalize()
	if err != nil {
		return totals, err
	}

	target := s.auditTarget()
	s.Filter = s.receivedUntil(d.deps.Now())
	if totals.Matched, err = d.countMatched(ctx, &s); err != nil {
		return totals, err
	}

	take, pass := d.deps.Store.ClaimOpen, func(kept []DeadLetter) error { return d.replayChunk(ctx, target, kept, &totals) }
	if s.DryRun {
		take, pass = d.deps.Store.ReadOpen, func(kept []DeadLetter) error { return d.checkChunk(ctx, kept, &totals) }
	}

	var after Position
	for limit := s.nextLimit(totals.verdictCount(), replayChunkSize); limit > 0; limit = s.nextLimit(totals.verdictCount(), replayChunkSize) {
		var kept []DeadLetter
		if err = d.checkStopping(); err == nil {
			kept, err = take(ctx, s.Filter, after, limit)
		}

		if err == nil && len(kept) > 0 {
			after = kept[len(kept)-1].Position
			err = pass(kept)
			totals.Matched = max(totals.Matched, totals.verdictCount()) // some came meanwhile
			progress(totals)
		}

		if err != nil || len(kept) < limit {
			break
		}
	}

	if err == nil {
		totals.Skipped = totals.Matched - totals.verdictCount()
	}

	return totals, err
}

// Discard closes open rejections for good; they are kept until they are past the time
// that errors are kept. With an error it returns what was done until then.
func (d *Service) Discard(ctx context.Context, selection Selection, progress func(DiscardTotals)) (DiscardTotals, error) {
	var totals DiscardTotals
	s, err := selection.normalize()
	if err != nil {
		return totals, err
	}

	target := s.auditTarget()
	s.Filter = s.receivedUntil(d.deps.Now())
	if totals.Matched, err = d.countMatched(ctx, &s); err != nil || s.DryRun {
		return totals, err
	}

	var after Position
	for limit := s.nextLimit(totals.Discarded, discardChunkSize); limit > 0; limit = s.nextLimit(totals.Discarded, discardChunkSize) {
		var n int
		if err = d.checkStopping(); err == nil {
			n, after, err = d.deps.Store.DiscardOpen(ctx, target, s.Filter, after, limit)
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

// countMatched counts what a selection means, at most its limit.
func (d *Service) countMatched(ctx context.Context, s *Selection) (int64, error) {
	n, err := d.deps.Store.CountOpen(ctx, s.Filter)
	if s.Limit > 0 {
		n = min(n, int64(s.Limit))
	}

	return n, err
}

// nextLimit is how many may be taken next, when some were taken.
func (s *Selection) nextLimit(taken int64, most int) int {
	if s.Limit == 0 {
		return most
	}

	return min(most, s.Limit-int(taken))
}

func (d *Service) checkStopping() error {
	if d.deps.Stopping == nil || !d.deps.Stopping() {
		return nil
	}

	return fault.NewUnavailable(nil, fault.CodeUnavailable, "the service is stopping; ask again to go on", time.Second)
}

// replayChunk sends claimed rejections through the gate, many at once, notes what became of
// them, and gives back those that got no verdict.
func (d *Service) replayChunk(ctx context.Context, target string, kept []DeadLetter, totals *ReplayTotals) error {
	outcomes := make([]Outcome, len(kept))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(maxConcurrent, len(kept)) {
		workers.Go(func() {
			// What is under way when one fails is waited for: its outcome is worth knowing.
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(kept) {
					return
				}

				p := d.decodeItem(&kept[i])
				verdict, err := d.deps.Ingester.Submit(ctx, &p)
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
		totals.countVerdict(outcomes[i].Status)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleBudget)
	defer cancel()

	err := d.deps.Store.SettleOutcomes(ctx, target, outcomes)
	if cause := failed.Load(); cause != nil {
		return *cause // what could not be noted either is free when its lease ends
	}

	if err != nil {
		return fmt.Errorf("note what was replayed: %w", err)
	}

	return nil
}

// checkChunk counts the verdicts that rejections would get now.
func (d *Service) checkChunk(ctx context.Context, kept []DeadLetter, totals *ReplayTotals) error {
	passages := make([]ReplayItem, len(kept))
	for i := range kept {
		passages[i] = d.decodeItem(&kept[i])
	}

	verdicts, err := d.deps.Ingester.Check(ctx, passages)
	if err != nil {
		return fmt.Errorf("judge rejections: %w", err)
	}

	for _, v := range verdicts {
		totals.countVerdict(v.Status)
	}

	return nil
}

// decodeItem decodes a rejection by the rules and the time of now. An event that brought
// no id gets the rejection's.
func (d *Service) decodeItem(k *DeadLetter) ReplayItem {
	switch {
	case k.Raw == nil:
		return k.unreadableItem("the text of this error is withheld")
	case len(k.Raw) < k.RawSize:
		return k.unreadableItem("only the beginning of the text was kept")
	}

	envelopes, single, err := event.ParseJSON(k.Raw, d.deps.Rules, d.deps.Now())
	if f, ok := fault.As(err); ok && len(f.Violations) > 0 {
		return ReplayItem{k, event.Envelope{Raw: k.Raw, Violations: f.Violations}}
	}

	if err != nil || !single {
		return k.unreadableItem("the text is not a single event")
	}

	e := envelopes[0]
	if !e.Has(event.FieldID) {
		e.Event.ID = k.ID
		e.Known |= event.FieldID
	}

	return ReplayItem{k, e}
}

func (k *DeadLetter) unreadableItem(detail string) ReplayItem {
	p := ReplayItem{k, event.Envelope{Raw: k.Raw}}
	p.Envelope.Reject(fault.CodeNotReplayable, "", detail)
	return p
}
