package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/retention"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// firstOf is the first moment of a month before or after this one.
func firstOf(months int) time.Time {
	year, month, _ := time.Now().UTC().Date()
	return time.Date(year, month+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
}

// old holds the sessions of the months that retention concerns.
type old struct {
	// expired has events of two expiring months, partly of one that expires and this one, kept
	// of this one only, moved an event that was edited into this month.
	expired, partly, kept, moved uuid.UUID
}

// fillEvents stores far more events than one transaction purges.
func fillEvents(t *testing.T, b *bundle) old {
	t.Helper()
	c := collector(t, b.store, 1)
	s := old{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	for range 3 {
		var envelopes []event.Envelope
		for range 100 {
			envelopes = append(envelopes,
				envelope(s.expired, firstOf(-4)), envelope(s.expired, firstOf(-3)),
				envelope(s.partly, firstOf(-4)), envelope(s.partly, firstOf(0)), envelope(s.kept, firstOf(-1)))
			for range 4 { // short sessions, across every boundary between transactions
				short := uuid.New()
				envelopes = append(envelopes, envelope(short, firstOf(-4)), envelope(short, firstOf(-3)))
			}
		}

		for len(envelopes) > 0 {
			n := min(len(envelopes), 1000)
			submit(t, c, request(shop, envelopes[:n]...))
			envelopes = envelopes[n:]
		}
	}

	edited := envelope(s.moved, firstOf(-4))
	submit(t, c, request(shop, edited))
	_, err := postgres.NewAmendStore(b.db).EditEvent(context.Background(), edited.Event.ID, func(current event.Stored) (event.Envelope, error) {
		current.Timestamp = firstOf(0)
		return event.Envelope{Event: current.Event}, nil
	})
	require.NoError(t, err)
	return s
}

// partitionsOf lists the tables that are, or were, partitions of a table.
func partitionsOf(t testing.TB, b *bundle, table string) (names []string) {
	t.Helper()
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
		"select coalesce(array_agg(relname::text order by 1), '{}') from pg_class where relkind = 'r' and relname ~ ('^' || $1 || '_p[0-9]')", table).Scan(&names))
	return names
}

// gone fails the test unless everything before the last month is deleted, and everything else is
// unchanged.
func (s *old) gone(t *testing.T, b *bundle) {
	t.Helper()
	contradictions, err := apptest.FindContradictions(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
	require.Equal(t, 601, count(t, b, "event"))
	require.Equal(t, 601, count(t, b, "event_key"))
	require.Equal(t, 3, count(t, b, "session"), "sessions without events are deleted")
	reads := postgres.NewQueryStore(b.db)
	partly, err := reads.Session(context.Background(), s.partly)
	require.NoError(t, err)
	require.Equal(t, int64(300), partly.EventCount)
	require.Equal(t, firstOf(0), partly.StartedAt.UTC())
	_, err = reads.Session(context.Background(), s.expired)
	require.True(t, fault.Is(err, fault.CodeNotFound))
	for _, name := range partitionsOf(t, b, "event") {
		require.NotContains(t, name, firstOf(-4).Format("2006_01"))
		require.NotContains(t, name, "expired")
	}
}

func TestExpiredEventsLeaveTheLedgerAndTheirSessions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	s := fillEvents(t, b)
	store := postgres.NewRetentionStore(b.db)
	_, err := store.ExpireEvents(context.Background(), firstOf(-4).Add(-time.Second))
	require.NoError(t, err)
	require.Equal(t, 3901, count(t, b, "event"), "no event is that old")

	n, err := store.ExpireEvents(context.Background(), firstOf(-1).Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, int64(3300), n)
	s.gone(t, b)

	n, err = store.ExpireEvents(context.Background(), firstOf(-1).Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, n)
	again := collector(t, b.store, 1)
	verdict := submit(t, again, request(shop, envelope(s.expired, firstOf(0))))[0]
	require.Equal(t, int64(1), verdict.Sequence, "a deleted session begins again")
}

