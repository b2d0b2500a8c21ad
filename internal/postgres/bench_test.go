package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/limits"
	"github.com/the-eye-events/the-eye/internal/pgtest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// newDurableBundle is a bundle on a durable server of its own.
func newDurableBundle(b *testing.B) *bundle {
	b.Helper()
	database := pgtest.NewDedicated(b, pgtest.WithSetting("shared_buffers", "256MB"), pgtest.WithSetting("max_wal_size", "4GB"))
	db := openDB(b, database.DSN())
	_, err := database.Pool(b).Exec(context.Background(), "insert into application (name) values ('shop')")
	require.NoError(b, err)
	return &bundle{database: database, db: db, store: newStore(db, keepAll())}
}

// BenchmarkCommit is one transaction after the other, on one connection to a durable
// Postgres. An operation is a group. Duplicates are groups that are sent again
// whole, by the careful path.
func BenchmarkCommit(b *testing.B) {
	inside := newDurableBundle(b)
	for _, kind := range []string{"new", "duplicates", "one session"} {
		for _, events := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/events=%d", kind, events), func(b *testing.B) {
				benchCommit(b, inside, kind, events)
			})
		}
	}
}

func benchCommit(b *testing.B, inside *bundle, kind string, events int) {
	b.Helper()
	ctx, want := context.Background(), ingest.Stored
	// The careful path is taken for a while after a duplicate; another store forgets that.
	store := newStore(inside.db, keepAll())
	groups := make([]*ingest.Group, b.N)
	for i := range groups {
		groups[i] = newGroup(events, kind == "one session")
	}
	if kind == "duplicates" {
		want = ingest.Duplicate
		first := groups[0]
		require.NoError(b, store.Commit(ctx, first))
		require.NoError(b, store.Commit(ctx, first)) // the attempt that finds out about it
		for i := range groups {
			groups[i] = first
		}
	}
	_, err := inside.database.Pool(b).Exec(ctx, "checkpoint")
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for _, group := range groups {
		if err := store.Commit(ctx, group); err != nil || group.Items[events-1].Verdict.Status != want {
			b.Fatal(err, group.Items[events-1].Verdict)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}

// newGroup makes a request of events, in sessions of ten or in a single one.
func newGroup(events int, oneSession bool) *ingest.Group {
	r, verdicts, session := request(shop), make([]ingest.Verdict, events), uuid.New()
	r.Envelopes = make([]event.Envelope, events)
	group := &ingest.Group{Items: make([]ingest.Item, events)}
	for i := range events {
		if i%10 == 0 && !oneSession {
			session = uuid.New()
		}
		r.Envelopes[i] = envelope(session, r.ReceivedAt)
		group.Items[i] = ingest.Item{Request: r, Envelope: &r.Envelopes[i], Verdict: &verdicts[i]}
	}
	return group
}

// BenchmarkQuery is each query of package query, on a data set of 200,000 events in
// 30 days (20,000 with -short) that fits into memory. internal/limits asks the same of
// 10 million over HTTP.
func BenchmarkQuery(b *testing.B) {
	ctx, inside, events := context.Background(), newDurableBundle(b), 200_000
	if testing.Short() {
		events = 20_000
	}
	pool := inside.database.Pool(b)
	end := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	_, err := limits.FillDatabase(ctx, pool, limits.DatasetConfig{Events: events, End: end})
	require.NoError(b, err)
	var typical, long, id uuid.UUID
	require.NoError(b, pool.QueryRow(ctx, "select session_id from session where event_count = 20 limit 1").Scan(&typical))
	require.NoError(b, pool.QueryRow(ctx, "select session_id from session where event_count >= 1000 limit 1").Scan(&long))
	require.NoError(b, pool.QueryRow(ctx, "select event_id from event limit 1").Scan(&id))
	store := postgres.NewQueryStore(inside.db)
	filter := query.EventFilter{From: end.AddDate(0, 0, -10), To: end.AddDate(0, 0, -3), Descending: true}
	ofCategory, ofName := filter, filter
	ofCategory.Category, ofName.Category, ofName.Name = "category-02", "category-02", "name-1"
	bySession := func(id uuid.UUID) query.EventFilter {
		return query.EventFilter{SessionID: uuid.NullUUID{UUID: id, Valid: true}}
	}
	for name, filter := range map[string]query.EventFilter{
		"timeline": bySession(typical), "timeline of 1000": bySession(long),
		"category": ofCategory, "category and name": ofName, "time range": filter,
	} {
		b.Run(name, func(b *testing.B) { benchPage(b, store, filter, nil) })
	}
	b.Run("next page", func(b *testing.B) {
		benchPage(b, store, ofCategory, &query.Position{At: end.AddDate(0, 0, -5), Sequence: 1, ID: id})
	})
	b.Run("by id", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Event(ctx, id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sessions", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := store.Sessions(ctx, query.SessionFilter{To: end.AddDate(0, 0, -3)}, nil, query.DefaultLimit, func(event.Session) bool { return true }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchPage reads the first page of a filter, or the one behind a position.
func benchPage(b *testing.B, store *postgres.QueryStore, filter query.EventFilter, after *query.Position) {
	b.Helper()
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		rows = 0
		err := store.Events(context.Background(), filter, after, query.DefaultLimit, func(event.Stored) bool {
			rows++
			return true
		})
		if err != nil || rows == 0 {
			b.Fatal(err, rows)
		}
	}
	b.ReportMetric(float64(rows), "rows")
}
