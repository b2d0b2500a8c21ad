package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/pathindex"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// newPooledBundle works as if behind a pooler in transaction mode: nothing is prepared, and
// types follow from the values.
func newPooledBundle(t *testing.T) *bundle {
	t.Helper()
	b := newBundle(t)
	var err error
	b.db, err = postgres.Open(context.Background(), pooledConfig(b.database))
	require.NoError(t, err)
	t.Cleanup(b.db.Close)
	b.store = newStore(b.db, keepAll())
	return b
}

func pooledConfig(database *pgtest.Database) postgres.Config {
	return postgres.Config{
		URL: database.DSN(), Pooled: true, WriteConnections: 6, ReadConnections: 4,
		ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	}
}

func TestPooledIngest(t *testing.T) {
	t.Parallel()
	b, oracle := newPooledBundle(t), apptest.NewOracle()
	c := collector(t, b.store, 2)
	session, other := uuid.New(), uuid.New()
	one, old := envelope(session, time.Now()), envelope(session, firstOf(-5))
	one.Event.Data = []byte(`{"text":"ä\\\"{,}","n":[1,2.5,null,{"deep":{}}]}`)
	one.Event.Category, one.Event.Name = `quotes " and , and {}`, "\\N"
	send(t, oracle, c, request(shop, one, old))
	another := one
	another.Event.Data = []byte(`{}`)
	rejected := event.Envelope{Raw: []byte("\x00\xff{"), Violations: []fault.Violation{{Pointer: "/a", Code: fault.CodeInvalidUTF8, Detail: `"it" is broken`}}}
	partly := envelope(session, time.Now())
	partly.Known &^= event.FieldData | event.FieldID
	partly.Violations = []fault.Violation{{Pointer: "/data", Code: fault.CodeInvalidType, Detail: "no object"}}

	verdicts := send(t, oracle, c, request(blog, one, another, envelope(other, time.Now()), rejected, partly))
	require.Equal(t, []ingest.Status{ingest.Duplicate, ingest.Conflict, ingest.Stored, ingest.Rejected, ingest.Rejected}, statuses(verdicts))
	atomic := request(shop, envelope(session, time.Now()), another)
	atomic.Atomic = true
	require.Equal(t, []ingest.Status{ingest.NotStored, ingest.Conflict}, statuses(send(t, oracle, c, atomic)))
	checked, err := c.DryRun(context.Background(), request(shop, one, another, envelope(other, time.Now())))
	require.NoError(t, err)
	require.Equal(t, []ingest.Status{ingest.Duplicate, ingest.Conflict, ingest.Valid}, statuses(checked))
	requireConsistent(t, b, oracle)
	requireGapless(t, b)

	var found []query.Rejection
	reads := postgres.NewQueryStore(b.db)
	require.NoError(t, reads.Rejections(context.Background(), query.RejectionFilter{Code: string(fault.CodeInvalidUTF8), Application: "blog"}, nil, 10, func(r query.Rejection) bool {
		found = append(found, r)
		return true
	}))
	require.Len(t, found, 1)
	require.Equal(t, rejected.Raw, found[0].Raw)
	kept, err := reads.Rejection(context.Background(), verdicts[4].ErrorID)
	require.NoError(t, err)
	require.Equal(t, partly.Violations, kept.Violations)
	require.Nil(t, kept.EventID)
	require.Equal(t, session, *kept.SessionID)
	require.Equal(t, 4, count(t, b, "rejection"))
}

