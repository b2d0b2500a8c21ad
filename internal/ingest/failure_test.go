package ingest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// A group that was rolled back, or whose outcome is unknown, fails for every request that has an
// event in it.
func TestEveryMemberOfAGroupIsToldThatItFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		rejected := good(uuid.New())
		rejected.Violations = []fault.Violation{{Code: fault.CodeUnknownField}}
		members := []<-chan answer{
			submitted(t, c, t.Context(), request(good(uuid.New()))),
			submitted(t, c, t.Context(), request(good(uuid.New()), rejected, good(uuid.New()))),
			submitted(t, c, t.Context(), request(rejected)),
			submitted(t, c, t.Context(), request(good(uuid.New()))),
		}
		store.proceed <- nil
		require.NoError(t, (<-running).err)
		require.Equal(t, 6, <-store.entered, "the requests are one group")
		store.proceed <- errTest
		for _, member := range members {
			a := <-member
			require.Nil(t, a.verdicts)
			requireUnavailable(t, a.err, fault.CodeUnavailable)
		}

		require.Equal(t, []int{1}, store.sizes())
	})
}

// A group that had to be split fails in part: requests with an event in the failed part get an
// error, and the others get verdicts.
func TestAPartOfASplitGroupFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		pair := func() []event.Envelope { return []event.Envelope{good(uuid.New()), good(uuid.New())} }
		first := submitted(t, c, t.Context(), request(pair()...))
		between := submitted(t, c, t.Context(), request(pair()...))
		last := submitted(t, c, t.Context(), request(pair()...))
		store.proceed <- nil
		require.NoError(t, (<-running).err)
		require.Equal(t, 6, <-store.entered)
		store.proceed <- ingest.ErrNotStorable
		require.Equal(t, 3, <-store.entered)
		store.proceed <- nil
		require.Equal(t, 3, <-store.entered)
		store.proceed <- errTest
		a := <-first
		require.NoError(t, a.err)
		require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored}, statuses(a.verdicts))
		requireUnavailable(t, (<-between).err, fault.CodeUnavailable)
		requireUnavailable(t, (<-last).err, fault.CodeUnavailable)
	})
}

// A request that was admitted just before the service stopped finds no lane. Its client is asked
// to send again, and the request is never reported as stored.
func TestARequestThatMeetsTheStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		c := started(t, config(), store)
		c.CloseLanes()
		_, err := c.Submit(t.Context(), request(good(uuid.New())))
		requireUnavailable(t, err, fault.CodeUnavailable)
		require.Empty(t, store.sizes())
		require.Zero(t, c.QueuedEvents())
	})
}

// A shed request learns when the queued events will be stored, and not every request the same
// time.
func TestRetryAfterFollowsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bounded := config()
		bounded.GroupEvents, bounded.QueueEvents, bounded.Budget = 10, 40, time.Minute
		store := &slowFake{fake: newFake()}
		store.takes.Store(int64(time.Second))
		c := started(t, bounded, store)
		batch := func() *ingest.Request {
			envelopes := make([]event.Envelope, bounded.GroupEvents)
			for i := range envelopes {
				envelopes[i] = good(uuid.New())
			}

			return request(envelopes...)
		}
		for range 60 { // ten events a second, which the collector learns
			_, err := c.Submit(t.Context(), batch())
			require.NoError(t, err)
		}

		var waiting []<-chan answer
		for range 4 {
			waiting = append(waiting, submitted(t, c, t.Context(), batch()))
		}

		delays := map[int64]bool{}
		for range 20 {
			_, err := c.Submit(t.Context(), batch())
			requireUnavailable(t, err, fault.CodeOverloaded)
			f, _ := fault.As(err)
			require.GreaterOrEqual(t, f.RetryAfter, 3900*time.Millisecond, "40 events wait, and ten a second are stored")
			require.LessOrEqual(t, f.RetryAfter, 7*time.Second, "and up to half of it more, and a second")
			require.Zero(t, f.RetryAfter%time.Second, "the header has whole seconds")
			delays[int64(f.RetryAfter)] = true
		}

		require.Greater(t, len(delays), 1, "otherwise all come back at once")
		for _, one := range waiting {
			require.NoError(t, (<-one).err)
		}
	})
}
