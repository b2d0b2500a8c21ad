package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func newEraser(db *postgres.DB) *erasure.Eraser {
	return erasure.New(erasure.DefaultConfig(), erasure.Deps{Store: postgres.NewErasureStore(db), Logger: zap.NewNop(), Now: time.Now})
}

func tryErase(e *erasure.Eraser, request erasure.Request) error {
	begun, err := e.BeginErasure(context.Background(), request)
	if err == nil {
		_, err = e.FinishErasure(context.Background(), begun.ID, func(erasure.Erasure) {})
	}

	return err
}

func eraseAs(t testing.TB, db *postgres.DB, actor audit.Actor, request erasure.Request) erasure.Erasure {
	t.Helper()
	e := newEraser(db)
	begun, err := e.BeginErasure(audit.WithActor(t.Context(), actor), request)
	require.NoError(t, err)
	finished, err := e.FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) {})
	require.NoError(t, err)
	require.Equal(t, erasure.Finished, finished.State())
	return finished
}

func eraseSession(t testing.TB, db *postgres.DB, session uuid.UUID) erasure.Erasure {
	t.Helper()
	return eraseAs(t, db, audit.Actor{Name: audit.CommandActor}, erasure.Request{SessionIDs: []uuid.UUID{session}})
}

func auditor() audit.Actor { return audit.Actor{Name: "key:a"} }

// userIs requests the erasure of everything with a user's id in its payload.
func userIs(id string) erasure.Request {
	return erasure.Request{Values: []erasure.Value{{Path: "user.id", Steps: []string{"user", "id"}, Text: id}}}
}

// ofUser is an event with a user's id in its payload.
func ofUser(session uuid.UUID, at time.Time, id string) event.Envelope {
	e := envelope(session, at)
	e.Event.Data = fmt.Appendf(nil, `{"user": {"id": %q}}`, id)
	e.Raw = apptest.RenderEvent(e.Event)
	return e
}

// storeLongSession stores a session of many events and returns their ids.
func storeLongSession(t testing.TB, b *bundle, session uuid.UUID, events int) (ids []uuid.UUID) {
	t.Helper()
	c := collector(t, b.store, 1)
	for len(ids) < events {
		envelopes := make([]event.Envelope, 1000)
		for i := range envelopes {
			envelopes[i] = envelope(session, firstOf(-len(ids)%3))
			ids = append(ids, envelopes[i].Event.ID)
		}

		submit(t, c, request(shop, envelopes...))
	}

	return ids
}

// digestOf computes the digest of ids as an auditor would.
func digestOf(ids []uuid.UUID) []byte {
	sum := new(big.Int)
	for _, id := range ids {
		one := sha256.Sum256([]byte(id.String()))
		sum.Add(sum, new(big.Int).SetBytes(one[:]))
	}

	return sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256)).FillBytes(make([]byte, 32))
}

func claim(t testing.TB, store *postgres.ErasureStore, lease time.Duration) erasure.Task {
	t.Helper()
	var task erasure.Task
	await(t, func() (found bool) {
		var err error
		task, err = store.ClaimErasure(t.Context(), lease, uuid.NullUUID{})
		require.NoError(t, err)
		return task != nil
	})
	return task
}

// runUntil runs the steps of an erasure until it has come to one.
func runUntil(t testing.TB, task erasure.Task, step erasure.Step) {
	t.Helper()
	for task.Erasure().Step != step {
		_, err := task.RunStep(t.Context())
		require.NoError(t, err)
	}
}

// A worker that stops in the middle, without releasing its lease, is replaced when the lease
// ends. Its work counts once, and it does no more.
func TestAnErasureIsFinishedByAnotherReplica(t *testing.T) {
	t.Parallel()
	const events = 25_000
	b, session := newBundle(t), uuid.New()
	ids := storeLongSession(t, b, session, events)
	first, second := postgres.NewErasureStore(b.db), openDB(t, b.database.DSN())
	begun, err := newEraser(b.db).BeginErasure(t.Context(), erasure.Request{SessionIDs: []uuid.UUID{session}, MustExist: true})
	require.NoError(t, err)

	stopped := claim(t, first, 50*time.Millisecond)
	_, err = stopped.RunStep(t.Context())
	require.NoError(t, err)
	left := count(t, b, "event")
	require.Positive(t, left)
	require.Less(t, left, events)
	half, err := first.FindErasure(t.Context(), begun.ID)
	require.NoError(t, err)
	require.Equal(t, erasure.Running, half.State(), "it is never reported as finished before it is")
	require.EqualValues(t, events-left, half.Events)

	finished, err := newEraser(second).FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) {})
	require.NoError(t, err)
	require.Equal(t, erasure.Counts{Sessions: 1, Events: events}, finished.Counts)
	require.Equal(t, digestOf(ids), finished.Digest)
	require.Zero(t, count(t, b, "event"))
	_, err = stopped.RunStep(t.Context())
	require.Error(t, err, "it has lost its lease")
	again, err := first.FindErasure(t.Context(), begun.ID)
	require.NoError(t, err)
	require.Equal(t, finished.Counts, again.Counts)
	contradictions, err := apptest.FindContradictions(t.Context(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
}

// While a worker is in the middle of a step, no other worker claims its erasure, even past its
// lease.
func TestALeaseIsNotTakenWithinAStep(t *testing.T) {
	t.Parallel()
	b, session := newBundle(t), uuid.New()
	storeLongSession(t, b, session, 2000)
	store := postgres.NewErasureStore(b.db)
	begun, err := newEraser(b.db).BeginErasure(t.Context(), erasure.Request{SessionIDs: []uuid.UUID{session}})
	require.NoError(t, err)
	holder, err := b.database.Pool(t).Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = holder.Rollback(context.Background()) })
	_, err = holder.Exec(t.Context(), "select from session where session_id = $1 for update", session)
	require.NoError(t, err)
	working := claim(t, store, time.Millisecond)
	done := make(chan error, 1)
	go func() {
		_, err := working.RunStep(context.Background())
		done <- err
	}()
	await(t, func() bool { return count(t, b, "pg_stat_activity where wait_event_type = 'Lock'") > 0 })
	other, err := store.ClaimErasure(t.Context(), time.Minute, uuid.NullUUID{UUID: begun.ID, Valid: true})
	require.NoError(t, err)
	require.Nil(t, other)
	require.NoError(t, holder.Rollback(t.Context()))
	require.NoError(t, <-done)
}

