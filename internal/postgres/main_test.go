package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate)) }

// bundle is the inside of a service on a database of its own.
type bundle struct {
	database *pgtest.Database
	db       *postgres.DB
	store    *postgres.EventStore
}

func openDB(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), postgres.Config{
		URL: url, WriteConnections: 6, ReadConnections: 4,
		ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

func newBundle(t testing.TB) *bundle {
	t.Helper()
	return newBundleOn(t, pgtest.New(t))
}

func newBundleOn(t testing.TB, database *pgtest.Database) *bundle {
	t.Helper()
	db := openDB(t, database.DSN())
	_, err := database.Pool(t).Exec(context.Background(), "insert into application (name) values ('shop'), ('blog')")
	require.NoError(t, err)
	return &bundle{database: database, db: db, store: newStore(db, keepAll())}
}

func keepAll() postgres.RejectionBounds {
	return postgres.RejectionBounds{Rows: 10_000, Bytes: 64 << 20, RawBytes: 64 << 10}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// The applications that newBundle creates.
const (
	shop event.ApplicationID = 1
	blog event.ApplicationID = 2
)

// collector starts a group commit on a store; several collectors stand for several replicas.
func collector(t testing.TB, store ingest.Store, lanes int) *ingest.Collector {
	t.Helper()
	return collectorWithin(t, store, lanes, 5*time.Second)
}

// collectorWithin is collector with another budget, for tests that need every request stored
// however slow the machine is.
func collectorWithin(t testing.TB, store ingest.Store, lanes int, budget time.Duration) *ingest.Collector {
	t.Helper()
	c := ingest.New(ingest.Config{
		Budget: budget, GroupEvents: 5000, GroupBytes: 16 << 20,
		QueueEvents: 50_000, QueueBytes: 128 << 20, Lanes: lanes,
	}, ingest.Deps{Store: store, Logger: zap.NewNop(), NewID: newID, Now: time.Now})
	c.Start(t.Context())
	t.Cleanup(func() { c.Stop(context.Background()) })
	return c
}

// envelope is an event as the decoder returns it.
func envelope(session uuid.UUID, at time.Time) event.Envelope {
	const all = event.FieldID | event.FieldSessionID | event.FieldCategory | event.FieldName | event.FieldData | event.FieldTimestamp
	return event.Envelope{
		Raw: []byte(`{"as":"sent"}`), Known: all,
		Event: event.Event{
			ID: newID(), SessionID: session, Category: "page", Name: "view",
			Data: []byte(`{"url":"/"}`), Timestamp: at.UTC().Truncate(time.Microsecond),
		},
	}
}

func request(application event.ApplicationID, envelopes ...event.Envelope) *ingest.Request {
	return &ingest.Request{
		ID: "test", Application: application, ReceivedAt: time.Now().UTC().Truncate(time.Microsecond), Envelopes: envelopes,
	}
}

func submit(t testing.TB, c *ingest.Collector, r *ingest.Request) []ingest.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	verdicts, err := c.Submit(ctx, r)
	require.NoError(t, err)
	return verdicts
}

func newStore(db *postgres.DB, keep postgres.RejectionBounds) *postgres.EventStore {
	return postgres.NewEventStore(keep, postgres.EventStoreDeps{DB: db, NewID: newID, Now: time.Now})
}
