package ingest_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// A request that shares a group with a locked session is stored; a request that needs the
// session waits for it and is stored once it is free, or gets a retry at the end of the budget.
func TestOnlyWhoNeedsALockWaitsForIt(t *testing.T) {
	t.Parallel()
	for name, unnamed := range map[string]bool{"the store names the session": false, "the store cannot name the session": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFake()
				store.unnamed = unnamed
				locked := uuid.New()
				store.lock(locked, true)
				c := newCollector(config(), store)
				var strangers []<-chan answer
				for range 10 {
					strangers = append(strangers, submitted(t, c, t.Context(), request(good(uuid.New()))))
				}

				waits := submitted(t, c, t.Context(), request(good(uuid.New()), good(locked)))
				c.Start(t.Context())
				began := time.Now()

				for _, stranger := range strangers {
					require.NoError(t, (<-stranger).err)
				}

				require.Less(t, time.Since(began), time.Second)
				late := submitted(t, c, t.Context(), request(good(locked)))
				store.lock(locked, false)
				require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored}, statuses((<-waits).verdicts))
				require.Equal(t, []ingest.Status{ingest.Stored}, statuses((<-late).verdicts))
				require.Zero(t, c.QueuedEvents())

				store.lock(locked, true)
				requireUnavailable(t, (<-submitted(t, c, t.Context(), request(good(locked)))).err, fault.CodeUnavailable)
				synctest.Wait()
				c.Stop(t.Context())
				require.Zero(t, c.QueuedEvents(), "requests without a waiting client are released")
			})
		})
	}
}

// An atomic request that needs a locked session waits as a whole: no event of it is stored
// without the others.
func TestAnAtomicRequestIsNotStoredInPartDuringALock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		locked := uuid.New()
		store.lock(locked, true)
		c := started(t, config(), store)
		r := request(good(uuid.New()), good(locked))
		r.Atomic = true

		_, err := c.Submit(t.Context(), r)

		requireUnavailable(t, err, fault.CodeUnavailable)
		require.Empty(t, store.sizes())
	})
}

// Locks that come and go under load lose no event, store none twice and leave no gap.
func TestLocksThatComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const senders, each = 8, 50
		store := newFake()
		settings := config()
		settings.Lanes = 2
		c := started(t, settings, store)
		sessions := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		var wait sync.WaitGroup
		for n := range senders {
			wait.Go(func() {
				for i := range each {
					r := request(good(sessions[(n+i)%3]), good(uuid.New()), good(sessions[(n+i+1)%3]))
					r.Atomic = i%5 == 0
					verdicts, err := c.Submit(t.Context(), r)
					if err == nil {
						require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored, ingest.Stored}, statuses(verdicts))
					}
				}
			})
		}

		stop := make(chan struct{})
		wait.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(70 * time.Millisecond):
					store.lock(sessions[i%3], i%2 == 0)
				}
			}
		})
		<-time.After(20 * time.Second)
		close(stop)
		for _, session := range sessions {
			store.lock(session, false)
		}

		wait.Wait()
		require.Equal(t, []ingest.Status{ingest.Stored}, statuses((<-submitted(t, c, t.Context(), request(good(sessions[0])))).verdicts))
		require.Zero(t, c.Stop(t.Context()))
		require.Zero(t, c.QueuedEvents())
	})
}

// brieflyLocked is a store in which a session becomes free after so many commits.
type brieflyLocked struct {
	*fake

	session uuid.UUID
	commits int
}

func (b *brieflyLocked) Commit(ctx context.Context, group *ingest.Group) error {
	if b.commits--; b.commits < 0 {
		b.lock(b.session, false)
	}

	return b.fake.Commit(ctx, group)
}

// A lock that is released during the search for the requests that need it does not change the
// order within a request, whenever that happens.
func TestALockThatIsFreeAMomentLaterKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for commits := range 12 {
		synctest.Test(t, func(t *testing.T) {
			session := uuid.New()
			store := &brieflyLocked{fake: newFake(), session: session, commits: commits}
			store.unnamed = true
			store.lock(session, true)
			c := started(t, config(), store)
			envelopes := make([]event.Envelope, 8)
			for i := range envelopes {
				envelopes[i] = good(session)
				envelopes[i].Event.Timestamp = envelopes[i].Event.Timestamp.Add(time.Duration(i) * time.Second)
			}

			verdicts, err := c.Submit(t.Context(), request(envelopes...))

			require.NoError(t, err)
			for i, v := range verdicts {
				require.EqualValues(t, i+1, v.Sequence, "free after %d commits: %v", commits, verdicts)
			}
		})
	}
}

// lockedOnce is a store that finds a session locked at one of its commits, the first being 1,
// and at no other.
type lockedOnce struct {
	*fake

	session uuid.UUID
	at      int
	commits int
}

func (l *lockedOnce) Commit(ctx context.Context, group *ingest.Group) error {
	l.commits++
	l.lock(l.session, l.commits == l.at)

	return l.fake.Commit(ctx, group)
}

// A lock that is met while a request is split for another reason, and is free a moment later,
// does not change the order within the request, whenever that happens.
func TestALockInASplitRequestKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for at := range 12 {
		synctest.Test(t, func(t *testing.T) {
			session := uuid.New()
			store := &lockedOnce{fake: newFake(), session: session, at: at}
			c := started(t, config(), store)
			envelopes := make([]event.Envelope, 8)
			for i := range envelopes {
				envelopes[i] = good(session)
				envelopes[i].Event.Timestamp = envelopes[i].Event.Timestamp.Add(time.Duration(i) * time.Second)
			}

			const last = 7
			envelopes[last].Event.Data = []byte(`{"poison":1}`)

			verdicts, err := c.Submit(t.Context(), request(envelopes...))

			require.NoError(t, err)
			for i, v := range verdicts[:last] {
				require.EqualValues(t, i+1, v.Sequence, "locked at commit %d: %v", at, verdicts)
			}

			require.Equal(t, ingest.Rejected, verdicts[last].Status)
		})
	}
}
