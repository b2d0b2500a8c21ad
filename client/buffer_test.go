package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

func TestEventsShareRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{BatchEvents: 10, Delay: time.Minute})
		enqueue(t, b, manyNames(10)...)
		synctest.Wait()
		check(t, slices.Equal(s.requestSizes(), []int{10}), "a full batch is sent at once: %v", s.requestSizes())

		began := time.Now()
		enqueue(t, b, manyNames(3)...)
		synctest.Wait()
		check(t, len(s.requestSizes()) == 1, "a batch that is not full waits: %v", s.requestSizes())
		check(t, b.Flush(t.Context()) == nil && time.Since(began) == 0, "Flush does not wait for more events")
		check(t, slices.Equal(s.requestSizes(), []int{10, 3}), "%v", s.requestSizes())

		enqueue(t, b, manyNames(2)...)
		<-time.After(time.Minute)
		synctest.Wait()
		check(t, slices.Equal(s.requestSizes(), []int{10, 3, 2}), "a batch is sent after the delay: %v", s.requestSizes())
		closeAll(t, b)
	})
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{BatchBytes: 4000, Delay: time.Minute})
		for range 3 {
			e := newEvent("good")
			e.Data = map[string]string{"text": strings.Repeat("x", 1500)}
			check(t, b.Enqueue(e) == nil, "there is room")
		}

		large := newEvent("good")
		large.Data = map[string]string{"text": strings.Repeat("x", 6000)}
		check(t, b.Enqueue(large) == nil, "an event may be larger than a batch")
		closeAll(t, b)
		check(t, slices.Equal(s.requestSizes(), []int{2, 1, 1}), "%v", s.requestSizes())
	})
}

// hang is a fault: the service never answers.
func hang(until <-chan struct{}) fault {
	return func(http.ResponseWriter, func() *httptest.ResponseRecorder) { <-until }
}

// Whatever the service does, Enqueue answers at once.
func TestEnqueueNeverWaits(t *testing.T) {
	t.Parallel()
	for _, spool := range []bool{false, true} {
		dir := ""
		if spool {
			dir = t.TempDir()
		}

		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := newService()
			s.setAlways(hang(release))
			b := newBuffer(t, dialDirect(t, s), client.BufferConfig{MaxEvents: 100, BatchEvents: 10, Delay: -1, Spool: dir})
			began := time.Now()
			enqueue(t, b, manyNames(100)...)
			err := b.Enqueue(newEvent("good"))
			check(t, errors.Is(err, client.ErrFull), "%v", err)
			check(t, time.Since(began) == 0, "it waited")

			stats := b.Stats()
			check(t, stats.Queued == 100 && stats.Enqueued == 100 && stats.Refused == 1, "%+v", stats)
			s.setAlways(nil)
			close(release)
			closeAll(t, b)
			check(t, len(s.storedIDs()) == 100, "%d are stored", len(s.storedIDs()))
		})
	}
}

func TestTheBufferIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	for _, spool := range []string{"", t.TempDir()} {
		b := newBuffer(t, dialDirect(t, newService()), client.BufferConfig{MaxBytes: 1000, MaxEventBytes: 600, Delay: time.Hour, Spool: spool})
		e := newEvent("good")
		e.Data = map[string]string{"text": strings.Repeat("x", 600)}
		check(t, errors.Is(b.Enqueue(e), client.ErrTooLarge), "an event that is too large")
		e.Data = map[string]string{"text": strings.Repeat("x", 350)}
		check(t, b.Enqueue(e) == nil, "there is room")
		check(t, errors.Is(b.Enqueue(e), client.ErrFull), "there is no room")
		closeAll(t, b)
		check(t, errors.Is(b.Enqueue(e), client.ErrClosed), "the buffer is closed")
	}
}

