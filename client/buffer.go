package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Buffer takes events without making its callers wait for the service, sends them in batches,
// and holds each until its verdict. What it promises:
//
//   - Enqueue never waits for the network. It takes an event or says at once why not.
//   - Every event that it took gets exactly one verdict in the end: Stored, Duplicate, Conflict
//     or Rejected. Outages, restarts of the service, lost answers, an overloaded service and a
//     revoked key only delay it. No event is stored twice.
//   - Events are sent in the order in which they were enqueued: a batch is tried until it has
//     its verdicts, and later events wait for it.
//   - An event that a firewall or another gateway before the service refuses again and again,
//     while it lets others pass, is Rejected after some minutes with the code
//     "request_refused", so that it does not hold up the others for ever. The service does not
//     have such an event; an application that needs it keeps it in OnVerdict.
//   - Without a spool, events without a verdict end with the process; Close returns them. With
//     a spool they do not.
//
// It is safe for concurrent use, Close beside Enqueue included.
type Buffer struct {
	client *Client
	config BufferConfig
	queue  queue

	// wake holds a token if the sender should look at the queue again.
	wake chan struct{}
	// closing is closed by Close.
	closing chan struct{}
	// interrupt ends the sender at once, with a cause that interrupted returns; stopped is
	// closed when it has ended.
	interrupt   context.CancelCauseFunc
	interrupted func() error
	stopped     chan struct{}
	// finish decides once what is left.
	finish sync.Once
	left   Remainder
	ended  error

	// taking is held for reading while an event is taken, so that Close knows all that were.
	taking sync.RWMutex
	closed bool

	mu    sync.Mutex
	stats BufferStats
	// progress is closed and replaced when events have left the queue.
	progress chan struct{}
	// flushers counts the callers of Flush, for whom the sender does not wait for more events.
	flushers int
}

// BufferStats counts the events by their outcome, since the Buffer was made.
type BufferStats struct {
	// Queued events have no verdict yet; QueuedBytes is their JSON.
	Queued      int
	QueuedBytes int64
	// Recovered events were in the spool when the Buffer was made.
	Recovered int
	// Enqueued counts the events that were taken. Refused counts those that were not, because
	// there was no room or the spool could not be written.
	Enqueued, Refused int64
	// The verdicts.
	Stored, Duplicates, Conflicts, Rejected int64
	// Requests counts the attempts, Failures those that brought no verdicts.
	Requests, Failures int64
	// LastError is why the last attempt failed; nil after a success.
	LastError error
}

// Remainder is what a Buffer still held when it was closed.
type Remainder struct {
	// Count is how many events had no verdict.
	Count int
	// Events are these events, with their ids, so that sending them again is safe. It is empty
	// if they are in the spool.
	Events []Event
}

// NewBuffer returns a running Buffer, which sends with a client. Its owner must Close it. With
// a spool, it begins with the events that an earlier one left there; NewBuffer returns
// ErrSpoolLocked if another one still uses the directory.
func NewBuffer(c *Client, config BufferConfig) (*Buffer, error) {
	if c == nil {
		return nil, errors.New("client: NewBuffer was given no Client; look at the error of New")
	}

	config, err := config.completed()
	if err != nil {
		return nil, err
	}

	b := &Buffer{
		client:   c,
		config:   config,
		wake:     make(chan struct{}, 1),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		progress: make(chan struct{}),
	}
	limits := bounds{events: config.MaxEvents, bytes: config.MaxBytes}
	b.queue = &memoryQueue{bounds: limits}
	if config.Spool != "" {
		opened, err := openSpool(config.Spool, limits, config.SpoolSync, b.tellError)
		if err != nil {
			return nil, err
		}

		b.queue = opened
		b.stats.Recovered, _, _ = opened.size()
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	b.interrupt = cancel
	b.interrupted = func() error { return context.Cause(ctx) }
	s := &sender{buffer: b, batchEvents: config.BatchEvents}
	go s.run(ctx)
	return b, nil
}

// Enqueue takes an event, or returns at once an error that matches ErrFull, ErrClosed or
// ErrTooLarge, or says that the data is not JSON or that the spool cannot be written. An event
// without an EventID or a Timestamp gets them here. If the error is nil, the Buffer holds the
// event until its verdict; with a spool it is on disk (see BufferConfig.SpoolSync).
//
// With SpoolSync, a disk that fails after the event was written makes Enqueue return an error
// although the event may be sent: a caller that enqueues it again sets the EventID.
func (b *Buffer) Enqueue(event Event) error {
	event.complete()
	encoded, err := event.encode()
	if err != nil {
		return err
	}

	if len(encoded) > b.config.MaxEventBytes {
		return fmt.Errorf("client: event %s has %d bytes of at most %d: %w", event.EventID, len(encoded), b.config.MaxEventBytes, ErrTooLarge)
	}

	b.taking.RLock()
	defer b.taking.RUnlock()

	if b.closed {
		return fmt.Errorf("client: event %s was not taken: %w", event.EventID, ErrClosed)
	}

	events, bytes, err := b.queue.push(encoded)
	if events == 1 || b.fillsBatch(events, bytes) {
		b.wakeSender() // also if the disk failed: the event may be there
	}

	b.count(func(s *BufferStats) {
		if err == nil {
			s.Enqueued++
		} else {
			s.Refused++
		}
	})
	if err != nil {
		return fmt.Errorf("client: event %s was not taken: %w", event.EventID, err)
	}

	return nil
}

// Flush returns when each event that was enqueued before has its verdict, or with the context's
// error, or with one that matches ErrClosed if Close ends the sending before. It does not shorten
// the waits after failed attempts. Events that a damaged spool has lost are not waited for.
func (b *Buffer) Flush(ctx context.Context) error {
	b.mu.Lock()
	b.flushers++
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.flushers--
		b.mu.Unlock()
	}()

	events, _, left := b.queue.size()
	target := left + int64(events)
	b.wakeSender()
	for {
		progress := b.nextProgress()
		missing := b.countMissing(target)
		if missing == 0 {
			return nil
		}

		select {
		case <-progress:
		case <-b.stopped:
			if missing = b.countMissing(target); missing > 0 {
				return fmt.Errorf("client: %d events have no verdict: %w", missing, ErrClosed)
			}
		case <-ctx.Done():
			return fmt.Errorf("client: %d events have no verdict yet: %w", missing, context.Cause(ctx))
		}
	}
}

