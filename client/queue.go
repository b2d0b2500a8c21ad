package client

import "sync"

// queue holds encoded events from Enqueue to their verdicts, the oldest first. push and size
// are safe beside everything; peek and drop are for the one sender.
type queue interface {
	// push adds an event, or returns ErrFull. It returns how many events wait then, and their
	// bytes, so that of callers at the same time exactly one sees that its event is the first.
	push(event []byte) (events int, bytes int64, err error)
	// peek returns the oldest events: at most a number of them and of bytes, but at least one.
	peek(maxEvents int, maxBytes int64) ([][]byte, error)
	// drop forgets the n oldest of the events that the last peek returned.
	drop(n int) error
	// size returns how many events wait, and their bytes; and how many have left, the oldest
	// first: with a verdict, or because they cannot be read any more.
	size() (events int, bytes, left int64)
	// close ends the use of the queue. What it holds on disk stays.
	close() error
}

// bounds are how much a queue holds at most.
type bounds struct {
	events int
	bytes  int64
}

// exceeds reports whether an event of a size does not fit any more.
func (b bounds) exceeds(events int, bytes, added int64) bool {
	return events >= b.events || bytes+added > b.bytes
}

// memoryQueue is a queue that ends with the process.
type memoryQueue struct {
	bounds bounds

	mu     sync.Mutex
	events [][]byte
	bytes  int64
	left   int64
}

func (q *memoryQueue) push(event []byte) (events int, bytes int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()

	if q.bounds.exceeds(len(q.events), q.bytes, int64(len(event))) {
		return len(q.events), q.bytes, ErrFull
	}

	q.events = append(q.events, event)
	q.bytes += int64(len(event))
	return len(q.events), q.bytes, nil
}

func (q *memoryQueue) peek(maxEvents int, maxBytes int64) ([][]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()

	var batch [][]byte
	var bytes int64
	for _, event := range q.events {
		bytes += int64(len(event))
		if len(batch) > 0 && (len(batch) >= maxEvents || bytes > maxBytes) {
			break
		}

		batch = append(batch, event)
	}

	return batch, nil
}

func (q *memoryQueue) drop(n int) error {
	q.mu.Lock()
	defer q.mu.Unlock()

	for _, event := range q.events[:n] {
		q.bytes -= int64(len(event))
	}

	clear(q.events[:n]) // so that the array does not keep them
	q.events = q.events[n:]
	q.left += int64(n)
	return nil
}

func (q *memoryQueue) size() (events int, bytes, left int64) {
	q.mu.Lock()
	defer q.mu.Unlock()

	return len(q.events), q.bytes, q.left
}

func (q *memoryQueue) close() error { return nil }
