package ingest_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// Whatever the position of a bad event in the group, only its own verdict reports it.
func TestBadEventIsIsolated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const requests = 9
		for _, bad := range [][]int{{0}, {4}, {8}, {0, 1}, {3, 8}, {0, 1, 2, 3, 4, 5, 6, 7, 8}} {
			store := newFake()
			c := newCollector(config(), store)
			var all []<-chan answer
			for n := range requests {
				middle := good(uuid.New())
				for _, one := range bad {
					if one == n {
						middle = with(`{"poison":1}`)
					}
				}

				all = append(all, submitted(t, c, t.Context(), request(good(uuid.New()), middle, good(uuid.New()))))
			}

			c.Start(t.Context())
			rejected := 0
			for n, one := range all {
				a := <-one
				require.NoError(t, a.err)
				require.Equal(t, ingest.Stored, a.verdicts[0].Status)
				require.Equal(t, ingest.Stored, a.verdicts[2].Status)
				if a.verdicts[1].Status == ingest.Rejected {
					rejected++
					require.Contains(t, bad, n)
					require.Equal(t, fault.CodeNotStorable, a.verdicts[1].Violations[0].Code)
					require.NotEqual(t, uuid.Nil, a.verdicts[1].ErrorID)
				}
			}

			require.Len(t, bad, rejected)
			require.Zero(t, c.Stop(t.Context()))
		}
	})
}

func TestRefusalThatCannotBeKeptIsNoVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		rejected := event.Envelope{Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON}}}
		waiting := submitted(t, c, t.Context(), request(rejected))
		<-store.entered
		store.proceed <- ingest.ErrNotStorable
		requireUnavailable(t, (<-waiting).err, fault.CodeUnavailable)
	})
}

func TestAtomicRequestIsAGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		c := newCollector(config(), store)
		atomic := request(good(uuid.New()), good(uuid.New()))
		atomic.Atomic = true
		var all []<-chan answer
		for _, r := range []*ingest.Request{request(good(uuid.New())), request(good(uuid.New())), atomic, request(good(uuid.New()))} {
			all = append(all, submitted(t, c, t.Context(), r))
		}

		c.Start(t.Context())
		for _, one := range all {
			require.NoError(t, (<-one).err)
		}

		c.Stop(t.Context())
		require.Equal(t, []int{2, 2, 1}, store.sizes())
		require.True(t, store.groups[1].Atomic)
		require.False(t, store.groups[0].Atomic || store.groups[2].Atomic)
	})
}

func TestAtomicRequestWithARefusedEvent(t *testing.T) {
	t.Parallel()
	invalid := good(uuid.New())
	invalid.Violations = []fault.Violation{{Code: fault.CodeUnknownField}}
	for name, c := range map[string]struct {
		envelopes []event.Envelope
		want      []ingest.Status
		kept      int
	}{
		"rejected before":          {[]event.Envelope{good(uuid.New()), invalid, good(uuid.New())}, []ingest.Status{ingest.NotStored, ingest.Rejected, ingest.NotStored}, 1},
		"rejected by the store":    {[]event.Envelope{good(uuid.New()), with(`{"conflict":1}`)}, []ingest.Status{ingest.NotStored, ingest.Conflict}, 1},
		"rejected for its content": {[]event.Envelope{with(`{"poison":1}`)}, []ingest.Status{ingest.Rejected}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFake()
				collector := started(t, config(), store)
				r := request(c.envelopes...)
				r.Atomic = true
				verdicts, err := collector.Submit(t.Context(), r)
				require.NoError(t, err)
				require.Equal(t, c.want, statuses(verdicts))
				require.Equal(t, []int{c.kept}, store.sizes(), "only the rejections are stored")
				require.Empty(t, store.last)
			})
		})
	}
}

