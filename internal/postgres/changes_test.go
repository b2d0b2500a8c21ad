package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// follower reads changes like an exporter, and keeps its cursor.
type follower struct {
	finder *query.Finder
	filter query.ChangeFilter
	cursor string
	limit  int
	until  time.Time
	seen   []event.Stored
	// restarted is the last message about events that are returned again.
	restarted string
}

func newFollower(b *bundle, limit int) *follower {
	return &follower{finder: &query.Finder{ChangeStore: postgres.NewQueryStore(b.db)}, limit: limit}
}

// read reads up to the watermark and returns the new events.
func (f *follower) read(t testing.TB) []event.Stored {
	t.Helper()
	before := len(f.seen)
	require.NoError(t, f.finder.ChangePages(context.Background(), f.filter, f.cursor, f.limit, func(p query.ChangePage) (bool, error) {
		require.LessOrEqual(t, len(p.Events), f.limit)
		f.seen = append(f.seen, p.Events...)
		f.cursor, f.until = p.Next, p.CompleteUntil
		f.restarted = cmp.Or(p.Restarted, f.restarted)
		return true, nil
	}))
	return f.seen[before:]
}

// drain reads until everything that was committed before is read, because transactions of other
// tests on the same server hold the watermark back. It returns the new events.
func (f *follower) drain(t testing.TB, b *bundle) []event.Stored {
	t.Helper()
	before := len(f.seen)
	var last int64
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), "select pg_current_xact_id()::text::bigint").Scan(&last))
	for {
		mark, err := f.finder.Watermark(context.Background())
		require.NoError(t, err)
		f.read(t)
		if mark.Before > last {
			return f.seen[before:]
		}
	}
}

func idsOf(events []event.Stored) []uuid.UUID {
	ids := []uuid.UUID{}
	for i := range events {
		ids = append(ids, events[i].ID)
	}

	return ids
}

// insertSQL stores an event as a transaction of another client would.
const insertSQL = `insert into event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id)
	values ($1, $2, 1, 'page', 'slow', '{}', $3, $3, 1)`

// A transaction that commits late is never skipped, and none is read twice.
func TestALateCommitIsNotSkipped(t *testing.T) {
	t.Parallel()
	b := newBundleOn(t, pgtest.NewDedicated(t))
	c := collector(t, b.store, 1)
	f := newFollower(b, 2)
	require.Empty(t, f.read(t))
	require.NotEmpty(t, f.cursor, "there is a cursor to continue from")
	first := envelope(uuid.New(), firstOf(0))
	submit(t, c, request(shop, first))
	require.Equal(t, []uuid.UUID{first.Event.ID}, idsOf(f.drain(t, b)))

	pool := b.database.Pool(t)
	var started time.Time
	require.NoError(t, pool.QueryRow(context.Background(), "select clock_timestamp()").Scan(&started))
	slow, err := pool.Begin(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { _ = slow.Rollback(context.Background()) }) // it was committed
	late := uuid.New()
	_, err = slow.Exec(context.Background(), insertSQL, late, uuid.New(), firstOf(0))
	require.NoError(t, err)
	var begun time.Time
	require.NoError(t, pool.QueryRow(context.Background(), "select clock_timestamp()").Scan(&begun))
	var meanwhile []uuid.UUID
	for range 5 {
		e := envelope(uuid.New(), firstOf(0).Add(-time.Minute))
		meanwhile = append(meanwhile, e.Event.ID)
		submit(t, c, request(shop, e))
		require.Empty(t, f.read(t), "nothing after a transaction that may still add events")
		require.False(t, f.until.IsZero())
		require.False(t, f.until.After(begun))
		require.True(t, f.until.After(started), "the changes are complete up to the beginning of the slow transaction")
	}

	until := f.until
	require.NoError(t, slow.Commit(context.Background()))
	found := idsOf(f.drain(t, b))
	require.Equal(t, late, found[0], "it came before the others")
	require.ElementsMatch(t, append(meanwhile, late), found)
	require.Empty(t, f.read(t))
	require.True(t, f.until.IsZero() || f.until.After(until))
}