func TestPooledQueriesAndEdits(t *testing.T) {
	t.Parallel()
	b := newPooledBundle(t)
	c, reads, amends := collector(t, b.store, 1), postgres.NewQueryStore(b.db), postgres.NewAmendStore(b.db)
	session, to := uuid.New(), uuid.New()
	first, second := envelope(session, firstOf(-1)), envelope(session, firstOf(0))
	submit(t, c, request(shop, first, second))
	list := func(f query.EventFilter, after *query.Position) (ids []uuid.UUID) {
		require.NoError(t, reads.Events(context.Background(), f, after, 10, func(e event.Stored) bool {
			ids = append(ids, e.ID)
			return true
		}))
		return ids
	}
	every := query.EventFilter{
		SessionID: uuid.NullUUID{UUID: session, Valid: true}, Category: "page", Name: "view", Application: "shop",
		From: firstOf(-2), To: firstOf(1), Descending: true,
	}
	require.Equal(t, []uuid.UUID{second.Event.ID, first.Event.ID}, list(every, nil))
	require.Equal(t, []uuid.UUID{first.Event.ID}, list(every, &query.Position{At: firstOf(0), Sequence: 2, ID: second.Event.ID}))

	edited, err := amends.EditEvent(context.Background(), first.Event.ID, func(current event.Stored) (event.Envelope, error) {
		current.SessionID, current.Data, current.Timestamp = to, []byte(`{"edited":true}`), firstOf(-7)
		return event.Envelope{Event: current.Event}, nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(1), edited.Sequence)
	read, err := reads.Event(context.Background(), first.Event.ID)
	require.NoError(t, err)
	require.Equal(t, edited.Digest(), read.Digest())
	require.Equal(t, ingest.Duplicate, submit(t, c, request(shop, first))[0].Status, "a late retry of the original event")
	moved, err := reads.Session(context.Background(), to)
	require.NoError(t, err)
	require.Equal(t, []string{"shop"}, moved.Applications)
	require.NoError(t, reads.Sessions(context.Background(), query.SessionFilter{Application: "shop", From: firstOf(-8), To: firstOf(1)}, nil, 10, func(event.Session) bool { return true }))

	require.NoError(t, amends.EraseEvent(context.Background(), second.Event.ID, func(event.Stored) error { return nil }))
	require.Equal(t, int64(1), eraseSession(t, b.db, to).Events)
	require.Equal(t, fault.CodeSessionErased, submit(t, c, request(shop, envelope(to, firstOf(0))))[0].Violations[0].Code)

	retention := postgres.NewRetentionStore(b.db)
	require.NoError(t, retention.CreatePartitions(context.Background(), firstOf(0), firstOf(2)))
	submit(t, c, request(shop, envelope(uuid.New(), firstOf(-6))))
	n, err := retention.ExpireEvents(context.Background(), firstOf(-4))
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	_, err = retention.ExpireRejections(context.Background(), firstOf(-4))
	require.NoError(t, err)
	require.NoError(t, retention.PruneErasures(context.Background(), firstOf(-4)))
	contradictions, err := apptest.FindContradictions(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
}

func TestPooledAccess(t *testing.T) {
	t.Parallel()
	b := newPooledBundle(t)
	require.NoError(t, b.db.CheckSchema(context.Background()))
	_, err := b.db.ReadWeaknesses(context.Background())
	require.NoError(t, err)
	store := postgres.NewAccessStore(b.db)
	registry := access.NewRegistry(access.RegistryDeps{Applications: store, Keys: store, Rand: notRandom{}, Now: time.Now})
	rate := 7
	_, err = registry.CreateApplication(context.Background(), access.ApplicationSpec{
		Name: "pooled", RateLimit: &rate, AllowedOrigins: []string{"https://www.example.com"},
	})
	require.NoError(t, err)
	until := time.Now().Add(time.Hour)
	key, err := registry.CreateKey(context.Background(), "pooled", access.KeySpec{
		Scopes: []access.Scope{access.ScopeRead, access.ScopeIngest}, OrganisationWide: true, Description: "a, {b}", ExpiresAt: &until,
	})
	require.NoError(t, err)
	cache := access.NewCache(access.Config{Refresh: time.Second}, access.Deps{Store: store, Logger: zap.NewNop(), Now: time.Now})
	require.NoError(t, cache.Refresh(context.Background()))
	caller, err := cache.Authenticate(key.Text)
	require.NoError(t, err)
	require.True(t, caller.HasScope(access.ScopeRead))
	require.NoError(t, registry.RevokeKey(context.Background(), "pooled", key.ID))
	_, err = registry.UpdateApplication(context.Background(), "pooled", access.ApplicationPatch{Disabled: access.Some(true)})
	require.NoError(t, err)
	keys, err := registry.ListKeys(context.Background(), "pooled")
	require.NoError(t, err)
	require.NotNil(t, keys[0].RevokedAt)
}

// notRandom is a source of keys that no other test uses.
type notRandom struct{}

func (notRandom) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i)
	}

	return len(b), nil
}

// Counts, changes and filters by payload do not depend on the state of a database session.
func TestPooledAnalysis(t *testing.T) {
	t.Parallel()
	b := newPooledBundle(t)
	c := collector(t, b.store, 1)
	at := firstOf(0)
	one, two := envelope(uuid.New(), at), envelope(uuid.New(), at.Add(time.Hour))
	one.Event.Data = []byte(`{"a":{"b.c":[7]}}`)
	submit(t, c, request(shop, one, two))
	s := postgres.NewQueryStore(b.db)
	for _, f := range []query.StatsFilter{
		{Grouping: query.Grouping{By: []string{"category", "name", "application"}, Interval: query.Hour}},
		{Grouping: query.Grouping{Interval: query.Hour}, Category: "page", Name: "view", Application: "shop", From: at, To: at.Add(2 * time.Hour)},
	} {
		require.Len(t, counts(t, s, f), 2)
	}

	require.Empty(t, counts(t, s, query.StatsFilter{Grouping: query.Grouping{Interval: query.Hour}, From: at, To: at}))
	f := newFollower(b, 1)
	require.Len(t, f.drain(t, b), 2)

	path := pathindex.Path{Category: "page", Name: "view", Steps: []string{"a", "b.c", "0"}}
	_, err := postgres.NewPathIndexStore(b.db).ReconcileIndexes(context.Background(), []pathindex.Path{path})
	require.NoError(t, err)
	require.NotContains(t, pathIndexes(t, b), false)
	finder := &query.Finder{EventStore: s, PathStore: s}
	filter := query.EventFilter{Category: "page", Name: "view", Data: []query.DataFilter{{Path: path.Steps, Value: "7"}}}
	require.NoError(t, finder.AdmitFilter(context.Background(), &filter))
	require.True(t, filter.Data[0].IsIndexed())
	page, err := finder.EventPage(context.Background(), filter, "", 10)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{one.Event.ID}, idsOf(page.Items))
}
