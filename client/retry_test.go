package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		overloaded := refuse(http.StatusServiceUnavailable, "overloaded", "Retry-After", "7")
		s := newService(overloaded, overloaded)
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{})
		enqueue(t, b, "good")
		closing := time.Now()
		closeAll(t, b) // not even Close comes earlier than the service asks for
		check(t, time.Since(closing) >= 14*time.Second, "%v", time.Since(closing))
		for _, gap := range s.requestGaps() {
			check(t, gap >= 7*time.Second && gap <= 7*time.Second+client.BackoffMaxDefault, "%v", s.requestGaps())
		}
	})
}

// What the service asks for holds as well if Close is called meanwhile, up to an hour: a
// mistake of a gateway does not make events wait for days.
func TestCloseWaitsForWhatTheServiceAsked(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]time.Duration{"600": 10 * time.Minute, "864000": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(refuse(http.StatusServiceUnavailable, "overloaded", "Retry-After", asked))
			b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Delay: -1})
			enqueue(t, b, "good")
			synctest.Wait() // the sender waits
			closeAll(t, b)
			gap := s.requestGaps()[0]
			check(t, gap >= want && gap <= want+client.BackoffMaxDefault, "%s: %v", asked, gap)
		})
	}
}

// A service that takes a request and is silent costs one attempt after another, not the sender.
func TestAnAttemptHasATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []error
		c := newClient(t, "http://eye.test", client.WithHTTPClient(&http.Client{Transport: waiting{}}))
		b := newBuffer(t, c, client.BufferConfig{
			Delay: -1, RequestTimeout: 5 * time.Second, BackoffMax: time.Second,
			OnError: func(err error) { told = append(told, err) },
		})
		enqueue(t, b, "good")
		<-time.After(time.Minute)
		synctest.Wait()
		check(t, len(told) >= 9 && errors.Is(told[0], context.DeadlineExceeded), "%v", told)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = b.Close(ended)
	})
}

// The waits grow to a bound and are random, so that senders do not come all at once.
func TestWaitsGrowAndAreSpread(t *testing.T) {
	t.Parallel()
	longest := make([]time.Duration, 10)
	different := map[int64]bool{}
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			s := newService(slices.Repeat([]fault{refuse(http.StatusServiceUnavailable, "overloaded")}, len(longest))...)
			b := newBuffer(t, dialDirect(t, s), client.BufferConfig{BackoffMin: time.Second, BackoffMax: 20 * time.Second})
			enqueue(t, b, "good")
			check(t, b.Flush(t.Context()) == nil, "it is sent in the end")
			closeAll(t, b)
			for i, gap := range s.requestGaps() {
				longest[i] = max(longest[i], gap)
				different[gap.Nanoseconds()] = true
			}
		})
	}

	check(t, longest[0] <= 2*time.Second, "the first wait is short: %v", longest)
	check(t, longest[9] > 10*time.Second && longest[9] <= 20*time.Second, "the tenth is long, and bounded: %v", longest)
	check(t, len(different) > 400, "of 500 waits, %d are different", len(different))
}

// A revoked key keeps the events, and does not become a storm of requests.
func TestARefusedKeyKeepsTheEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.setAlways(refuse(http.StatusUnauthorized, "unauthorized"))
		var told []error
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{OnError: func(err error) { told = append(told, err) }})
		ids := enqueue(t, b, manyNames(5)...)
		<-time.After(time.Hour)
		synctest.Wait()
		check(t, len(told) > 10 && len(told) <= 121, "%d attempts in an hour", len(told))
		check(t, errors.Is(told[0], client.ErrUnauthorized) && errors.Is(b.Stats().LastError, client.ErrUnauthorized), "%v", told[0])
		check(t, b.Stats().Queued == 5, "%+v", b.Stats())

		s.setAlways(nil)
		closeAll(t, b)
		check(t, slices.Equal(s.storedIDs(), ids), "%v", s.storedIDs())
	})
}

// A proxy that takes less than the service makes the requests smaller. An event that it never
// takes alone gets a verdict, and the others continue.
func TestRequestsThatAreTooLargeAreSplit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 7
		s := newService()
		s.setAlways(func(w http.ResponseWriter, store func() *httptest.ResponseRecorder) {
			if sizes := s.requestSizes(); sizes[len(sizes)-1] > most {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}

			relay(w, store())
		})
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{BatchEvents: 50})
		ids := enqueue(t, b, manyNames(200)...)
		began := time.Now()
		closeAll(t, b)
		check(t, slices.Equal(s.storedIDs(), ids), "%d are stored in order", len(s.storedIDs()))
		check(t, time.Since(began) == 0, "splitting waits for nothing")
		check(t, len(s.requestSizes()) < 80, "%d requests: %v", len(s.requestSizes()), s.requestSizes())

		b = newBuffer(t, dialDirect(t, s), client.BufferConfig{BatchEvents: 50, Delay: time.Hour})
		ids = append(ids, enqueue(t, b, manyNames(50)...)...)
		synctest.Wait()
		check(t, slices.Equal(s.storedIDs(), ids), "the parts of a batch do not wait for more events: %d", len(s.storedIDs()))
		closeAll(t, b)
	})
}

func TestAnEventThatIsAlwaysTooLargeIsRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var huge client.Event
		s := newService()
		c := dialDirect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 3000 {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}

			s.ServeHTTP(w, r)
		}))
		verdicts := map[string]client.Verdict{}
		b := newBuffer(t, c, client.BufferConfig{OnVerdict: func(e client.Event, v client.Verdict) { verdicts[e.EventID] = v }})
		before := enqueue(t, b, manyNames(3)...)
		huge = newEvent("good")
		huge.Data = map[string]string{"text": strings.Repeat("x", 5000)}
		check(t, b.Enqueue(huge) == nil, "there is room")
		after := enqueue(t, b, manyNames(3)...)
		closeAll(t, b)
		check(t, slices.Equal(s.storedIDs(), append(before, after...)), "the others are stored")
		rejected := verdicts[huge.EventID]
		check(t, rejected.Status == client.Rejected && rejected.Violations[0].Code == "body_too_large", "%+v", rejected)
		check(t, b.Stats().Rejected == 1, "%+v", b.Stats())
	})
}
