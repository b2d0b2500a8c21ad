package postgres_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

const lateAfter = 200 * time.Millisecond

// serveSilence accepts connections and never answers, as a frozen server does.
func serveSilence(t *testing.T) (dsn string) {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return "postgres://nobody@" + listener.Addr().String() + "/nowhere?sslmode=disable" // the kernel accepts for it
}

func openLateDB(t *testing.T, dsn string, connect, read time.Duration) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{
		URL: dsn, WriteConnections: 1, ReadConnections: 1, ConnectTimeout: connect, WriteTimeout: time.Minute, ReadTimeout: read,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// askLate asks each kind of request for as long as the budget, and returns what is answered.
func askLate(t *testing.T, db *postgres.DB, budget time.Duration) (question, single, change error) {
	t.Helper()
	bounded := func(ask func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), budget)
		defer cancel()

		return ask(ctx)
	}
	reads := postgres.NewQueryStore(db)
	question = bounded(func(ctx context.Context) error {
		return reads.Events(ctx, query.EventFilter{}, nil, 10, func(event.Stored) bool { return true })
	})
	single = bounded(func(ctx context.Context) error {
		_, err := reads.Event(ctx, uuid.New())
		return err
	})
	change = bounded(func(ctx context.Context) error {
		_, err := postgres.NewErasureStore(db).BeginErasure(ctx, erasure.Request{SessionIDs: []uuid.UUID{uuid.New()}})
		return err
	})

	return question, single, change
}

func requireLate(t *testing.T, err error, code fault.Code, detail string) {
	t.Helper()
	requireCode(t, err, fault.Unavailable, code)
	f, _ := fault.As(err)
	require.Contains(t, f.Detail, detail)
	require.Positive(t, f.RetryAfter)
	if detail != "narrow the question" {
		require.NotContains(t, f.Detail, "question")
	}
}

// A server that accepts connections and does not answer is reported as such, whether the attempt
// to connect or the request ran out of time: nobody looks for a question to narrow.
func TestFrozenServerIsNotASlowQuestion(t *testing.T) {
	t.Parallel()
	dsn := serveSilence(t)

	question, single, change := askLate(t, openLateDB(t, dsn, lateAfter, time.Minute), time.Minute)
	for _, err := range []error{question, single, change} {
		requireLate(t, err, fault.CodeUnavailable, "the database cannot be reached")
	}

	question, single, change = askLate(t, openLateDB(t, dsn, time.Minute, time.Minute), lateAfter)
	for _, err := range []error{question, single, change} {
		requireLate(t, err, fault.CodeUnavailable, "no connection to the database was free, or could be opened, in time")
	}
}

// A request that waits for others to return a connection, or for its turn, is not itself slow.
func TestWaitForAConnectionIsNotASlowQuestion(t *testing.T) {
	t.Parallel()
	db := openLateDB(t, pgtest.New(t).DSN(), time.Minute, time.Minute)
	held, err := db.ReadPool().Acquire(t.Context())
	require.NoError(t, err)
	question, single, change := askLate(t, db, lateAfter)
	requireLate(t, question, fault.CodeUnavailable, "no connection")
	requireLate(t, single, fault.CodeUnavailable, "no connection")
	require.NoError(t, change)

	// The first waits for the connection, and the second for the turn that the first has.
	first := make(chan error, 1)
	waiting, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go func() {
		_, err := postgres.NewQueryStore(db).Event(waiting, uuid.New())
		first <- err
	}()
	question, single, _ = askLate(t, db, lateAfter)
	requireLate(t, question, fault.CodeUnavailable, "no connection")
	requireLate(t, single, fault.CodeUnavailable, "no connection")
	stop()
	require.ErrorIs(t, <-first, context.Canceled)
	held.Release()
}

// Only a question whose statement was running can be narrowed. A change, and a read of one thing,
// are told the same without that advice, whether the service or the server gave up.
func TestLateAnswersAdviseWhatTheCallerCanDo(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	for _, late := range []struct {
		byServer bool
		code     fault.Code
	}{{byServer: false, code: fault.CodeUnavailable}, {byServer: true, code: fault.CodeQueryTooSlow}} {
		read, budget := time.Minute, lateAfter
		if late.byServer {
			read, budget = budget, read
		}

		db := openLateDB(t, database.DSN(), time.Minute, read)
		require.NoError(t, db.ReadPool().Ping(t.Context()))
		_, _ = postgres.NewAccessStore(db).ListApplications(t.Context()) // opens a connection for changes

		holder, err := database.Pool(t).Begin(t.Context())
		require.NoError(t, err)
		_, err = holder.Exec(t.Context(), "lock table event, event_key, erasure in access exclusive mode")
		require.NoError(t, err)

		question, single, change := askLate(t, db, budget)
		requireLate(t, question, fault.CodeQueryTooSlow, "narrow the question")
		for _, err := range []error{single, change} {
			requireLate(t, err, late.code, "the database did not answer in time")
		}

		require.NoError(t, holder.Rollback(t.Context()))
	}
}
