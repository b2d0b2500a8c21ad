package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// commitWait is how long a test lets a commit wait for a standby that never answers.
const commitWait = 300 * time.Millisecond

// awaited is a database whose commits wait for a synchronous standby that does not exist.
type awaited struct {
	*bundle

	admin *pgxpool.Pool
}

// newAwaited makes the database. Its commits wait once loseStandby was called.
func newAwaited(t *testing.T) *awaited {
	t.Helper()
	b := newBundleOn(t, pgtest.NewDedicated(t, pgtest.WithSetting("synchronous_commit", ""), pgtest.WithSetting("fsync", ""), pgtest.WithSetting("full_page_writes", "")))
	return &awaited{bundle: b, admin: b.database.Pool(t)}
}

// set changes a setting of the running server, and waits until it is in force.
func (a *awaited) set(t *testing.T, name, value string) {
	t.Helper()
	_, err := a.admin.Exec(context.Background(), "alter system set "+name+" = '"+value+"'")
	require.NoError(t, err)
	_, err = a.admin.Exec(context.Background(), "select pg_reload_conf()")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var now string
		require.NoError(t, a.admin.QueryRow(context.Background(), "select current_setting($1)", name).Scan(&now))
		return now == value
	}, 10*time.Second, 5*time.Millisecond)
}

// loseStandby makes commits wait. The server's checkpointer informs the sessions some time
// later.
func (a *awaited) loseStandby(t *testing.T) {
	t.Helper()
	a.set(t, "synchronous_standby_names", "nobody")
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), commitWait)
		defer cancel()

		_, err := a.admin.Exec(ctx, "select pg_logical_emit_message(true, 'test', '')")
		return err != nil
	}, 10*time.Second, 5*time.Millisecond)
}

// findStandby ends the waiting.
func (a *awaited) findStandby(t *testing.T) {
	t.Helper()
	a.set(t, "synchronous_standby_names", "")
}

// waiting returns the process that waits for a standby; those that loseStandby gave up may not
// have ended.
func (a *awaited) waiting(t *testing.T) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := a.admin.QueryRow(context.Background(),
			"select coalesce(max(pid), 0) from pg_stat_activity where wait_event = 'SyncRep' and datname = current_database() and query not like '%(true, ''test''%'").Scan(&pid)
		require.NoError(t, err)
		return pid != 0
	}, 10*time.Second, time.Millisecond)
	return pid
}

// events counts the events that are committed.
func (a *awaited) events(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, a.admin.QueryRow(context.Background(), "select count(*) from event").Scan(&n))
	return n
}

// newCollectorWithBudget makes a collector whose budget is short.
func newCollectorWithBudget(t *testing.T, store ingest.Store, budget time.Duration) *ingest.Collector {
	t.Helper()
	c := ingest.New(ingest.Config{
		Budget: budget, GroupEvents: 5000, GroupBytes: 16 << 20, QueueEvents: 50_000, QueueBytes: 128 << 20, Lanes: 1,
	}, ingest.Deps{Store: store, Logger: zap.NewNop(), NewID: newID, Now: time.Now})
	c.Start(t.Context())
	t.Cleanup(func() { c.Stop(context.Background()) })
	return c
}

// resend returns the same request as a client sends it a second time.
func resend(r *ingest.Request) *ingest.Request {
	again := request(r.Application)
	for i := range r.Envelopes {
		e := &r.Envelopes[i]
		again.Envelopes = append(again.Envelopes, event.Envelope{Raw: e.Raw, Known: e.Known, Event: e.Event})
	}

	return again
}

// A commit that no standby has confirmed exists on one machine only, although it is visible
// there: neither the first attempt nor a later one, which finds the event, acknowledges it.
func TestEventIsNotAcknowledgedBeforeItsStandbyHasIt(t *testing.T) {
	t.Parallel()
	a := newAwaited(t)
	sent := request(shop, envelope(uuid.New(), time.Now().Add(-time.Hour)))
	submit(t, collector(t, a.store, 1), request(shop, envelope(uuid.New(), time.Now().Add(-time.Hour)))) // creates the partition
	a.loseStandby(t)

	for range 3 {
		verdicts, err := newCollectorWithBudget(t, a.store, commitWait).Submit(context.Background(), resend(sent))
		require.True(t, fault.Is(err, fault.CodeUnavailable), "%v %v", verdicts, err)
	}

	require.Equal(t, 2, a.events(t), "it is committed, and visible")

	a.findStandby(t)
	require.Equal(t, []ingest.Status{ingest.Duplicate}, statuses(submit(t, collector(t, a.store, 1), resend(sent))))
	requireGapless(t, a.bundle)
}