// nextProgress returns a channel that is closed when events leave the queue after this call.
func (b *Buffer) nextProgress() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.progress
}

// countMissing returns how many of the first events that came, as many as target says, are still
// there.
func (b *Buffer) countMissing(target int64) int64 {
	_, _, left := b.queue.size()
	return max(0, target-left)
}

// Close takes no more events, sends what is there until the context ends, and returns what is
// left. The error is nil if nothing is; otherwise it is that of the context that ended. A wait that is not the
// service's wish (Retry-After) is cut short, so that a service that is back gets the events.
// Close may be called more than once; each call returns the same.
func (b *Buffer) Close(ctx context.Context) (Remainder, error) {
	b.taking.Lock()
	if !b.closed {
		b.closed = true
		close(b.closing)
	}

	b.taking.Unlock()

	b.wakeSender()
	select {
	case <-b.stopped:
	case <-ctx.Done():
		b.interrupt(context.Cause(ctx))
		<-b.stopped
	}

	b.finish.Do(func() { b.left, b.ended = b.takeRemainder() })
	return b.left, b.ended
}

// takeRemainder ends the use of the queue and returns what it holds.
func (b *Buffer) takeRemainder() (left Remainder, err error) {
	b.interrupt(nil) // which changes no earlier cause
	left.Count, _, _ = b.queue.size()
	if memory, ok := b.queue.(*memoryQueue); ok {
		for _, encoded := range memory.events {
			left.Events = append(left.Events, decodeEvent(encoded))
		}
	}

	if err := b.queue.close(); err != nil {
		return left, fmt.Errorf("client: close the spool: %w", err)
	}

	if left.Count > 0 {
		return left, fmt.Errorf("client: %d events have no verdict: %w", left.Count, b.interrupted())
	}

	return left, nil
}

// Stats returns the counts so far.
func (b *Buffer) Stats() BufferStats {
	b.mu.Lock()
	defer b.mu.Unlock()

	stats := b.stats
	stats.Queued, stats.QueuedBytes, _ = b.queue.size()
	return stats
}

func (b *Buffer) count(change func(*BufferStats)) {
	b.mu.Lock()
	defer b.mu.Unlock()

	change(&b.stats)
}

func (b *Buffer) wakeSender() {
	select {
	case b.wake <- struct{}{}:
	default: // it is being woken
	}
}

func (b *Buffer) fillsBatch(events int, bytes int64) bool {
	return events >= b.config.BatchEvents || bytes >= b.config.BatchBytes
}

func (b *Buffer) isClosing() bool {
	select {
	case <-b.closing:
		return true
	default:
		return false
	}
}

func (b *Buffer) tellError(err error) {
	if b.config.OnError != nil {
		b.config.OnError(err)
	}
}

// decodeEvent reads back what encode wrote.
func decodeEvent(encoded []byte) (e Event) {
	_ = json.Unmarshal(encoded, &e) // encode wrote it, and the spool has a checksum
	return e
}
