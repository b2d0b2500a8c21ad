package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// submitTogether submits requests one after the other to a collector that is started only
// afterwards, so that all of them share the first group.
func submitTogether(t *testing.T, store ingest.Store, requests []*ingest.Request) [][]ingest.Verdict {
	t.Helper()
	return submitTogetherWithin(t, store, time.Minute, requests)
}

// submitTogetherWithin is submitTogether with a budget: a request without a verdict waits for its end.
func submitTogetherWithin(t *testing.T, store ingest.Store, budget time.Duration, requests []*ingest.Request) [][]ingest.Verdict {
	t.Helper()
	c := ingest.New(ingest.Config{
		Budget: budget, GroupEvents: 5000, GroupBytes: 16 << 20, QueueEvents: 50_000, QueueBytes: 128 << 20, Lanes: 2,
	}, ingest.Deps{Store: store, Logger: zap.NewNop(), NewID: newID, Now: time.Now})
	t.Cleanup(func() { c.Stop(context.Background()) })
	answers, done := make([][]ingest.Verdict, len(requests)), make(chan struct{})
	var sent int64
	for i, r := range requests {
		sent += int64(len(r.Envelopes))
		go func() {
			defer func() { done <- struct{}{} }()

			answers[i], _ = c.Submit(context.Background(), r)
		}()
		require.Eventually(t, func() bool { return c.QueuedEvents() == sent }, time.Minute, time.Millisecond)
	}

	c.Start(t.Context())
	for range requests {
		<-done
	}

	return answers
}

// The decoder accepts nothing that Postgres refuses. If it did, only the sender of that event
// would notice.
func TestEventThatCannotBeStoredIsRefusedAlone(t *testing.T) {
	t.Parallel()
	for _, poison := range []string{`{"a":"\u0000"}`, `{"a":"\ud800"}`, `{"a":1e200000}`, `{"a":`} {
		b := newBundle(t)
		session, noon := uuid.New(), time.Now().Add(-time.Hour)
		requests := make([]*ingest.Request, 9)
		for i := range requests {
			requests[i] = request(shop, envelope(session, noon.Add(time.Duration(i))), envelope(uuid.New(), noon))
		}

		bad := envelope(session, noon.Add(time.Second))
		bad.Event.Data = []byte(poison)
		requests[4].Envelopes = append(requests[4].Envelopes, bad)

		for i, verdicts := range submitTogether(t, b.store, requests) {
			require.Equal(t, ingest.Stored, verdicts[0].Status, "request %d, %s", i, poison)
			require.Equal(t, ingest.Stored, verdicts[1].Status, "request %d, %s", i, poison)
			if i == 4 {
				require.Equal(t, ingest.Rejected, verdicts[2].Status)
				require.Equal(t, fault.CodeNotStorable, verdicts[2].Violations[0].Code)
			}
		}

		require.Equal(t, 18, count(t, b, "event"))
		require.Equal(t, 18, count(t, b, "event_key"))
		require.Equal(t, 1, count(t, b, "rejection"))
		requireGapless(t, b)
	}
}

// A session whose row is locked costs its sender the budget, and costs no request anything once
// the lock is released.
func TestLockedSessionIsAnsweredWithinTheBudget(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 2)
	locked, noon := uuid.New(), time.Now().Add(-time.Hour)
	submit(t, c, request(shop, envelope(locked, noon)))
	tx, err := b.database.Pool(t).Begin(context.Background())
	require.NoError(t, err)
	_, err = tx.Exec(context.Background(), "select from session where session_id = $1 for update", locked)
	require.NoError(t, err)

	waits := request(shop, envelope(locked, noon))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	t.Cleanup(cancel)
	_, err = c.Submit(ctx, waits)
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.GreaterOrEqual(t, f.RetryAfter, time.Second)

	// The answer did not wait for the lock, which is released only now.
	require.NoError(t, tx.Rollback(context.Background()))
	require.Equal(t, ingest.Stored, submit(t, c, request(shop, envelope(uuid.New(), noon)))[0].Status)
	again := submit(t, c, request(shop, event.Envelope{Raw: waits.Envelopes[0].Raw, Known: waits.Envelopes[0].Known, Event: waits.Envelopes[0].Event}))
	require.Equal(t, int64(2), again[0].Sequence, "the second try finds out whether the first was stored")
	requireGapless(t, b)
}
