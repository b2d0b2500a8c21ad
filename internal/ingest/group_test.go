package ingest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

func TestGroupIsWhatArrivedDuringTheLastCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		first := submitted(t, c, t.Context(), request(good(uuid.New())))
		require.Equal(t, 1, <-store.entered, "an idle service does not wait for more")
		var rest []<-chan answer
		for range 5 {
			rest = append(rest, submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New()))))
		}

		store.proceed <- nil
		require.NoError(t, (<-first).err)
		require.Equal(t, 10, <-store.entered)
		store.proceed <- nil
		for _, one := range rest {
			require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored}, statuses((<-one).verdicts))
		}

		require.Equal(t, []int{1, 10}, store.sizes())
		require.Zero(t, c.QueuedEvents())
	})
}

func TestGroupIsBounded(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]func(*ingest.Config){
		"by events": func(c *ingest.Config) { c.GroupEvents = 4 },
		"by bytes":  func(c *ingest.Config) { c.GroupBytes = 4 * len(`{"sent":1}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bounded := config()
				bound(&bounded)
				store := newFake()
				c := newCollector(bounded, store)
				var all []<-chan answer
				for _, events := range []int{2, 2, 1, 9, 3} { // more than a group in one request is a group
					envelopes := make([]event.Envelope, events)
					for i := range envelopes {
						envelopes[i] = good(uuid.New())
					}

					all = append(all, submitted(t, c, t.Context(), request(envelopes...)))
				}

				c.Start(t.Context())
				for _, one := range all {
					require.NoError(t, (<-one).err)
				}

				c.Stop(t.Context())
				require.Equal(t, []int{4, 1, 9, 3}, store.sizes())
			})
		})
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]func(*ingest.Config){
		"by events": func(c *ingest.Config) { c.QueueEvents = 3 },
		"by bytes":  func(c *ingest.Config) { c.QueueBytes = 3 * len(`{"sent":1}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bounded := config()
				bound(&bounded)
				store := newHeldFake()
				c := started(t, bounded, store)
				running := submitted(t, c, t.Context(), request(good(uuid.New())))
				<-store.entered
				queued := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New())))

				_, err := c.Submit(t.Context(), request(good(uuid.New())))
				requireUnavailable(t, err, fault.CodeOverloaded)
				require.Equal(t, int64(3), c.QueuedEvents(), "a shed request takes no room")

				store.proceed <- nil
				<-store.entered
				store.proceed <- nil
				require.NoError(t, (<-running).err)
				require.NoError(t, (<-queued).err)
				again := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New()), good(uuid.New())))
				<-store.entered
				store.proceed <- nil
				require.NoError(t, (<-again).err, "there is room again")
			})
		})
	}
}

func TestAbandonedRequestIsNotStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		running := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		impatient, leave := context.WithCancel(t.Context())
		left := submitted(t, c, impatient, request(good(uuid.New())))
		patient := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New())))
		leave()
		requireUnavailable(t, (<-left).err, fault.CodeUnavailable)
		require.Equal(t, int64(4), c.QueuedEvents(), "the queue still refers to it")
		store.proceed <- nil
		require.NoError(t, (<-running).err)
		require.Equal(t, 2, <-store.entered)
		store.proceed <- nil
		require.NoError(t, (<-patient).err)
		synctest.Wait()
		require.Zero(t, c.QueuedEvents())
	})
}

// No request waits beyond its deadline, whatever the store does.
func TestDeadlineOfARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := started(t, config(), newHeldFake())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()

		_, err := c.Submit(ctx, request(good(uuid.New())))
		requireUnavailable(t, err, fault.CodeUnavailable)
	})
}

// A commit does not outlast the budget, and the next group has a budget of its own.
func TestBudgetOfACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		short := config()
		short.Budget = 50 * time.Millisecond
		store := newHeldFake()
		c := started(t, short, store)
		stuck := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		requireUnavailable(t, (<-stuck).err, fault.CodeUnavailable)

		again := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		requireUnavailable(t, (<-again).err, fault.CodeUnavailable)
	})
}

func TestFailureIsAnsweredAsUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c := started(t, config(), store)
		for _, cause := range []error{errors.New("something"), fault.NewUnavailable(nil, fault.CodeQueryTooSlow, "slow", time.Second)} {
			failed := submitted(t, c, t.Context(), request(good(uuid.New()), good(uuid.New())))
			<-store.entered
			store.proceed <- cause
			requireUnavailable(t, (<-failed).err, fault.CodeUnavailable)
		}

		stored := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		store.proceed <- nil
		require.NoError(t, (<-stored).err)
	})
}

func TestVerdictsComeInTheOrderOfTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := started(t, config(), newFake())
		session := uuid.New()
		late := good(session)
		early := good(session)
		rejected := with(`{}`)
		anonymous := good(session)
		late.Event.Timestamp = late.Event.Timestamp.Add(time.Hour)
		rejected.Violations = []fault.Violation{{Code: fault.CodeUnknownField}}
		anonymous.Known &^= event.FieldID
		anonymous.Event.ID = uuid.Nil
		r := request(late, early, rejected, anonymous)
		verdicts, err := c.Submit(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored, ingest.Rejected, ingest.Stored}, statuses(verdicts))
		require.Equal(t, []int64{3, 1, 0, 2}, []int64{verdicts[0].Sequence, verdicts[1].Sequence, 0, verdicts[3].Sequence})
		require.NotEqual(t, uuid.Nil, verdicts[2].ErrorID)
		require.NotEqual(t, uuid.Nil, verdicts[3].EventID, "the service generates the id")

		verdicts, err = c.Submit(t.Context(), request())
		require.NoError(t, err)
		require.Empty(t, verdicts)
	})
}

func TestCheckKeepsNothing(t *testing.T) {
	t.Parallel()
	store := newFake()
	c := newCollector(config(), store)
	rejected := good(uuid.New())
	rejected.Violations = []fault.Violation{{Code: fault.CodeUnknownField}}
	verdicts, err := c.DryRun(t.Context(), request(good(uuid.New()), rejected))
	require.NoError(t, err)
	require.Equal(t, []ingest.Status{ingest.Valid, ingest.Rejected}, statuses(verdicts))
	require.Equal(t, uuid.Nil, verdicts[1].ErrorID)
	atomic := request(good(uuid.New()), rejected)
	atomic.Atomic = true
	verdicts, err = c.DryRun(t.Context(), atomic)
	require.NoError(t, err)
	require.Equal(t, []ingest.Status{ingest.NotStored, ingest.Rejected}, statuses(verdicts))
	require.Empty(t, store.sizes())
}

// The sender of an event is known only by its request, which the group has to keep with the
// event.
func TestGroupKeepsTheRequestOfEachEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		c := newCollector(config(), store)
		var all []<-chan answer
		sender := map[uuid.UUID]event.ApplicationID{}
		for n := range 6 {
			r := request(good(uuid.New()), good(uuid.New()))
			r.Application = event.ApplicationID(1 + n%3)
			for _, e := range r.Envelopes {
				sender[e.Event.ID] = r.Application
			}

			all = append(all, submitted(t, c, t.Context(), r))
		}

		c.Start(t.Context())
		for _, one := range all {
			require.NoError(t, (<-one).err)
		}

		c.Stop(t.Context())
		require.Equal(t, []int{12}, store.sizes())
		for _, item := range store.groups[0].Items {
			require.Equal(t, sender[item.Envelope.Event.ID], item.Request.Application)
		}
	})
}

// Sequences follow the order of the items in a group. Those of one request are ordered by their
// timestamps, and in the order of sending where these are equal.
func TestWithinARequestEventsAreStoredByTimestamp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		c := started(t, config(), store)
		session := uuid.New()
		envelopes := make([]event.Envelope, 5)
		for i, seconds := range []int{3, 1, 2, 1, 0} {
			envelopes[i] = good(session)
			envelopes[i].Event.Timestamp = envelopes[i].Event.Timestamp.Add(time.Duration(seconds) * time.Second)
		}

		verdicts, err := c.Submit(t.Context(), request(envelopes...))
		require.NoError(t, err)
		sequences := make([]int64, len(verdicts))
		for i, v := range verdicts {
			sequences[i] = v.Sequence
		}

		require.Equal(t, []int64{5, 2, 4, 3, 1}, sequences)
	})
}