// Cancelling the wait, or ending the connection, does not lead to an acknowledgement.
func TestCancelledWaitForTheStandbyIsNoAcknowledgement(t *testing.T) {
	t.Parallel()
	for _, interruption := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(interruption, func(t *testing.T) {
			t.Parallel()
			a := newAwaited(t)
			c := newCollectorWithBudget(t, a.store, time.Minute)
			submit(t, c, request(shop, envelope(uuid.New(), time.Now().Add(-time.Hour)))) // creates the partition
			a.loseStandby(t)
			answered := make(chan []ingest.Verdict)
			go func() {
				verdicts, _ := c.Submit(context.Background(), request(shop, envelope(uuid.New(), time.Now().Add(-time.Hour))))
				answered <- verdicts
			}()

			for range 3 {
				first := a.waiting(t)
				_, err := a.admin.Exec(context.Background(), "select "+interruption+"($1)", first)
				require.NoError(t, err)
				require.Eventually(t, func() bool { // it waits again: in another process, or in another transaction
					select {
					case verdicts := <-answered:
						require.Failf(t, "acknowledged", "%v", verdicts)
					default:
					}

					return a.events(t) == 2
				}, 10*time.Second, time.Millisecond)
				a.waiting(t)
			}

			a.findStandby(t)
			require.Equal(t, []ingest.Status{ingest.Stored}, statuses(<-answered))
			requireGapless(t, a.bundle)
		})
	}
}

// The same holds for an erasure whose next attempt finds that the event is gone.
func TestCancelledWaitForTheStandbyIsNoErasure(t *testing.T) {
	t.Parallel()
	for _, interruption := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(interruption, func(t *testing.T) {
			t.Parallel()
			a := newAwaited(t)
			gone := envelope(uuid.New(), time.Now().Add(-time.Hour))
			submit(t, newCollectorWithBudget(t, a.store, time.Minute), request(shop, gone))
			amends := postgres.NewAmendStore(a.db)
			a.loseStandby(t)
			answered := make(chan error, 1)
			go func() {
				answered <- amends.EraseEvent(context.Background(), gone.Event.ID, func(event.Stored) error { return nil })
			}()

			_, err := a.admin.Exec(context.Background(), "select "+interruption+"($1)", a.waiting(t))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return a.events(t) == 0 }, 10*time.Second, time.Millisecond)
			a.waiting(t)
			require.Empty(t, answered, "it is erased here, and not where the standby is")

			a.findStandby(t)
			require.NoError(t, <-answered)
		})
	}
}

// Nor a failed edit: an If-Match that held for the attempt that was committed does not fail
// because of what it wrote.
func TestCancelledWaitForTheStandbyIsNoFailedPrecondition(t *testing.T) {
	t.Parallel()
	a := newAwaited(t)
	before := envelope(uuid.New(), time.Now().Add(-time.Hour))
	submit(t, newCollectorWithBudget(t, a.store, time.Minute), request(shop, before))
	amends := postgres.NewAmendStore(a.db)
	after := before
	after.Event.Data = []byte(`{"url":"/changed"}`)
	ifMatch := func(current event.Stored) (event.Envelope, error) {
		if current.Digest() != before.Event.Digest() {
			return event.Envelope{}, fault.New(fault.PreconditionFailed, fault.CodePreconditionFailed, "")
		}

		return after, nil
	}
	a.loseStandby(t)
	answered := make(chan error, 1)
	go func() {
		_, err := amends.EditEvent(context.Background(), before.Event.ID, ifMatch)
		answered <- err
	}()

	_, err := a.admin.Exec(context.Background(), "select pg_cancel_backend($1)", a.waiting(t))
	require.NoError(t, err)
	a.waiting(t)
	require.Empty(t, answered, "it is changed here, and not where the standby is")

	a.findStandby(t)
	require.NoError(t, <-answered)
}

