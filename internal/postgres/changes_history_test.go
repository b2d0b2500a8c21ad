package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// promoted answers like a standby that was promoted: it has another history.
type promoted struct {
	query.ChangeStore
	timeline int64
	// reads counts down the reads of the history until it changes.
	reads int
}

func (p *promoted) history(h query.History) query.History {
	if p.reads--; p.reads < 0 {
		h.Timeline = p.timeline
		h.Started = h.Started.Add(time.Hour)
	}

	return h
}

func (p *promoted) Watermark(ctx context.Context) (query.Watermark, error) {
	mark, err := p.ChangeStore.Watermark(ctx)
	mark.History = p.history(mark.History)
	return mark, err
}

func (p *promoted) History(ctx context.Context) (query.History, error) {
	h, err := p.ChangeStore.History(ctx)
	return p.history(h), err
}

// promote makes the follower read from a standby that was promoted.
func (f *follower) promote(b *bundle) {
	f.finder = &query.Finder{ChangeStore: &promoted{ChangeStore: postgres.NewQueryStore(b.db), timeline: 2}}
}

// store stores events, each in a transaction of its own.
func store(t testing.TB, c *ingest.Collector, n int) (ids []uuid.UUID) {
	t.Helper()
	for range n {
		e := envelope(uuid.New(), firstOf(0))
		ids = append(ids, e.Event.ID)
		submit(t, c, request(shop, e))
	}

	return ids
}

// The promoted standby lacks the last events that a follower read, and reuses the numbers of
// their transactions: the follower misses none of the new events, is informed, and reads only a
// part again.
func TestChangesAfterAFailoverThatLostSome(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"small pages": 7, "one page": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			c := collector(t, b.store, 1)
			f := newFollower(b, limit)
			kept := store(t, c, 100)
			f.drain(t, b)
			lost := store(t, c, 60)
			f.drain(t, b)
			require.Len(t, f.seen, 160)

			pool := b.database.Pool(t)
			var from int64
			require.NoError(t, pool.QueryRow(t.Context(), "select min(transaction_id) from event where event_id = any($1)", lost).Scan(&from))
			_, err := pool.Exec(t.Context(), "delete from event where event_id = any($1)", lost)
			require.NoError(t, err)
			stored := store(t, c, 80)
			_, err = pool.Exec(t.Context(), `update event e set transaction_id = $2 + array_position($1::uuid[], e.event_id) - 1 where e.event_id = any($1)`, stored, from)
			require.NoError(t, err)
			f.promote(b)
			again := idsOf(f.drain(t, b))
			for _, id := range stored {
				require.Contains(t, again, id, "none is skipped")
			}

			require.Contains(t, f.restarted, "timeline 1 became 2")
			require.Contains(t, f.restarted, "from the last change that both have")
			require.Less(t, len(again), len(kept)+len(stored), "only a part is read again")
			f.restarted = ""
			require.Empty(t, f.read(t))
			require.Empty(t, f.restarted, "the restart is reported once")
			more := store(t, c, 3)
			require.Equal(t, more, idsOf(f.drain(t, b)))
		})
	}
}

// A failover that lost nothing goes unnoticed.
func TestChangesAfterAFailoverThatLostNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	f := newFollower(b, 3)
	store(t, c, 10)
	f.drain(t, b)
	f.promote(b)
	stored := store(t, c, 2)
	require.Equal(t, stored, idsOf(f.drain(t, b)))
	require.Empty(t, f.restarted)
}

// An event that was edited or erased since cannot show whether the history is the same: then
// some events are read again, and none is left out.
func TestChangesAfterAFailoverWhenTheLastEventsWereErased(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	f := newFollower(b, 1)
	ids := store(t, c, 10)
	f.drain(t, b)
	editor := postgres.NewAmendStore(b.db)
	for _, id := range ids[8:] {
		require.NoError(t, editor.EraseEvent(t.Context(), id, func(event.Stored) error { return nil }))
	}

	require.Empty(t, f.drain(t, b))
	require.Empty(t, f.restarted, "within one history an erasure is not a loss")
	f.promote(b)
	stored := store(t, c, 1)
	again := idsOf(f.drain(t, b))
	require.Subset(t, ids[:8], again[:len(again)-1])
	require.Equal(t, stored[0], again[len(again)-1])
	require.NotEmpty(t, f.restarted)
}

// A cursor that is ahead of the server's numbers on the same timeline shows that an older disk
// was restored.
func TestChangesOfADiskThatWasPutBack(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	f := newFollower(b, 10)
	store(t, c, 1)
	f.drain(t, b)
	_, err := b.database.Pool(t).Exec(t.Context(), "delete from event")
	require.NoError(t, err)
	now := f.finder
	f.finder = &query.Finder{ChangeStore: backwards{now.ChangeStore}}
	require.Empty(t, f.read(t))
	require.Contains(t, f.restarted, "restarted without")
	require.Contains(t, f.restarted, "from the first")
	f.finder = now
	ids := store(t, c, 1)
	require.Equal(t, ids, idsOf(f.drain(t, b)))
}

// backwards returns the first transaction of all as the next one.
type backwards struct{ query.ChangeStore }

func (b backwards) Watermark(ctx context.Context) (query.Watermark, error) {
	mark, err := b.ChangeStore.Watermark(ctx)
	mark.Next, mark.Before, mark.First = 3, 3, 3
	return mark, err
}

// A page that was read during a failover is not returned: its events may be of one history, and
// the watermark of the other.
func TestAFailoverWhileChangesAreRead(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	store(t, c, 5)
	newFollower(b, 10).drain(t, b)
	pages := 0
	finder := &query.Finder{ChangeStore: &promoted{ChangeStore: postgres.NewQueryStore(b.db), timeline: 2, reads: 3}}
	err := finder.ChangePages(t.Context(), query.ChangeFilter{}, "", 1, func(query.ChangePage) (bool, error) {
		pages++
		return true, nil
	})
	found, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Unavailable, found.Kind)
	require.Equal(t, 2, pages, "the third page was read when the history changed")
}
