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

// A group that was rolled back, or of which nobody knows, is so for every request that
// has an event in it.
func TestEveryMemberOfAGroupIsToldThatItFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		refused := good(uuid.New())
		refused.Violations = []fault.Violation{{Code: fault.CodeUnknownField}}
		members := []<-chan answer{
			submitted(t, c, t.Context(), request(good(uuid.New()))),
			submitted(t, c, t.Context(), request(good(uuid.New()), refused, good(uuid.New()))),
			submitted(t, c, t.Context(), request(refused)),
			submitted(t, c, t.Context(), request(good(uuid.New()))),
		}
		store.proceed <- nil
		require.NoError(t, (<-running).err)
		require.Equal(t, 6, <-store.entered, "they are one group")
		store.proceed <- errTest
		for _, member := range members {
			a := <-member
			require.Nil(t, a.verdicts)
			requireUnavailable(t, a.err, fault.CodeUnavailable)
		}

		require.Equal(t, []int{1}, store.sizes())
	})
}

// A group that had to be split fails in part: who has an event in the part that failed
// is told so, and who has none in it has verdicts.
func TestAPartOfASplitGroupFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		pair := func() []event.Envelope { return []event.Envelope{good(uuid.New()), good(uuid.New())} }
		first, between, last := submitted(t, c, t.Context(), request(pair()...)), submitted(t, c, t.Context(), request(pair()...)), submitted(t, c, t.Context(), request(pair()...))
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

// A request that was let in just before the service stopped has no lane to go to. It is
// told to send again, and never that it is stored.
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

// Whoever is sent away is told when what waits now will be stored, and not all of them
// the same time.
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
		for range 60 { // ten events a second, as it learns
			_, err := c.Submit(t.Context(), batch())
			require.NoError(t, err)
		}

		var waiting []<-chan answer
		for range 4 {
			waiting = append(waiting, submitted(t, c, t.Context(), batch()))
		}

		told := map[int64]bool{}
		for range 20 {
			_, err := c.Submit(t.Context(), batch())
			requireUnavailable(t, err, fault.CodeOverloaded)
			f, _ := fault.As(err)
			require.GreaterOrEqual(t, f.RetryAfter, 3900*time.Millisecond, "40 events wait, and ten a second are stored")
			require.LessOrEqual(t, f.RetryAfter, 7*time.Second, "and up to half of it more, and a second")
			require.Zero(t, f.RetryAfter%time.Second, "the header has whole seconds")
			told[int64(f.RetryAfter)] = true
		}

		require.Greater(t, len(told), 1, "else all come back at once")
		for _, one := range waiting {
			require.NoError(t, (<-one).err)
		}
	})
}