// A replica whose clock is two years ahead must not delete events that others accepted.
func TestAReplicaThatIsAheadExpiresNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(0))))
	const day = 24 * time.Hour
	config := retention.Config{Events: 60 * day, Errors: 60 * day, MaxAge: 60 * day, Timings: day, Audit: 60 * day, Interval: time.Hour}
	ahead := func() time.Time { return time.Now().AddDate(2, 0, 0) }
	retention.New(config, postgres.NewRetentionStore(b.db), zap.NewNop(), ahead).RunRound(t.Context())
	require.Equal(t, 1, count(t, b, "event"))
	require.Equal(t, 1, count(t, b, "event_key"))
}

func TestTwoReplicasExpireAtOnce(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	s := fillEvents(t, b)
	parallel(4, func(int) {
		for range 3 { // rounds
			_, err := postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-1))
			if err != nil {
				t.Errorf("a round failed: %v", err)
			}
		}
	})
	s.gone(t, b)
}

// A service that dies in the middle of an expiry leaves tables that are detached, or about to
// be. The next round, on any replica, continues.
func TestInterruptedExpiryIsContinued(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	s := fillEvents(t, b)
	pool := b.database.Pool(t)
	markExpired(t, b, month(-4), firstOf(-1))
	markExpired(t, b, month(-3), firstOf(-1))
	_, err := pool.Exec(context.Background(), "alter table event detach partition "+month(-4))
	require.NoError(t, err)
	reader, err := pool.Begin(context.Background())
	require.NoError(t, err)
	_, err = reader.Exec(context.Background(), "select count(*) from event")
	require.NoError(t, err)
	cut, err := pool.Acquire(context.Background())
	require.NoError(t, err)
	_, err = cut.Exec(context.Background(), "set statement_timeout = 200")
	require.NoError(t, err)
	_, err = cut.Exec(context.Background(), "alter table event detach partition event_p"+firstOf(-3).Format("2006_01")+" concurrently")
	require.ErrorContains(t, err, "57014", "a reader is in the way")
	cut.Conn().Close(context.Background()) //nolint:errcheck // it is in the way of nothing
	cut.Release()
	require.NoError(t, reader.Rollback(context.Background()))

	_, err = postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-1))
	require.NoError(t, err)
	s.gone(t, b)
}

// Between the detachment of a partition and the end of its purge, sessions count events that no
// query sees. Edits and erasures have to cope with that.
func TestEditsDuringAnExpiry(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c, amends := collector(t, b.store, 1), postgres.NewAmendStore(b.db)
	session := uuid.New()
	last := envelope(session, firstOf(0))
	submit(t, c, request(shop, envelope(session, firstOf(-4)), envelope(session, firstOf(-4)), last))
	markExpired(t, b, month(-4), firstOf(-2))
	_, err := b.database.Pool(t).Exec(context.Background(), "alter table event detach partition "+month(-4))
	require.NoError(t, err)

	require.NoError(t, amends.EraseEvent(context.Background(), last.Event.ID, func(event.Stored) error { return nil }))
	submit(t, c, request(shop, envelope(session, firstOf(-1))))
	_, err = postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-2))
	require.NoError(t, err)

	contradictions, err := apptest.FindContradictions(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
	found, err := postgres.NewQueryStore(b.db).Session(context.Background(), session)
	require.NoError(t, err)
	require.Equal(t, int64(1), found.EventCount)
}

func TestRejectionsExpire(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c, store := collector(t, b.store, 1), postgres.NewRetentionStore(b.db)
	for _, at := range []time.Time{firstOf(-3), firstOf(0)} {
		r := request(shop, event.Envelope{Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON}}})
		r.ReceivedAt = at
		require.Equal(t, ingest.Rejected, submit(t, c, r)[0].Status)
	}

	n, err := store.ExpireRejections(context.Background(), firstOf(-1))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 1, count(t, b, "rejection"))
	require.Equal(t, 1, count(t, b, "rejection_count"))
}

func TestErasuresAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c, session := collector(t, b.store, 1), uuid.New()
	submit(t, c, request(shop, envelope(session, firstOf(0))))
	eraseSession(t, b.db, session)
	store := postgres.NewRetentionStore(b.db)
	require.NoError(t, store.PruneErasures(context.Background(), time.Now().Add(-time.Hour)))
	require.Equal(t, 1, count(t, b, "session"))
	require.NoError(t, store.PruneErasures(context.Background(), time.Now().Add(time.Hour)))
	require.Equal(t, 0, count(t, b, "session"))
}
