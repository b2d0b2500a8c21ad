package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// maxRetryAfter bounds the wait that an answer asks for. A longer one is a mistake of something
// between here and the service.
const maxRetryAfter = time.Hour

// sender is the one goroutine of a Buffer that sends.
type sender struct {
	buffer *Buffer
	// failures counts the attempts without verdicts since the last with.
	failures int
	// batchEvents bounds the next batch. It is halved when a request is refused as too large,
	// and grows slowly back.
	batchEvents int
	// alone counts how often the oldest event was refused alone, since the last verdict.
	alone int
	// witness is the last event that got a verdict of the service; nil if none did.
	witness []byte
}

// run sends batches until the Buffer is closed and empty, or the context ends.
func (s *sender) run(ctx context.Context) {
	defer close(s.buffer.stopped)

	for s.awaitBatch(ctx) {
		err := s.sendBatch(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}

		s.failures++
		s.buffer.count(func(c *BufferStats) { c.LastError = err })
		s.buffer.tellError(err)
		s.pause(ctx, err)
	}
}

// awaitBatch waits until there are events that should be sent now. It returns false if there
// never will be.
func (s *sender) awaitBatch(ctx context.Context) bool {
	b := s.buffer
	var delayed <-chan time.Time
	for {
		closing := b.isClosing() // before the events are counted: afterwards none comes
		events, bytes, _ := b.queue.size()
		switch {
		case ctx.Err() != nil || (events == 0 && closing):
			return false
		case events > 0 && (s.hasWaited() || b.fillsBatch(events, bytes) || b.isHurried()):
			return true
		case events > 0 && delayed == nil:
			timer := time.NewTimer(b.config.Delay)
			defer timer.Stop()

			delayed = timer.C
		}

		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-b.closing:
		case <-delayed:
			return true
		}
	}
}

// hasWaited reports whether the oldest events were sent before, or are the rest of a batch that
// was split.
func (s *sender) hasWaited() bool {
	return s.failures > 0 || s.batchEvents < s.buffer.config.BatchEvents
}

// isHurried reports whether events should not wait for others.
func (b *Buffer) isHurried() bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.flushers > 0 || b.config.Delay < 0 || b.isClosing()
}

// sendBatch makes one attempt with the oldest events. An error means that they have no verdict
// and that the next attempt has to wait.
func (s *sender) sendBatch(ctx context.Context) error {
	b := s.buffer
	batch, err := b.queue.peek(s.batchEvents, b.config.BatchBytes)
	b.tellProgress() // what cannot be read any more has left
	if err != nil || len(batch) == 0 {
		return err
	}

	result, err := s.post(ctx, batch)
	var refusal *Error
	switch {
	case err == nil:
		s.batchEvents = min(b.config.BatchEvents, s.batchEvents+1+b.config.BatchEvents/16)
		s.witness = batch[0]
	case !errors.As(err, &refusal):
		return err
	case refusal.Status == http.StatusRequestEntityTooLarge:
		result = s.split(batch, refusal)
	case refusal.mayBeContent():
		if result, err = s.isolate(ctx, batch, refusal); err != nil {
			return err
		}
	default:
		return err
	}

	if len(result.Verdicts) > 0 {
		s.failures = 0
		s.alone = 0
		b.settle(batch, result)
	}

	return nil
}

// post makes one attempt to send events.
func (s *sender) post(ctx context.Context, batch [][]byte) (Result, error) {
	ids := make([]string, len(batch))
	for i, encoded := range batch {
		ids[i] = readEventID(encoded)
	}

	ctx, cancel := context.WithTimeout(ctx, s.buffer.config.RequestTimeout)
	defer cancel()

	result, err := s.buffer.client.post(ctx, ids, batch)
	s.buffer.count(func(c *BufferStats) {
		c.Requests++
		if err != nil {
			c.Failures++
		}
	})
	return result, err
}

// split halves a batch that is too large, for the next attempt. An event that is too large alone
// has the refusal as its verdict: no later attempt can end otherwise.
func (s *sender) split(batch [][]byte, refusal *Error) (result Result) {
	if len(batch) > 1 {
		s.batchEvents = (len(batch) + 1) / 2
		return Result{}
	}

	result.add(refusal.toVerdict(readEventID(batch[0]), "body_too_large"))
	return result
}

// toVerdict makes the refusal of a request with one event the verdict on it. code is for a
// refusal that has none, because something before the service refused.
func (e *Error) toVerdict(id, code string) Verdict {
	if e.Code != "" {
		code = e.Code
	}

	return Verdict{EventID: id, Status: Rejected, Violations: []Violation{{Code: code, Detail: e.Error()}}}
}

// settle reports the verdicts on a batch, and then forgets its events. In this order a crash in
// between repeats a call of OnVerdict instead of leaving it out.
func (b *Buffer) settle(batch [][]byte, result Result) {
	if b.config.OnVerdict != nil {
		for i, verdict := range result.Verdicts {
			b.config.OnVerdict(decodeEvent(batch[i]), verdict)
		}
	}

	b.mu.Lock()
	err := b.queue.drop(len(batch))
	b.stats.Stored += int64(result.Stored)
	b.stats.Duplicates += int64(result.Duplicates)
	b.stats.Conflicts += int64(result.Conflicts)
	b.stats.Rejected += int64(result.Rejected)
	b.stats.LastError = nil
	b.mu.Unlock()

	b.tellProgress()
	if err != nil {
		b.tellError(fmt.Errorf("client: the spool keeps events that have a verdict; they are sent again after a restart, as duplicates: %w", err))
	}
}

// tellProgress has the callers of Flush look at the queue again.
func (b *Buffer) tellProgress() {
	b.mu.Lock()
	defer b.mu.Unlock()

	close(b.progress)
	b.progress = make(chan struct{})
}

// pause waits after a failed attempt. Close cuts a wait short that runs when it is called,
// unless the service asked for it.
func (s *sender) pause(ctx context.Context, err error) {
	asked, wait := s.computeWait(err)
	timer := time.NewTimer(wait)
	defer timer.Stop()

	closing := s.buffer.closing
	if asked || s.buffer.isClosing() {
		closing = nil
	}

	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-closing:
		s.failures = 1
	}
}

// computeWait returns how long to wait after an error, and whether the service asked for it.
func (s *sender) computeWait(err error) (asked bool, wait time.Duration) {
	const doublings = 30 // more would overflow
	config := &s.buffer.config
	limit := config.BackoffMin << min(s.failures, doublings)
	if limit > config.BackoffMax || limit <= 0 {
		limit = config.BackoffMax
	}

	jitter := time.Duration(rand.Int64N(int64(limit) + 1)) //nolint:gosec // it only spreads the senders
	var refusal *Error
	switch {
	case !errors.As(err, &refusal):
		return false, jitter
	case !refusal.Temporary():
		return false, config.BackoffMax + jitter
	}

	return refusal.RetryAfter > 0, min(refusal.RetryAfter, maxRetryAfter) + jitter
}

// readEventID returns the id of an encoded event.
func readEventID(encoded []byte) string {
	var event struct {
		EventID string `json:"event_id"`
	}
	_ = json.Unmarshal(encoded, &event) // encode wrote it

	return event.EventID
}
