package rejection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	// replayChunkSize is how many rejections are claimed at once. Their lease has to
	// last longer than their replay: replayChunkSize / maxConcurrent times the budget
	// of ingest.
	replayChunkSize = 256
	// maxConcurrent is how many events are replayed at the same time: they share group
	// commits with each other, and leave room for new requests.
	maxConcurrent = 64
	// discardChunkSize is how many rejections one transaction closes.
	discardChunkSize = 5000
	// settleBudget bounds the record of outcomes, which is written even when a run was
	// interrupted.
	settleBudget = 10 * time.Second
)

// ReplayTotals counts what a run did, or would do.
type ReplayTotals struct {
	// Matched is how many open rejections the selection matched.
	Matched int64 `json:"matched"`
	// Stored, Duplicates and Rejected count the verdicts. Events that were rejected
	// again stay open.
	Stored     int64 `json:"stored"`
	Duplicates int64 `json:"duplicates"`
	Rejected   int64 `json:"rejected"`
	// Skipped is how many were claimed by another run, or closed or erased meanwhile, or
	// whose event a trigger or constraint that was added to the database rejects. They
	// have no verdict.
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

// processedCount counts the rejections that the run has claimed, also those without a verdict.
func (t *ReplayTotals) processedCount() int64 { return t.verdictCount() + t.Skipped }

// DiscardTotals counts what a run did, or would do.
type DiscardTotals struct {
	Matched   int64 `json:"matched"`
	Discarded int64 `json:"discarded"`
	// Skipped is how many were claimed by another run, or closed or erased meanwhile.
	Skipped int64 `json:"skipped"`
}

// Deps are the dependencies of a Service.
type Deps struct {
	Store    Store
	Ingester Ingester
	// Rules are the rules by which events are decoded.
	Rules *event.Rules
	Now   func() time.Time
	// Stopping reports whether runs have to end at the next opportunity. Nil means
	// never.
	Stopping func() bool
}

// Service replays and discards rejections. It is safe for concurrent use, also with
// other replicas on the same database.
type Service struct{ deps Deps }

// NewService makes a service.
func NewService(deps Deps) *Service { return &Service{deps} }

// Replay sends open rejections through ingest again, each at most once, and calls
// progress after each chunk. With an error it also returns the totals so far.
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

	read := d.deps.Store.ClaimOpen
	process := func(chunk []DeadLetter) error { return d.replayChunk(ctx, target, chunk, &totals) }
	if s.DryRun {
		read = d.deps.Store.ReadOpen
		process = func(chunk []DeadLetter) error { return d.checkChunk(ctx, chunk, &totals) }
	}

	var after Position
	for limit := s.nextLimit(totals.processedCount(), replayChunkSize); limit > 0; limit = s.nextLimit(totals.processedCount(), replayChunkSize) {
		var chunk []DeadLetter
		if err = d.checkStopping(); err == nil {
			chunk, err = read(ctx, s.Filter, after, limit)
		}

		if err == nil && len(chunk) > 0 {
			after = chunk[len(chunk)-1].Position
			err = process(chunk)
			totals.Matched = max(totals.Matched, totals.processedCount()) // more may have arrived meanwhile
			progress(totals)
		}

		if err != nil || len(chunk) < limit {
			break
		}
	}

	if err == nil {
		totals.Skipped = totals.Matched - totals.verdictCount()
	}

	return totals, err
}

// Discard closes open rejections for good; they are kept until their retention ends.
// With an error it also returns the totals so far.
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

// countMatched counts the rejections that a selection matches, at most its limit.
func (d *Service) countMatched(ctx context.Context, s *Selection) (int64, error) {
	n, err := d.deps.Store.CountOpen(ctx, s.Filter)
	if s.Limit > 0 {
		n = min(n, int64(s.Limit))
	}

	return n, err
}

// nextLimit returns how many rejections may be processed next, after some were
// processed.
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

	return fault.NewUnavailable(nil, fault.CodeUnavailable, "the service is stopping; ask again to continue", time.Second)
}

// replayChunk sends claimed rejections through ingest, many at once, records their
// verdicts, and releases the ones without a verdict. An event that the database rejects
// is skipped and does not stop the others.
func (d *Service) replayChunk(ctx context.Context, target string, kept []DeadLetter, totals *ReplayTotals) error {
	outcomes := make([]Outcome, len(kept))
	var next, skipped atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(maxConcurrent, len(kept)) {
		workers.Go(func() {
			// When one fails, the ones in progress are still awaited, to record their
			// verdicts.
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(kept) {
					return
				}

				p := d.decodeItem(&kept[i])
				verdict, err := d.deps.Ingester.Submit(ctx, &p)
				if errors.Is(err, ErrRejectedByDatabase) {
					skipped.Add(1) // ingest logs the event
					continue
				}

				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}

				outcomes[i].Verdict = verdict
			}
		})
	}

	workers.Wait()
	totals.Skipped += skipped.Load()
	for i := range outcomes {
		outcomes[i].Position = kept[i].Position
		totals.countVerdict(outcomes[i].Status)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleBudget)
	defer cancel()

	err := d.deps.Store.SettleOutcomes(ctx, target, outcomes)
	if err != nil { // rejections without a recorded verdict are free when their lease ends
		err = fmt.Errorf("record the outcomes of a replay: %w", err)
	}

	cause := failed.Load()
	switch {
	case cause == nil:
		return err
	case err != nil: // as text, so that callers see the fault that ended the run
		return fmt.Errorf("%w; then: %s", *cause, err.Error())
	default:
		return *cause
	}
}

// checkChunk counts the verdicts that a replay of rejections would have now.
func (d *Service) checkChunk(ctx context.Context, kept []DeadLetter, totals *ReplayTotals) error {
	passages := make([]ReplayItem, len(kept))
	for i := range kept {
		passages[i] = d.decodeItem(&kept[i])
	}

	verdicts, err := d.deps.Ingester.Check(ctx, passages)
	if err != nil {
		return fmt.Errorf("validate rejections: %w", err)
	}

	for _, v := range verdicts {
		totals.countVerdict(v.Status)
	}

	return nil
}

// decodeItem decodes a rejection by the present rules and time. An event without an id
// gets the id of the rejection.
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
