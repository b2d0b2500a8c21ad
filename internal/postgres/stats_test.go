package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

func counts(t testing.TB, s *postgres.QueryStore, f query.StatsFilter) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	require.NoError(t, s.CountEvents(context.Background(), f, query.MaxBuckets, func(b query.Bucket) bool {
		key := fmt.Sprintf("%s %q", b.Start.Format(time.RFC3339), b.Group)
		require.NotContains(t, found, key)
		found[key] = b.Count
		return true
	}))
	return found
}

// plainSQL selects the events that are counted.
const plainSQL = `
select e.category, e.name, a.name, e."timestamp", e.session_id from event e join application a using (application_id)
where ($1 = '' or category = $1) and ($2 = '' or e.name = $2) and ($3 = '' or a.name = $3)
and (not $4 or session_id = $5) and "timestamp" >= $6 and "timestamp" < $7`

// Counts are equal to those of a plain statement, on either path.
func TestCountsEqualSQL(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	at := firstOf(0).Add(-3 * time.Hour) // two partitions
	session := uuid.New()
	for i := range 300 {
		e := envelope(session, at.Add(time.Duration(i*i%21_600)*time.Second))
		if i%3 > 0 {
			e = envelope(uuid.New(), e.Event.Timestamp)
		}

		e.Event.Category, e.Event.Name = []string{"page", "a'b", "ü"}[i%3], []string{"view", "click"}[i%2]
		submit(t, c, request([]event.ApplicationID{shop, blog}[i%5/3], e))
	}

	s := postgres.NewQueryStore(b.db)
	pool := b.database.Pool(t)
	from, to := at.Add(30*time.Minute), at.Add(5*time.Hour+time.Minute)
	for _, by := range [][]string{nil, {"category"}, {"application", "name"}, {"name", "category", "application"}} {
		for _, interval := range []query.Interval{0, query.Minute, query.Hour, query.Day} {
			for _, f := range []query.StatsFilter{
				{},
				{From: from},
				{From: from, To: to},
				{Category: "page", From: from, To: to},
				{Application: "blog", Name: "view"},
				{Category: "a'b", Name: "click", Application: "shop", From: from, To: to},
				{SessionID: uuid.NullUUID{UUID: session, Valid: true}},
				{SessionID: uuid.NullUUID{UUID: session, Valid: true}, From: from, To: to},
			} {
				f.By, f.Interval = by, interval
				rows, err := pool.Query(context.Background(), plainSQL, //nolint:rowserrcheck // ForEachRow returns it
					f.Category, f.Name, f.Application, f.SessionID.Valid, f.SessionID.UUID, f.From, orFarAway(f.To))
				require.NoError(t, err)
				want := map[string]int64{}
				var category, name, application string
				var when time.Time
				var id uuid.UUID
				_, err = pgx.ForEachRow(rows, []any{&category, &name, &application, &when, &id}, func() error {
					var group []string
					for _, dimension := range by {
						group = append(group, map[string]string{"category": category, "name": name, "application": application}[dimension])
					}

					start := time.Time{}
					if interval != 0 {
						start = when.UTC().Truncate(time.Duration(interval))
					}

					want[fmt.Sprintf("%s %q", start.Format(time.RFC3339), group)]++
					return nil
				})
				require.NoError(t, err)
				if len(by) == 0 && interval == 0 && len(want) == 0 {
					want[`0001-01-01T00:00:00Z []`] = 0
				}

				require.Equal(t, want, counts(t, s, f), "%+v", f)
			}
		}
	}
}

func orFarAway(at time.Time) time.Time {
	if at.IsZero() {
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}

	return at
}

// Counts are of one moment: while events move from one bucket to another, none is missed and
// none is counted twice.
func TestCountsWhileEventsMove(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	from := firstOf(0).Add(-2 * time.Hour)
	var ids []uuid.UUID
	for range 20 {
		e := envelope(uuid.New(), from)
		ids = append(ids, e.Event.ID)
		submit(t, c, request(shop, e))
	}

	editor := postgres.NewAmendStore(b.db)
	s := postgres.NewQueryStore(b.db)
	var movers sync.WaitGroup
	for w := range 2 {
		movers.Go(func() {
			for i := range 40 {
				_, err := editor.EditEvent(context.Background(), ids[(2*i+w)%len(ids)], func(e event.Stored) (event.Envelope, error) {
					e.Timestamp = from.Add(time.Duration(i%4) * time.Hour)
					return event.Envelope{Event: e.Event}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}

	done := make(chan struct{})
	go func() {
		movers.Wait()
		close(done)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}

		for _, f := range []query.StatsFilter{
			{Grouping: query.Grouping{Interval: query.Hour}},
			{Grouping: query.Grouping{Interval: query.Hour}, From: from, To: from.Add(4 * time.Hour)},
		} {
			var sum int64
			for _, n := range counts(t, s, f) {
				sum += n
			}

			require.EqualValues(t, len(ids), sum)
		}
	}
}
