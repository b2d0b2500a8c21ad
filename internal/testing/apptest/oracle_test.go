package apptest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// storeEvents sends a few events to a service and records the verdicts.
func storeEvents(t *testing.T, s *apptest.Service) (*apptest.Oracle, []event.Event) {
	t.Helper()
	oracle, session := apptest.NewOracle(), uuid.New()
	events := make([]event.Event, 3)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.New(), SessionID: session, Category: "page", Name: "view", Data: []byte(`{"a":[1,2]}`),
			Timestamp: time.Now().UTC().Truncate(time.Microsecond),
		}
		oracle.RecordSending(events[i])
		answer := s.Do(t, http.MethodPost, "/v1/events", string(apptest.RenderEvent(events[i])))
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		oracle.RecordVerdict(events[i], ingest.Stored, int64(i+1))
	}

	return oracle, events
}

// An oracle that never finds a violation proves nothing.
func TestOracleFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	pool := service.Database.Pool(t)
	for _, c := range []struct {
		name, statement string
		about           func(o *apptest.Oracle, events []event.Event)
	}{
		{name: "nothing", statement: "select"},
		{name: "a loss", statement: "delete from event where event_id = $1"},
		{name: "a loss that was not found", statement: "with gone as (delete from event where event_id = $1 returning event_id, session_id), k as (delete from event_key using gone where event_key.event_id = gone.event_id) update session set event_count = 2, last_sequence = 3, started_at = (select min(timestamp) from event e where e.session_id = session.session_id and e.event_id <> $1), last_event_at = (select max(timestamp) from event e where e.session_id = session.session_id and e.event_id <> $1) from gone where session.session_id = gone.session_id"},
		{name: "a copy", statement: "insert into event select event_id, session_id, 4, category, name, data, timestamp, received_at, application_id from event where event_id = $1"},
		{name: "another content", statement: `update event set data = '{"a":[2,1]}' where event_id = $1`},
		{name: "an invention", statement: "update event set event_id = gen_random_uuid() where event_id = $1"},
		{name: "a wrong count", statement: "update session set event_count = 2 from event where event.event_id = $1 and event.session_id = session.session_id"},
		{name: "a wrong span", statement: "update session set started_at = started_at - interval '1 s' from event where event.event_id = $1 and event.session_id = session.session_id"},
		{name: "an id that the ledger does not have", statement: "delete from event_key where event_id = $1"},
		{name: "another sequence", statement: "select", about: func(o *apptest.Oracle, events []event.Event) { o.RecordVerdict(events[0], ingest.Duplicate, 2) }},
		{name: "stored twice", statement: "select", about: func(o *apptest.Oracle, events []event.Event) { o.RecordVerdict(events[0], ingest.Stored, 1) }},
		{name: "a conflict with itself", statement: "select", about: func(o *apptest.Oracle, events []event.Event) { o.RecordVerdict(events[0], ingest.Conflict, 0) }},
	} {
		require.NoError(t, truncateTables(pool))
		oracle, events := storeEvents(t, service)
		arguments := []any{events[0].ID}
		if c.statement == "select" {
			arguments = nil
		}

		_, err := pool.Exec(context.Background(), c.statement, arguments...)
		require.NoError(t, err, c.name)
		if c.about != nil {
			c.about(oracle, events)
		}

		wrong, err := oracle.FindViolations(context.Background(), pool)
		require.NoError(t, err, c.name)
		require.Equal(t, c.name == "nothing", len(wrong) == 0, "%s: %q", c.name, wrong)
	}

	_, err := pool.Exec(context.Background(), "drop table event cascade")
	require.NoError(t, err)
	_, err = apptest.NewOracle().FindViolations(context.Background(), pool)
	require.Error(t, err, "a store that cannot be read")
}

func TestGapsAreFound(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	pool := service.Database.Pool(t)
	storeEvents(t, service)
	gaps, err := apptest.FindGaps(context.Background(), pool)
	require.NoError(t, err)
	require.Empty(t, gaps)

	_, err = pool.Exec(context.Background(), "update event set sequence = 4 where sequence = 2")
	require.NoError(t, err)
	gaps, err = apptest.FindGaps(context.Background(), pool)
	require.NoError(t, err)
	require.Len(t, gaps, 1)
}

func truncateTables(pool *pgxpool.Pool) error {
	_, err := pool.Exec(context.Background(), "truncate event, event_key, session")
	return err
}
