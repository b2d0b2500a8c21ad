package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// A group holds requests that happened to arrive together. Each event and each rejection in it
// belongs to the application that sent it, wherever it stands in the group.
func TestGroupKeepsTheApplicationOfEachEvent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	requests := make([]*ingest.Request, 8)
	for i := range requests {
		rejected := event.Envelope{Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON, Detail: "broken"}}}
		requests[i] = request(shop+event.ApplicationID(i%2), envelope(session, noon), rejected, envelope(uuid.New(), noon))
	}

	answers := submitTogether(t, b.store, requests)

	owners := applicationsByRow(t, b, "select event_id, application_id from event")
	rejections := applicationsByRow(t, b, "select rejection_id, application_id from rejection")
	require.Len(t, owners, 2*len(requests))
	require.Len(t, rejections, len(requests))
	for i, r := range requests {
		for _, e := range r.Envelopes {
			if e.Accepted() {
				require.Equal(t, r.Application, owners[e.Event.ID], "request %d", i)
			}
		}

		require.Equal(t, r.Application, rejections[answers[i][1].ErrorID], "request %d", i)
	}
}

// applicationsByRow reads the application to which each row belongs.
func applicationsByRow(t *testing.T, b *bundle, statement string) map[uuid.UUID]event.ApplicationID {
	t.Helper()
	rows, err := b.database.Pool(t).Query(context.Background(), statement) //nolint:rowserrcheck // ForEachRow returns it
	require.NoError(t, err)
	found := map[uuid.UUID]event.ApplicationID{}
	var id uuid.UUID
	var application int32
	_, err = pgx.ForEachRow(rows, []any{&id, &application}, func() error {
		found[id] = event.ApplicationID(application)
		return nil
	})
	require.NoError(t, err)
	return found
}

// Each of many events is stored, is a duplicate when it is sent again, and is a recorded
// conflict when it is sent with other content: not one of twenty thousand is an exception.
func TestNoneOfManyEventsIsAnException(t *testing.T) {
	t.Parallel()
	const many, batch, conflicts = 20_000, 1000, 400
	b, oracle := newBundle(t), apptest.NewOracle()
	c := collector(t, b.store, 2)
	noon := time.Now().Add(-time.Hour).Truncate(time.Hour)
	all := make([]event.Envelope, many)
	for i := range all {
		all[i] = envelope(sessionOf(uint64(i%50)), noon.Add(time.Duration(i)*time.Microsecond))
	}

	for from := 0; from < many; from += batch {
		for _, v := range send(t, oracle, c, request(shop, all[from:from+batch]...)) {
			require.Equal(t, ingest.Stored, v.Status)
		}
	}

	for from := 0; from < many; from += batch {
		for _, v := range send(t, oracle, c, request(shop, all[from:from+batch]...)) {
			require.Equal(t, ingest.Duplicate, v.Status)
		}
	}

	requireConsistent(t, b, oracle)
	requireGapless(t, b)
	require.Equal(t, many, count(t, b, "event"))

	others := make([]event.Envelope, conflicts)
	for i := range others {
		others[i] = all[i]
		others[i].Event.Data = fmt.Appendf(nil, `{"url":"/%d"}`, i)
	}

	kept := map[uuid.UUID]bool{}
	for _, v := range submit(t, c, request(shop, others...)) {
		require.Equal(t, ingest.Conflict, v.Status)
		kept[v.ErrorID] = true
	}

	found := applicationsByRow(t, b, "select rejection_id, application_id from rejection where code = 'event_id_conflict'")
	require.Len(t, kept, conflicts)
	for id := range kept {
		require.Contains(t, found, id, "it is returned as the id of an error")
	}
}

// The server writes its log only when it has to, and is killed as soon as the last event is
// acknowledged. Data that no commit flushed is then lost.
func TestAcknowledgedEventsSurviveTheKillOfTheServer(t *testing.T) {
	t.Parallel()
	const events = 30
	b := newBundleOn(t, pgtest.NewDedicated(t, pgtest.WithSetting("wal_writer_delay", "10s")))
	c := collector(t, b.store, 1)
	noon := time.Now().Add(-time.Hour)
	for range events {
		require.Equal(t, ingest.Stored, submit(t, c, request(shop, envelope(uuid.New(), noon)))[0].Status)
	}

	require.NoError(t, b.database.Server().Kill())
	require.NoError(t, b.database.Server().Restart(t.Context()))

	require.Equal(t, events, count(t, b, "event"))
}

// A connection that breaks before the server has read the commit leaves nothing behind. Another
// attempt stores the group, or it is not reported as stored.
func TestCommitThatNeverReachedTheServer(t *testing.T) {
	t.Parallel()
	b, oracle := newBundle(t), apptest.NewOracle()
	w, url := newFaultProxy(t, b.database)
	b.db = openDB(t, url)
	b.store = newStore(b.db, keepAll())
	c := collector(t, b.store, 1)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	known := envelope(session, noon)
	send(t, oracle, c, request(shop, known))

	for range 3 {
		w.losses.Store(1)
		verdicts := send(t, oracle, c, request(shop, envelope(session, noon), envelope(session, noon)))
		require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored}, statuses(verdicts))
		require.LessOrEqual(t, w.losses.Load(), int32(0), "the connection was broken")
	}

	requireConsistent(t, b, oracle)
	requireGapless(t, b)
	require.Equal(t, 7, count(t, b, "event"))
}

// Every acknowledged event is in every list that is requested afterwards, however soon.
func TestListsShowWhatWasJustAcknowledged(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c, lists := collector(t, b.store, 1), postgres.NewQueryStore(b.db)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	for range 5 {
		e := envelope(session, noon)
		submit(t, c, request(shop, e))
		for name, filter := range map[string]query.EventFilter{
			"all":        {},
			"a session":  {SessionID: uuid.NullUUID{UUID: session, Valid: true}},
			"a category": {Category: e.Event.Category},
		} {
			found := false
			require.NoError(t, lists.Events(context.Background(), filter, nil, 100, func(s event.Stored) bool {
				found = found || s.ID == e.Event.ID
				return true
			}))
			require.True(t, found, name)
		}
	}
}