// Changes by administrators are promised like events.
func TestChangeIsNotAcknowledgedBeforeItsStandbyHasIt(t *testing.T) {
	t.Parallel()
	a := newAwaited(t)
	c := newCollectorWithBudget(t, a.store, time.Minute)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	edited, gone := envelope(session, noon), envelope(uuid.New(), noon)
	submit(t, c, request(shop, edited, gone, envelope(uuid.New(), noon)))
	amends := postgres.NewAmendStore(a.db)
	access_ := postgres.NewAccessStore(a.db)
	types := postgres.NewEventTypeStore(a.db)
	erasures := postgres.NewErasureStore(a.db)
	ctx := context.Background()
	_, err := access_.CreateKey(ctx, access.HashedKey{Key: access.Key{ID: "k", Application: "shop", Scopes: []access.Scope{access.ScopeRead}}})
	require.NoError(t, err)
	changed := edited
	changed.Event.Data = []byte(`{"url":"/changed"}`)

	changes := map[string]func(ctx context.Context) error{
		"edit": func(ctx context.Context) error {
			_, err := amends.EditEvent(ctx, edited.Event.ID, func(event.Stored) (event.Envelope, error) { return changed, nil })
			return err
		},
		"erase": func(ctx context.Context) error {
			return amends.EraseEvent(ctx, gone.Event.ID, func(event.Stored) error { return nil })
		},
		"erase session": func(ctx context.Context) error {
			_, err := erasures.BeginErasure(ctx, erasure.Request{SessionIDs: []uuid.UUID{session}, MustExist: true})
			return err
		},
		"create application": func(ctx context.Context) error {
			_, err := access_.CreateApplication(ctx, access.ApplicationSpec{Name: "new"})
			return err
		},
		"revoke key": func(ctx context.Context) error { return access_.RevokeKey(ctx, "shop", "k") },
		"event type": func(ctx context.Context) error {
			_, err := types.ApplyChanges(ctx, []eventtype.Change{{Key: eventtype.Key{Category: "page", Name: "view"}, Spec: &eventtype.Spec{Mode: eventtype.Observe}}}, false, false)
			return err
		},
	}
	for _, name := range []string{"edit", "erase", "erase session", "create application", "revoke key", "event type"} {
		a.loseStandby(t)
		for attempt := range 2 {
			short, cancel := context.WithTimeout(ctx, commitWait)
			err := changes[name](short)
			cancel()
			require.Error(t, err, "%s, attempt %d", name, attempt)
			_, final := fault.As(err)
			require.False(t, final && !fault.Is(err, fault.CodeUnavailable) && !fault.Is(err, fault.CodeQueryTooSlow), "%s, attempt %d: %v", name, attempt, err)
		}

		a.findStandby(t)
		if err := changes[name](ctx); err != nil { // an earlier attempt has made the change
			require.True(t, fault.Is(err, fault.CodeNotFound) || fault.Is(err, fault.CodeAlreadyExists), "%s: %v", name, err)
		}
	}
}

// Each commit reads what it waited for: a setting that is turned off while the service runs is
// reported by the next commit, and with database.durability require nothing more is stored.
func TestUnsafeSettingIsNoticedByTheNextCommit(t *testing.T) {
	t.Parallel()
	for _, unsafe := range []struct{ setting, value, standbys string }{
		{setting: "synchronous_commit", value: "off"},
		{setting: "synchronous_commit", value: "local", standbys: "nobody"},
		{setting: "fsync", value: "off"},
		{setting: "full_page_writes", value: "off"},
	} {
		t.Run(unsafe.setting+" "+unsafe.value, func(t *testing.T) {
			t.Parallel()
			a := newAwaited(t)
			var mu sync.Mutex
			var reported []postgres.Weakness
			open := func(require_ bool) *ingest.Collector {
				db, err := postgres.Open(context.Background(), postgres.Config{
					URL: a.database.DSN(), WriteConnections: 2, ReadConnections: 1, RequireDurability: require_,
					ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
					ReportDurability: func(found []postgres.Weakness) {
						mu.Lock()
						defer mu.Unlock()

						reported = found
					},
				})
				require.NoError(t, err)
				t.Cleanup(db.Close)
				return newCollectorWithBudget(t, newStore(db, keepAll()), 5*time.Second)
			}
			reporting, requiring := open(false), open(true)
			one := func() *ingest.Request { return request(shop, envelope(uuid.New(), time.Now().Add(-time.Hour))) }
			submit(t, reporting, one())
			submit(t, requiring, one())
			require.Empty(t, reported)

			a.set(t, unsafe.setting, unsafe.value)
			a.set(t, "synchronous_standby_names", unsafe.standbys)
			require.Equal(t, []ingest.Status{ingest.Stored}, statuses(submit(t, reporting, one())))
			mu.Lock()
			require.Len(t, reported, 1)
			require.Equal(t, unsafe.setting, reported[0].Setting)
			mu.Unlock()
			_, err := requiring.Submit(context.Background(), one())
			require.True(t, fault.Is(err, fault.CodeUnavailable), "%v", err)
			require.ErrorContains(t, err, "nothing was stored")
			require.NotContains(t, err.Error(), "SQLSTATE")
			require.Equal(t, 3, a.events(t))

			a.findStandby(t)
			a.set(t, unsafe.setting, "on")
			require.Equal(t, []ingest.Status{ingest.Stored}, statuses(submit(t, requiring, one())))
		})
	}
}
