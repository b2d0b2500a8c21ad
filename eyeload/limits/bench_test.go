package limits_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/limits"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// BenchmarkQuery measures each query of package query, on a data set of 200,000 events in 30
// days (20,000 with -short) that fits into memory. Run measures the same queries over HTTP
// on 10 million events.
func BenchmarkQuery(b *testing.B) {
	ctx := context.Background()
	events := 200_000
	if testing.Short() {
		events = 20_000
	}

	database := pgtest.NewDedicated(b, pgtest.WithSetting("shared_buffers", "256MB"), pgtest.WithSetting("max_wal_size", "4GB"))
	pool := database.Pool(b)
	end := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	_, err := limits.FillDatabase(ctx, pool, limits.DatasetConfig{Events: events, End: end})
	require.NoError(b, err)
	var typical, long, id uuid.UUID
	require.NoError(b, pool.QueryRow(ctx, "select session_id from session where event_count = 20 limit 1").Scan(&typical))
	require.NoError(b, pool.QueryRow(ctx, "select session_id from session where event_count >= 1000 limit 1").Scan(&long))
	require.NoError(b, pool.QueryRow(ctx, "select event_id from event limit 1").Scan(&id))
	db, err := postgres.Open(ctx, postgres.Config{
		URL:              database.DSN(),
		WriteConnections: 6,
		ReadConnections:  4,
		ConnectTimeout:   3 * time.Second,
		WriteTimeout:     5 * time.Second,
		ReadTimeout:      5 * time.Second,
	})

	require.NoError(b, err)
	b.Cleanup(db.Close)
	store := postgres.NewQueryStore(db)
	filter := query.EventFilter{From: end.AddDate(0, 0, -10), To: end.AddDate(0, 0, -3), Descending: true}
	ofCategory, ofName := filter, filter
	ofCategory.Category = "category-02"
	ofName.Category = "category-02"
	ofName.Name = "name-1"
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

// benchPage reads the first page of a filter, or the one after a position.
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