// Sixteen writers and their slow transactions race against a reader: it sees each
// event exactly once.
func TestChangesWhileWritersRace(t *testing.T) {
	t.Parallel()
	const writers, rounds = 16, 15
	b := newBundle(t)
	c := collector(t, b.store, 4)
	submit(t, c, request(shop, envelope(uuid.New(), firstOf(0)))) // creates the partition
	pool := b.database.Pool(t)
	var mu sync.Mutex
	want := map[uuid.UUID]bool{}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range rounds {
				var ids []uuid.UUID
				if w%2 == 0 {
					session := uuid.New()
					r := request(shop, envelope(session, firstOf(0)), envelope(session, firstOf(0).Add(time.Duration(i)*time.Second)))
					for _, e := range r.Envelopes {
						ids = append(ids, e.Event.ID)
					}

					submit(t, c, r)
				} else {
					err := pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
						for range 3 {
							id := uuid.New()
							ids = append(ids, id)
							if _, err := tx.Exec(context.Background(), insertSQL, id, uuid.New(), firstOf(0)); err != nil {
								return err
							}

							if _, err := tx.Exec(context.Background(), "select pg_sleep(random() / 200)"); err != nil {
								return err
							}
						}

						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}

				mu.Lock()
				for _, id := range ids {
					want[id] = true
				}

				mu.Unlock()
			}
		})
	}

	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	f := newFollower(b, 3)
	for running := true; running; f.read(t) {
		select {
		case <-done:
			running = false
		default:
		}
	}

	f.drain(t, b)
	seen := map[uuid.UUID]int{}
	for _, id := range idsOf(f.seen) {
		seen[id]++
		require.Equal(t, 1, seen[id])
	}

	require.Len(t, seen, len(want)+1)
	for id := range want {
		require.Contains(t, seen, id)
	}
}

// An edited event comes again where the edit was committed, an erased one does not.
func TestChangesOfEditsAndErasures(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	var ids []uuid.UUID
	for range 4 {
		e := envelope(uuid.New(), firstOf(0))
		ids = append(ids, e.Event.ID)
		submit(t, c, request(shop, e))
	}

	f := newFollower(b, 100)
	require.Equal(t, ids, idsOf(f.drain(t, b)), "in the order of the commits")
	editor := postgres.NewAmendStore(b.db)
	_, err := editor.EditEvent(context.Background(), ids[0], func(e event.Stored) (event.Envelope, error) {
		e.Name, e.Timestamp = "edited", e.Timestamp.AddDate(0, -2, 0) // moves to another partition
		return event.Envelope{Event: e.Event}, nil
	})
	require.NoError(t, err)
	require.NoError(t, editor.EraseEvent(context.Background(), ids[1], func(event.Stored) error { return nil }))
	again := f.drain(t, b)
	require.Equal(t, ids[:1], idsOf(again))
	require.Equal(t, "edited", again[0].Name)
	require.Equal(t, []uuid.UUID{ids[2], ids[3], ids[0]}, idsOf(newFollower(b, 1).drain(t, b)), "a new follower reads the edited event once")
}

// Events that were stored before transactions were recorded come first, in the order of time,
// and pages may end within a transaction.
func TestChangesFromBeforeTransactionsWereNoted(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	send := func(n int) (ids []uuid.UUID) {
		var envelopes []event.Envelope
		session := uuid.New()
		for i := range n {
			e := envelope(session, firstOf(-1).Add(time.Duration(i/2)*time.Second))
			e.Event.Category = fmt.Sprint("c", i%3)
			ids = append(ids, e.Event.ID)
			envelopes = append(envelopes, e)
		}

		submit(t, c, request(shop, envelopes...))
		return ids
	}
	old := send(30)
	_, err := b.database.Pool(t).Exec(context.Background(), "update event set transaction_id = 0")
	require.NoError(t, err)
	recent := send(30)
	for _, limit := range []int{1, 7, 100} {
		f := newFollower(b, limit)
		found := idsOf(f.drain(t, b))
		require.Len(t, found, 60)
		require.ElementsMatch(t, old, found[:30])
		require.ElementsMatch(t, recent, found[30:])
		require.Empty(t, f.read(t))
		f = newFollower(b, limit)
		f.filter.Category = "c1"
		require.Len(t, f.drain(t, b), 20)
		f.filter.Category = "c2"
		err := f.finder.ChangePages(context.Background(), f.filter, f.cursor, 1, nil)
		require.ErrorContains(t, err, "other filters")
	}
}

