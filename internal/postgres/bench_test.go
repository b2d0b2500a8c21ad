package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
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

// BenchmarkCommit commits one transaction after the other on one connection to a durable
// Postgres. An operation is a group. Duplicates are complete groups that are sent again, on the
// careful path.
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
	// After a duplicate the store stays on the careful path for a while; a new store does not.
	store := newStore(inside.db, keepAll())
	groups := make([]*ingest.Group, b.N)
	for i := range groups {
		groups[i] = newGroup(events, kind == "one session")
	}

	if kind == "duplicates" {
		want = ingest.Duplicate
		first := groups[0]
		require.NoError(b, store.Commit(ctx, first))
		require.NoError(b, store.Commit(ctx, first)) // the attempt that finds the duplicates
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
	r := request(shop)
	verdicts := make([]ingest.Verdict, events)
	session := uuid.New()
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