// Faults of every kind delay events. None is lost, none is stored twice, and their order stays.
func TestFaultsLoseNothingAndKeepTheOrder(t *testing.T) {
	t.Parallel()
	kinds := []fault{
		nil, loseAnswer,
		refuse(http.StatusServiceUnavailable, "overloaded", "Retry-After", "3"), refuse(http.StatusTooManyRequests, "rate_limited"),
		refuse(http.StatusInternalServerError, ""), refuse(http.StatusUnauthorized, "unauthorized"),
		refuse(http.StatusForbidden, "forbidden"), refuse(http.StatusNotFound, ""), refuse(http.StatusBadRequest, "invalid_request"),
		refuse(http.StatusRequestEntityTooLarge, ""), // a batch
	}
	for seed := range uint64(20) {
		dir := ""
		if seed%2 == 1 {
			dir = t.TempDir()
		}

		synctest.Test(t, func(t *testing.T) {
			random, faulty := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			s := newService()
			s.setAlways(func(w http.ResponseWriter, store func() *httptest.ResponseRecorder) {
				sizes := s.requestSizes()
				inject := kinds[faulty.IntN(len(kinds))]
				if faulty.IntN(2) == 0 || inject == nil || sizes[len(sizes)-1] == 1 {
					relay(w, store())
					return
				}

				inject(w, store)
			})
			finals := map[string]client.Status{}
			b := newBuffer(t, dialDirect(t, s), client.BufferConfig{
				BatchEvents: 20, Spool: dir,
				OnVerdict: func(e client.Event, v client.Verdict) {
					check(t, e.EventID == v.EventID && finals[v.EventID] == "", "two verdicts on %s", v.EventID)
					finals[v.EventID] = v.Status
				},
			})
			var ids []string
			for range 50 {
				ids = append(ids, enqueue(t, b, manyNames(random.IntN(30))...)...)
				<-time.After(time.Duration(random.IntN(3)) * time.Second)
			}

			closeAll(t, b)
			check(t, slices.Equal(s.storedIDs(), ids), "seed %d: %d of %d are stored in order", seed, len(s.storedIDs()), len(ids))
			check(t, len(finals) == len(ids), "seed %d: %d of %d have a verdict", seed, len(finals), len(ids))
			stats := b.Stats()
			check(t, stats.Stored+stats.Duplicates == int64(len(ids)) && stats.Queued == 0 && stats.LastError == nil, "seed %d: %+v", seed, stats)
		})
	}
}

func TestEveryVerdictIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		verdicts := map[string]client.Verdict{}
		data := map[string]any{}
		b := newBuffer(t, dialDirect(t, newService()), client.BufferConfig{OnVerdict: func(e client.Event, v client.Verdict) {
			verdicts[e.Name] = v
			data[e.Name] = e.Data
		}})
		first, changed := newEvent("good"), newEvent("changed")
		changed.EventID = first.EventID
		for _, e := range []client.Event{first, first, newEvent("bad"), changed} {
			check(t, b.Enqueue(e) == nil, "there is room")
		}

		closeAll(t, b)
		stats := b.Stats()
		check(t, stats.Stored == 1 && stats.Duplicates == 1 && stats.Rejected == 1 && stats.Conflicts == 1, "%+v", stats)
		check(t, verdicts["bad"].Status == client.Rejected && verdicts["bad"].ErrorID != "", "%+v", verdicts["bad"])
		check(t, verdicts["changed"].Status == client.Conflict, "%+v", verdicts["changed"])
		check(t, fmt.Sprintf("%s", data["bad"]) == `{"n":1}`, "%s", data["bad"])
	})
}

// A process may be killed during OnVerdict. The buffer holds the event until the call has ended,
// so that the next process gets the verdict again.
func TestAVerdictIsToldBeforeItsEventIsForgotten(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		synctest.Test(t, func(t *testing.T) {
			var b *client.Buffer
			var queued []int
			b = newBuffer(t, dialDirect(t, newService()), client.BufferConfig{
				Spool:     dir,
				OnVerdict: func(client.Event, client.Verdict) { queued = append(queued, b.Stats().Queued) },
			})
			enqueue(t, b, manyNames(3)...)
			closeAll(t, b)
			check(t, slices.Equal(queued, []int{3, 3, 3}), "%v", queued)
		})
	}
}