// Transactions of another cluster look like those of this one: the reader gets an error, and no
// event is missed silently.
func TestChangesOfAnotherCluster(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	submit(t, c, request(shop, envelope(uuid.New(), firstOf(0))))
	f := newFollower(b, 10)
	f.read(t)
	elsewhere := &query.Finder{ChangeStore: otherCluster{f.finder.ChangeStore}}
	err := elsewhere.ChangePages(context.Background(), f.filter, f.cursor, 1, nil)
	found, ok := fault.As(err)
	require.True(t, ok)
	require.Equal(t, fault.CodeInvalidCursor, found.Code)
	require.Contains(t, found.Detail, "another database cluster")

	_, err = b.database.Pool(t).Exec(context.Background(), "update event set transaction_id = 1000000000000")
	require.NoError(t, err)
	err = f.finder.ChangePages(context.Background(), f.filter, "", 1, nil)
	found, ok = fault.As(err)
	require.True(t, ok)
	require.Equal(t, fault.Unavailable, found.Kind)
	// The remedy in docs/analytics.md.
	_, err = b.database.Pool(t).Exec(context.Background(), `
		update event set transaction_id = 0 where transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint`)
	require.NoError(t, err)
	require.Len(t, newFollower(b, 10).drain(t, b), 1)
}

type otherCluster struct{ query.ChangeStore }

func (o otherCluster) Watermark(ctx context.Context) (query.Watermark, error) {
	mark, err := o.ChangeStore.Watermark(ctx)
	mark.History.System++
	return mark, err
}

// A role that is not a superuser may read the watermark.
func TestWatermarkNeedsNoSuperuser(t *testing.T) {
	t.Parallel()
	pool := newBundle(t).database.Pool(t)
	require.NoError(t, pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), "set local role pg_read_all_data") // which may read tables, and no more
		require.NoError(t, err)
		var before, first, next, system, timeline int64
		var foreign bool
		var started time.Time
		var until *time.Time
		require.NoError(t, tx.QueryRow(context.Background(), postgres.WatermarkSQL).Scan(&before, &first, &foreign, &next, &system, &started, &timeline, &until))
		require.NotZero(t, system)
		require.NotZero(t, started)
		require.EqualValues(t, 1, timeline)
		require.False(t, foreign)
		return nil
	}))
}

// Changes are read by their index, in its order.
func TestChangesUseTheirIndex(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	for range 10 {
		var envelopes []event.Envelope
		for i := range 500 {
			envelopes = append(envelopes, envelope(uuid.New(), firstOf(-i%2)))
		}

		submit(t, c, request(shop, envelopes...))
	}

	pool := b.database.Pool(t)
	_, err := pool.Exec(context.Background(), "analyze event")
	require.NoError(t, err)
	newFollower(b, 1000).drain(t, b) // until no other test's transaction hides the stored events
	s := postgres.NewQueryStore(b.db)
	mark, err := s.Watermark(context.Background())
	require.NoError(t, err)
	plan := ""
	explaining := s.ExplainTo(func(found string) { plan = found })
	for _, after := range []query.ChangePosition{{Transaction: 1}, {Transaction: mark.First + 3}} {
		require.NoError(t, explaining.Changes(context.Background(), query.ChangeFilter{Category: "page"}, after, mark.Before, 101, nil))
		require.Contains(t, plan, "_transaction_id_idx", plan)
		require.NotContains(t, plan, "Seq Scan on event", plan)
		require.Contains(t, plan, "Presorted Key", plan)
	}

	require.NoError(t, explaining.EventsOf(context.Background(), mark.First, nil))
	require.Contains(t, plan, "_transaction_id_idx", plan)
	require.NotContains(t, plan, "Seq Scan on event", plan)
	_, err = explaining.Watermark(context.Background())
	require.NoError(t, err)
	require.NotContains(t, plan, "Seq Scan on event", plan)
	require.Equal(t, 2, strings.Count(plan, "Limit"), plan)
}