// Once groups are large, requests are divided among the lanes: each session has one lane, and an
// atomic request is never divided.
func TestWideGroupsAreSharedOutBySession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const sessions = 300
		wide := config()
		wide.Lanes, wide.GroupEvents, wide.QueueEvents = 4, 10_000, 10_000
		store := newFake()
		c := started(t, wide, store)
		r := func() *ingest.Request {
			envelopes := make([]event.Envelope, 2*sessions)
			for i := range envelopes {
				id := uuid.UUID{14: byte(i % sessions >> 8), 15: byte(i % sessions)}
				envelopes[i] = good(id)
				envelopes[i].Event.Timestamp = envelopes[i].Event.Timestamp.Add(time.Duration(i) * time.Second)
			}

			return request(envelopes...)
		}
		divided := func() bool {
			before := len(store.sizes())
			verdicts, err := c.Submit(t.Context(), r())
			require.NoError(t, err)
			for i := range sessions {
				require.Equal(t, ingest.Stored, verdicts[i].Status)
				require.Equal(t, verdicts[i].Sequence+1, verdicts[i+sessions].Sequence, "in the order of their timestamps")
			}

			return len(store.sizes()) == before+wide.Lanes
		}
		for !divided() { // until the average size of the groups exceeds the bound
			require.Less(t, len(store.sizes()), 100)
		}

		require.True(t, divided(), "and stays divided")
		for _, group := range store.groups[len(store.groups)-wide.Lanes:] {
			laneOf := func(id uuid.UUID) byte { return (id[15] ^ id[11] ^ id[3]) % 4 }
			lane := laneOf(group.Items[0].Envelope.Event.SessionID)
			for _, item := range group.Items {
				require.Equal(t, lane, laneOf(item.Envelope.Event.SessionID))
			}
		}

		atomic := r()
		atomic.Atomic = true
		before := len(store.sizes())
		_, err := c.Submit(t.Context(), atomic)
		require.NoError(t, err)
		require.Len(t, store.sizes(), before+1)
		require.True(t, store.groups[before].Atomic)

		for range 200 { // small groups again
			_, err := c.Submit(t.Context(), request(good(uuid.New())))
			require.NoError(t, err)
		}

		require.False(t, divided(), "small groups stay together")
	})
}

// A failure of one lane fails the request, but not before all of its parts are done: until then
// the memory of the request must not be reused.
func TestDividedRequestWaitsForAllOfItsParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wide := config()
		wide.Lanes, wide.GroupEvents, wide.QueueEvents = 2, 10_000, 10_000
		store := newHeldFake()
		c := started(t, wide, store)
		many := func() *ingest.Request {
			envelopes := make([]event.Envelope, 600)
			for i := range envelopes {
				envelopes[i] = good(uuid.UUID{15: byte(i)})
			}

			return request(envelopes...)
		}
		for {
			waiting := submitted(t, c, t.Context(), many())
			if <-store.entered == 600 {
				store.proceed <- nil
				require.NoError(t, (<-waiting).err)
				continue
			}

			<-store.entered // the other lane
			store.proceed <- bytes.ErrTooLarge
			select {
			case <-waiting:
				require.Fail(t, "answered while a part is pending")
			default:
			}

			require.Equal(t, int64(600), c.QueuedEvents())
			store.proceed <- nil
			a := <-waiting
			requireUnavailable(t, a.err, fault.CodeUnavailable)
			require.ErrorIs(t, a.err, bytes.ErrTooLarge)
			return
		}
	})
}

// A replay that is rejected, for whatever reason, is not recorded again: it is recorded already.
func TestReplayThatIsRefusedIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		c := started(t, config(), store)
		for _, e := range []event.Envelope{
			with(`{"poison":1}`), {Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON}}},
		} {
			r := request(e)
			r.Replay = true
			a := <-submitted(t, c, t.Context(), r)
			require.NoError(t, a.err)
			require.Equal(t, ingest.Rejected, a.verdicts[0].Status)
		}

		require.Empty(t, store.sizes())
	})
}
