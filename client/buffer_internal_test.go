package client

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// meetingQueue has two events arrive before either caller goes on.
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

// Two callers at the same time both find two events waiting. They are sent all the same.
func TestEventsOfCallersAtTheSameTimeAreSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := make(silent, 1)
		c, err := New("http://eye.test", "eye_test", WithHTTPClient(&http.Client{Transport: asked}))
		if err != nil {
			t.Fatal(err)
		}

		b, err := NewBuffer(c, BufferConfig{})
		if err != nil {
			t.Fatal(err)
		}

		synctest.Wait() // the sender waits for a first event
		meeting := &meetingQueue{memoryQueue: memoryQueue{bounds: generous()}}
		meeting.callers.Add(2)
		b.queue = meeting
		for range 2 {
			go func() {
				if err := b.Enqueue(Event{SessionID: NewID(), Category: "test", Name: "good"}); err != nil {
					t.Error(err)
				}
			}()
		}

		<-time.After(defaultDelay)
		synctest.Wait()
		if len(asked) != 1 {
			t.Error("nothing was sent after the delay")
		}

		b.interrupt()
		_, _ = b.Close(t.Context())
	})
}
