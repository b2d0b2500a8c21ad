package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// meetingQueue has two events arrive before it answers either caller.
type meetingQueue struct {
	memoryQueue

	callers sync.WaitGroup
}

func (q *meetingQueue) push(event []byte) (events int, bytes int64, err error) {
	events, bytes, err = q.memoryQueue.push(event)
	q.callers.Done()
	q.callers.Wait()
	return events, bytes, err
}

// silent is a service that notes that it was asked, and never answers.
type silent chan struct{}

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s <- struct{}{}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func newTestBuffer(t *testing.T, service http.RoundTripper, config BufferConfig) *Buffer {
	t.Helper()
	c, err := New("http://eye.test", "eye_test", WithHTTPClient(&http.Client{Transport: service}))
	if err != nil {
		t.Fatal(err)
	}

	b, err := NewBuffer(c, config)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

func enqueueOne(t *testing.T, b *Buffer) {
	t.Helper()
	if err := b.Enqueue(Event{SessionID: NewID(), Category: "test", Name: "good"}); err != nil {
		t.Error(err)
	}
}

// Two callers at the same time both find two events waiting. Both events are sent.
func TestEventsOfCallersAtTheSameTimeAreSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := make(silent, 1)
		b := newTestBuffer(t, asked, BufferConfig{})
		synctest.Wait() // the sender waits for a first event
		meeting := &meetingQueue{memoryQueue: memoryQueue{bounds: generous()}}
		meeting.callers.Add(2)
		b.queue = meeting
		for range 2 {
			go enqueueOne(t, b)
		}

		<-time.After(defaultDelay)
		synctest.Wait()
		if len(asked) != 1 {
			t.Error("nothing was sent after the delay")
		}

		b.interrupt(nil)
		_, _ = b.Close(t.Context())
	})
}

// lateQueue calls a function once between counting the events and saying how many there were.
type lateQueue struct {
	memoryQueue

	late func()
}

func (q *lateQueue) size() (events int, bytes, left int64) {
	events, bytes, left = q.memoryQueue.size()
	if late := q.late; late != nil {
		q.late = nil
		late()
	}

	return events, bytes, left
}

// Close follows the last Enqueue while the sender looks at an empty queue. The event is sent.
func TestCloseSendsAnEventThatCameAtTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newTestBuffer(t, storing{}, BufferConfig{})
		synctest.Wait() // the sender waits for a first event
		closed := make(chan error, 1)
		b.queue = &lateQueue{memoryQueue: memoryQueue{bounds: generous()}, late: func() {
			enqueueOne(t, b)
			go func() {
				_, err := b.Close(t.Context())
				closed <- err
			}()
			<-b.closing
		}}
		b.wakeSender()
		if err := <-closed; err != nil || b.Stats().Stored != 1 {
			t.Error(err, b.Stats())
		}
	})
}

// Events that cannot be read any more get no verdict, and Flush does not wait for one.
func TestFlushDoesNotWaitForLostEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var told []error
		b := newTestBuffer(t, make(silent, 1), BufferConfig{Spool: dir, OnError: func(err error) { told = append(told, err) }})
		enqueueOne(t, b)
		files, err := filepath.Glob(filepath.Join(dir, "*."+eventsKind))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}

		if err := os.Truncate(files[0], int64(len(segmentHead))); err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()

		if err := b.Flush(ctx); err != nil || len(told) != 1 || !errors.Is(told[0], ErrSpoolDamaged) {
			t.Error(err, told)
		}

		if left, err := b.Close(ctx); left.Count != 0 || err != nil {
			t.Error(left, err)
		}
	})
}

// storing is a service that stores the one event of each request.
type storing struct{}

func (storing) RoundTrip(*http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(`{"status": "stored", "sequence": 1}`))
	return &http.Response{StatusCode: http.StatusCreated, Body: body}, nil
}

// closingContext calls a function when a caller begins to wait for its end.
type closingContext struct {
	context.Context //nolint:containedctx // it is one

	closeBuffer func()
}

func (c closingContext) Done() <-chan struct{} {
	c.closeBuffer()
	return nil
}

// The last verdict and the end of the buffer may come at the same moment, without an error.
func TestFlushBesideCloseKnowsTheVerdicts(t *testing.T) {
	t.Parallel()
	for range 20 { // whichever of the two Flush sees
		b := newTestBuffer(t, storing{}, BufferConfig{Delay: time.Hour})
		b.flushers = -1 // so that only Close has the event sent
		enqueueOne(t, b)
		ctx := closingContext{t.Context(), func() {
			if _, err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}}
		if err := b.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// Of two who close, one gives up. Both learn why events are left.
func TestBothWhoCloseLearnWhyEventsAreLeft(t *testing.T) {
	t.Parallel()
	for range 20 { // whichever of the two comes first
		synctest.Test(t, func(t *testing.T) {
			b := newTestBuffer(t, make(silent, 1), BufferConfig{})
			enqueueOne(t, b)
			hurried, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()

			var both sync.WaitGroup
			for _, ctx := range []context.Context{hurried, t.Context()} {
				both.Go(func() {
					if left, err := b.Close(ctx); left.Count != 1 || !errors.Is(err, context.DeadlineExceeded) {
						t.Error(left.Count, err)
					}
				})
			}

			both.Wait()
		})
	}
}