// A second request for the same erasure while it is unfinished joins it.
func TestTheSameErasureIsJoined(t *testing.T) {
	t.Parallel()
	b, session := newBundle(t), uuid.New()
	storeLongSession(t, b, session, 1000)
	request := erasure.Request{SessionIDs: []uuid.UUID{session}, MustExist: true}
	ids := make([]uuid.UUID, 8)
	parallel(len(ids), func(n int) {
		begun, err := newEraser(b.db).BeginErasure(context.Background(), request)
		if err != nil {
			t.Error(err)
		}

		ids[n] = begun.ID
	})
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}

	require.Equal(t, 1, count(t, b, "erasure"))
	_, err := newEraser(b.db).FinishErasure(t.Context(), ids[0], func(erasure.Erasure) {})
	require.NoError(t, err)
	_, err = newEraser(b.db).BeginErasure(t.Context(), request)
	require.True(t, fault.Is(err, fault.CodeNotFound), "nothing is left: %v", err)
	unbound := request
	unbound.MustExist = false
	other, err := newEraser(b.db).BeginErasure(t.Context(), unbound)
	require.NoError(t, err)
	require.NotEqual(t, ids[0], other.ID)
}

// An erased event does not come back, neither in its session nor in another one.
func TestErasedEventsAreRefusedInEverySession(t *testing.T) {
	t.Parallel()
	b, session := newBundle(t), uuid.New()
	c := collector(t, b.store, 1)
	sent := []event.Envelope{envelope(session, firstOf(-2)), envelope(session, firstOf(-3))}
	submit(t, c, request(shop, sent...))
	eraseSession(t, b.db, session)
	for _, e := range sent {
		require.Equal(t, fault.CodeSessionErased, submit(t, c, request(shop, e))[0].Violations[0].Code)
		e.Event.SessionID = uuid.New()
		verdict := submit(t, c, request(shop, e))[0]
		require.Equal(t, ingest.Rejected, verdict.Status)
		require.Equal(t, fault.CodeEventErased, verdict.Violations[0].Code)
	}

	require.Zero(t, count(t, b, "event"))
	require.Zero(t, count(t, b, "rejection where raw is not null"), "and none of their texts is kept")

	// The ids stay in the ledger as long as events are kept, and no longer.
	retention := postgres.NewRetentionStore(b.db)
	_, err := retention.ExpireEvents(t.Context(), firstOf(-2))
	require.NoError(t, err)
	require.Equal(t, 1, count(t, b, "event_key"))
	_, err = retention.ExpireEvents(t.Context(), firstOf(-1))
	require.NoError(t, err)
	require.Zero(t, count(t, b, "event_key"))
	require.Zero(t, count(t, b, "event_amendment"))
}

// An event that is rejected between the steps of its session's erasure leaves no rejection that
// names the session.
func TestRejectionsThatComeDuringAnErasureAreErased(t *testing.T) {
	t.Parallel()
	b, session := newBundle(t), uuid.New()
	c := collector(t, b.store, 1)
	submit(t, c, request(shop, envelope(session, firstOf(0))))
	begun, err := newEraser(b.db).BeginErasure(t.Context(), erasure.Request{SessionIDs: []uuid.UUID{session}})
	require.NoError(t, err)
	task := claim(t, postgres.NewErasureStore(b.db), time.Minute)
	runUntil(t, task, erasure.Errors)
	require.Equal(t, fault.CodeSessionErased, submit(t, c, request(shop, envelope(session, firstOf(0))))[0].Violations[0].Code)
	naming := fmt.Sprintf("rejection where session_id = '%s'", session)
	require.Equal(t, 1, count(t, b, naming))

	require.NoError(t, task.ReleaseLease(t.Context()))
	finished, err := newEraser(b.db).FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) {})
	require.NoError(t, err)
	require.Zero(t, count(t, b, naming))
	require.Equal(t, erasure.Counts{Sessions: 1, Events: 1, Rejections: 1}, finished.Counts)
}