// Close says what is left, with the ids under which it can be sent again.
func TestCloseReturnsWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.setAlways(hang(t.Context().Done()))
		c := newClient(t, "http://eye.test", client.WithHTTPClient(&http.Client{Transport: waiting{}}))
		b := newBuffer(t, c, client.BufferConfig{BatchEvents: 2})
		ids := enqueue(t, b, manyNames(5)...)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()

		began := time.Now()
		left, err := b.Close(ctx)
		check(t, errors.Is(err, context.DeadlineExceeded) && time.Since(began) == 3*time.Second, "%v after %v", err, time.Since(began))
		check(t, left.Count == 5 && len(left.Events) == 5, "%+v", left)
		for i, e := range left.Events {
			check(t, e.EventID == ids[i], "%+v", e)
		}

		again, err := b.Close(t.Context())
		check(t, again.Count == 5 && errors.Is(err, context.DeadlineExceeded), "a second Close says the same: %v", err)
		check(t, errors.Is(b.Flush(t.Context()), client.ErrClosed), "Flush does not wait for a closed buffer")
	})
}

// waiting is a service that never answers.
type waiting struct{}

func (waiting) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A service that came back during a long wait gets the events when the process ends.
func TestCloseCutsAWaitShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.setAlways(loseAnswer)
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{BackoffMin: time.Hour, BackoffMax: 1000 * time.Hour})
		enqueue(t, b, "good")
		<-time.After(2 * time.Second) // the first attempt has failed
		s.setAlways(nil)
		began := time.Now()
		closeAll(t, b)
		check(t, time.Since(began) == 0, "it waited %v", time.Since(began))
	})
}

func TestFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBuffer(t, newClient(t, "http://eye.test", client.WithHTTPClient(&http.Client{Transport: waiting{}})), client.BufferConfig{})
		check(t, b.Flush(t.Context()) == nil, "an empty buffer is flushed")
		enqueue(t, b, "good")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		check(t, errors.Is(b.Flush(ctx), context.DeadlineExceeded), "the context ended")
		_, _ = b.Close(ctx)
	})
}

// Of many callers beside Close, each knows whether its event was taken: it has a verdict or is
// left if Enqueue said so, and otherwise neither.
func TestEnqueueBesideClose(t *testing.T) {
	t.Parallel()
	for _, spool := range []bool{false, true} {
		for round := range 20 {
			config := client.BufferConfig{MaxEvents: 100, BatchEvents: 5, Delay: -1}
			if spool {
				config.Spool = t.TempDir()
			}

			s := newService()
			b := newBuffer(t, dialDirect(t, s), config)
			var mu sync.Mutex
			var taken []string
			var callers sync.WaitGroup
			for range 8 {
				callers.Go(func() {
					for {
						e := newEvent("good")
						switch err := b.Enqueue(e); {
						case errors.Is(err, client.ErrClosed):
							return
						case errors.Is(err, client.ErrFull):
							runtime.Gosched()
						case err != nil:
							t.Error(err)
							return
						default:
							mu.Lock()
							taken = append(taken, e.EventID)
							mu.Unlock()
						}
					}
				})
			}

			for len(s.storedIDs()) < 10*round {
				_ = b.Flush(t.Context())
			}

			closeAll(t, b)
			callers.Wait()
			stored := s.storedIDs()
			slices.Sort(stored)
			slices.Sort(taken)
			check(t, slices.Equal(stored, taken), "%d were taken, %d are stored", len(taken), len(stored))
		}
	}
}

func TestConfigsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, config := range []client.BufferConfig{
		{MaxEvents: -1},
		{MaxBytes: -1},
		{MaxEventBytes: -1},
		{MaxEventBytes: 64 << 20},
		{BatchEvents: -1},
		{BatchBytes: -1},
		{BackoffMin: -1},
		{BackoffMax: -1},
		{RequestTimeout: -1},
		{SpoolSync: true},
		{Spool: "/dev/null/spool"},
	} {
		_, err := client.NewBuffer(dialDirect(t, newService()), config)
		check(t, err != nil, "%+v", config)
	}

	_, err := client.NewBuffer(nil, client.BufferConfig{})
	check(t, err != nil, "a Buffer without a Client")
}

func TestAViolationNamesItsPlaceOnce(t *testing.T) {
	t.Parallel()
	for want, violation := range map[string]client.Violation{
		"/data/id is a number; expected a string": {Pointer: "/data/id", Detail: "/data/id is a number; expected a string"},
		"/data/id: it is bad":                     {Pointer: "/data/id", Detail: "it is bad"},
		"limit: it is bad":                        {Parameter: "limit", Detail: "it is bad"},
		"it is bad":                               {Detail: "it is bad"},
	} {
		check(t, violation.String() == want, "%s", violation)
	}
}
