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
func (s *Service) Replay(ctx context.Context, selection Selection, progress func(ReplayTotals)) (ReplayTotals, error) {
	var totals ReplayTotals
	selection, err := selection.normalize()
	if err != nil {
		return totals, err
	}

	target := selection.auditTarget()
	selection.Filter = selection.receivedUntil(s.deps.Now())
	if totals.Matched, err = s.countMatched(ctx, &selection); err != nil {
		return totals, err
	}

	read := s.deps.Store.ClaimOpen
	process := func(chunk []DeadLetter) error { return s.replayChunk(ctx, target, chunk, &totals) }
	if selection.DryRun {
		read = s.deps.Store.ReadOpen
		process = func(chunk []DeadLetter) error { return s.checkChunk(ctx, chunk, &totals) }
	}

	var after Position
	for limit := selection.nextLimit(totals.processedCount(), replayChunkSize); limit > 0; limit = selection.nextLimit(totals.processedCount(), replayChunkSize) {
		var chunk []DeadLetter
		if err = s.checkStopping(); err == nil {
			chunk, err = read(ctx, selection.Filter, after, limit)
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
func (s *Service) Discard(ctx context.Context, selection Selection, progress func(DiscardTotals)) (DiscardTotals, error) {
	var totals DiscardTotals
	selection, err := selection.normalize()
	if err != nil {
		return totals, err
	}

	target := selection.auditTarget()
	selection.Filter = selection.receivedUntil(s.deps.Now())
	if totals.Matched, err = s.countMatched(ctx, &selection); err != nil || selection.DryRun {
		return totals, err
	}

	var after Position
	for limit := selection.nextLimit(totals.Discarded, discardChunkSize); limit > 0; limit = selection.nextLimit(totals.Discarded, discardChunkSize) {
		var n int
		if err = s.checkStopping(); err == nil {
			n, after, err = s.deps.Store.DiscardOpen(ctx, target, selection.Filter, after, limit)
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
func (s *Service) countMatched(ctx context.Context, selection *Selection) (int64, error) {
	n, err := s.deps.Store.CountOpen(ctx, selection.Filter)
	if selection.Limit > 0 {
		n = min(n, int64(selection.Limit))
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

func (s *Service) checkStopping() error {
	if s.deps.Stopping == nil || !s.deps.Stopping() {
		return nil
	}

	return fault.NewUnavailable(nil, fault.CodeUnavailable, "the service is stopping; ask again to continue", time.Second)
}

// replayChunk sends claimed rejections through ingest, many at once, records their
// verdicts, and releases the ones without a verdict. An event that the database rejects
// is skipped and does not stop the others.
func (s *Service) replayChunk(ctx context.Context, target string, letters []DeadLetter, totals *ReplayTotals) error {
	outcomes := make([]Outcome, len(letters))
	var next, skipped atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(maxConcurrent, len(letters)) {
		workers.Go(func() {
			// When one fails, the ones in progress are still awaited, to record their
			// verdicts.
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(letters) {
					return
				}

				p := s.decodeItem(&letters[i])
				verdict, err := s.deps.Ingester.Submit(ctx, &p)
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
		outcomes[i].Position = letters[i].Position
		totals.countVerdict(outcomes[i].Status)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleBudget)
	defer cancel()

	err := s.deps.Store.SettleOutcomes(ctx, target, outcomes)
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
func (s *Service) checkChunk(ctx context.Context, letters []DeadLetter, totals *ReplayTotals) error {
	items := make([]ReplayItem, len(letters))
	for i := range letters {
		items[i] = s.decodeItem(&letters[i])
	}

	verdicts, err := s.deps.Ingester.Check(ctx, items)
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
func (s *Service) decodeItem(l *DeadLetter) ReplayItem {
	switch {
	case l.Raw == nil:
		return l.unreadableItem("the text of this error is withheld")
	case len(l.Raw) < l.RawSize:
		return l.unreadableItem("only the beginning of the text was kept")
	}

	envelopes, single, err := event.ParseJSON(l.Raw, s.deps.Rules, s.deps.Now())
	if f, ok := fault.As(err); ok && len(f.Violations) > 0 {
		return ReplayItem{l, event.Envelope{Raw: l.Raw, Violations: f.Violations}}
	}

	if err != nil || !single {
		return l.unreadableItem("the text is not a single event")
	}

	e := envelopes[0]
	if !e.Has(event.FieldID) {
		e.Event.ID = l.ID
		e.Known |= event.FieldID
	}

	return ReplayItem{l, e}
}

func (l *DeadLetter) unreadableItem(detail string) ReplayItem {
	p := ReplayItem{l, event.Envelope{Raw: l.Raw}}
	p.Envelope.Reject(fault.CodeNotReplayable, "", detail)
	return p
}
