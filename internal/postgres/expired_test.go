package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// markExpired runs the first step of retention.
func markExpired(t testing.TB, b *bundle, partition string, before time.Time) {
	t.Helper()
	b.exec(t, "select theeye_mark_expired('event', '"+partition+"', '"+before.Format(time.RFC3339)+"')")
}

// exec runs statements as a person would, outside the service.
func (b *bundle) exec(t testing.TB, statements ...string) {
	t.Helper()
	pool := b.database.Pool(t)
	for _, statement := range statements {
		_, err := pool.Exec(context.Background(), statement)
		require.NoError(t, err, statement)
	}
}

// attachStatement is the statement by which a person attaches the partition of a month again.
func attachStatement(name string, months int) string {
	return "alter table event attach partition " + name + " for values from ('" + firstOf(months).Format(time.RFC3339) + "') to ('" + firstOf(months+1).Format(time.RFC3339) + "')"
}

// asOwnerAndAsService makes the database of a test for both kinds of roles with which a service
// connects.
func asOwnerAndAsService(t *testing.T) map[string]*bundle {
	t.Helper()
	c := newTestRoles(t)
	db := openDB(t, c.DSNAs(c.service))
	b := &bundle{database: c.Database, db: db, store: newStore(db, keepAll())}
	b.exec(t, "insert into application (name) values ('shop'), ('blog')")
	return map[string]*bundle{"owner": newBundle(t), "service": b}
}

// expireAll runs rounds for everything that ended before this month.
func expireAll(t *testing.T, b *bundle) {
	t.Helper()
	store := postgres.NewRetentionStore(b.db)
	for range 2 {
		_, err := store.ExpireEvents(context.Background(), firstOf(-1).Add(time.Hour))
		require.NoError(t, err)
		_, err = store.ExpireRejections(context.Background(), firstOf(-1).Add(time.Hour))
		require.NoError(t, err)
	}
}

// A table that a person detached or restored is never dropped, whatever its name and age. It can
// be attached again, with all its data.
func TestRetentionLeavesAloneWhatItDidNotDetach(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := uuid.New()
			submit(t, collector(t, b.store, 1), request(shop, envelope(session, firstOf(-4)), envelope(session, firstOf(-1)), envelope(session, firstOf(0))))
			store := postgres.NewRetentionStore(b.db)
			require.NoError(t, store.CreatePartitions(context.Background(), firstOf(-4), firstOf(-4)))
			b.exec(
				t, "alter table event detach partition "+month(-4), "alter table event detach partition "+month(-1),
				"alter table rejection detach partition rejection_p"+firstOf(-4).Format("2006_01"),
				"create table event_p2021_01 (like event)", "create table event_expired_4711 (like event)",
				"create table pretending (like event)", "do $$ begin execute 'alter table pretending rename to event_expired_' || 'pretending'::regclass::oid; end $$",
			)

			expireAll(t, b)
			require.Equal(t, 3, count(t, b, "event_key"), "the ledger keeps their ids")
			require.Equal(t, 1, count(t, b, month(-4)))
			require.Equal(t, 1, count(t, b, month(-1)))
			require.Equal(t, 0, count(t, b, "event_p2021_01"))
			require.Equal(t, 0, count(t, b, "event_expired_4711"))
			require.Equal(t, 0, count(t, b, "rejection_p"+firstOf(-4).Format("2006_01")))
			require.Len(t, setAside(t, b), 2)

			b.exec(t, attachStatement(month(-4), -4), attachStatement(month(-1), -1))
			contradictions, err := apptest.FindContradictions(context.Background(), b.database.Pool(t))
			require.NoError(t, err)
			require.Empty(t, contradictions)
		})
	}
}

// If retention expires one month of a session and a person has detached another, the session
// keeps its row, and so its sequence and its count.
func TestSessionsKeepWhatAPersonDetached(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, session := collector(t, b.store, 1), uuid.New()
			submit(t, c, request(shop, envelope(session, firstOf(-4)), envelope(session, firstOf(-3)), envelope(session, firstOf(-1)), envelope(session, firstOf(-1))))
			b.exec(t, "alter table event detach partition "+month(-1))
			expireAll(t, b)
			require.Equal(t, 0, count(t, b, "event"))
			require.Equal(t, 2, count(t, b, "event_key"))

			b.exec(t, attachStatement(month(-1), -1))
			found, err := postgres.NewQueryStore(b.db).Session(context.Background(), session)
			require.NoError(t, err)
			require.EqualValues(t, 2, found.EventCount)
			verdict := submit(t, c, request(shop, envelope(session, firstOf(0))))[0]
			require.EqualValues(t, 5, verdict.Sequence)
		})
	}
}

// setAside lists the tables with the names that retention gives to tables it sets aside.
func setAside(t testing.TB, b *bundle) (names []string) {
	t.Helper()
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
		`select coalesce(array_agg(relname::text order by 1), '{}') from pg_class where relkind = 'r' and relname like 'event\_expired\_%'`).Scan(&names))
	return names
}

// A partition with the name of an expired month and other bounds was attached by a person.
func TestRetentionReadsTheBoundsOfAPartition(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-3)), envelope(uuid.New(), firstOf(0))))
			b.exec(
				t, "alter table event detach partition "+month(0), "alter table "+month(0)+" rename to event_p2021_01", attachStatement("event_p2021_01", 0),
				"alter table event detach partition "+month(-3), attachStatement(month(-3), -3),
			)
			expireAll(t, b)
			require.Equal(t, 1, count(t, b, "event"), "the young partition is there, the one that was attached again has expired")
			require.Equal(t, 1, count(t, b, "event_p2021_01"))
		})
	}
}

// Between the mark and the drop the retention time is raised: a partition that is no longer
// expired stays, can be attached again, and is then a partition like any other.
func TestWhatIsNoLongerExpiredStays(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := uuid.New()
			submit(t, collector(t, b.store, 1), request(shop, envelope(session, firstOf(-4)), envelope(session, firstOf(-3)), envelope(session, firstOf(0))))
			markExpired(t, b, month(-4), firstOf(-1))
			markExpired(t, b, month(-3), firstOf(-1))
			b.exec(t, "alter table event detach partition "+month(-4))

			store := postgres.NewRetentionStore(b.db)
			more := firstOf(-12)
			events, err := store.ExpireEvents(context.Background(), more)
			require.NoError(t, err)
			require.Zero(t, events)
			require.Equal(t, 1, count(t, b, month(-4)), "and it has its name")
			require.Equal(t, 1, count(t, b, "expired_partition"), "the mark of an attached, young partition is gone")

			b.exec(t, attachStatement(month(-4), -4))
			_, err = store.ExpireEvents(context.Background(), more)
			require.NoError(t, err)
			require.Zero(t, count(t, b, "expired_partition"))
			b.exec(t, "alter table event detach partition "+month(-4), "alter table event detach partition "+month(-3))
			expireAll(t, b)
			require.Equal(t, 1, count(t, b, month(-4)), "it was marked once, for another detachment")
			require.Equal(t, 1, count(t, b, month(-3)))
		})
	}
}

// Retention does not finish a detachment that a person began and that was interrupted, but
// reports what blocks it.
func TestADetachmentOfAPersonIsNotEnded(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-4)), envelope(uuid.New(), firstOf(0))))
			b.exec(t, "update pg_inherits set inhdetachpending = true where inhrelid = '"+month(-4)+"'::regclass")
			_, err := postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-1))
			require.ErrorContains(t, err, month(-4)+" is half detached, and not by retention")
			require.Equal(t, 1, count(t, b, month(-4)))
		})
	}
}

// A mark that came with a dump, or whose table was dropped, now refers to another table.
func TestMarksOfOtherDatabasesMeanNothing(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"another database": "update expired_partition set database_id = '4711/1'",
		"another table":    "update expired_partition set table_name = 'event_p2001_01'",
		"renamed":          "alter table " + month(-4) + " rename to event_of_the_summer",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, b := range asOwnerAndAsService(t) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-4))))
					markExpired(t, b, month(-4), firstOf(-1))
					b.exec(t, "alter table event detach partition "+month(-4), damage)
					expireAll(t, b)
					require.Equal(t, 1, count(t, b, "event_key"))
					require.Zero(t, count(t, b, "expired_partition"))
					require.Empty(t, setAside(t, b))
				})
			}
		})
	}
}

// A person who is detaching an expired partition when retention reaches it takes precedence.
func TestAPersonIsFirst(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-4))))
			pool := b.database.Pool(t)
			person, err := pool.Begin(context.Background())
			require.NoError(t, err)
			t.Cleanup(func() { _ = person.Rollback(context.Background()) })
			_, err = person.Exec(context.Background(), "alter table event detach partition "+month(-4))
			require.NoError(t, err)

			expired := make(chan error, 1)
			go func() {
				_, err := postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-1))
				expired <- err
			}()
			const waiting = `select exists (select from pg_locks where relation = $1::regclass and not granted)`
			require.Eventually(t, func() bool {
				var found bool
				return pool.QueryRow(context.Background(), waiting, month(-4)).Scan(&found) == nil && found
			}, time.Minute, time.Millisecond)
			require.NoError(t, person.Commit(context.Background()))
			require.NoError(t, <-expired)
			expireAll(t, b)
			require.Equal(t, 1, count(t, b, month(-4)))
			require.Zero(t, count(t, b, "expired_partition"))
		})
	}
}

// An interrupted round is finished by the next one, whatever the step.
func TestAnExpiryIsContinuedFromEachStep(t *testing.T) {
	t.Parallel()
	limit := "'" + firstOf(-1).Format(time.RFC3339) + "'"
	steps := []string{
		"select theeye_mark_expired('event', '" + month(-4) + "', " + limit + ")",
		"alter table event detach partition " + month(-4),
		"select theeye_set_aside('event', " + limit + ")",
		"do $$ begin execute 'delete from event_expired_' || (select table_oid from expired_partition); end $$",
	}
	for cut := range steps {
		t.Run(steps[cut], func(t *testing.T) {
			t.Parallel()
			for name, b := range asOwnerAndAsService(t) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-4)), envelope(uuid.New(), firstOf(0))))
					b.exec(t, steps[:cut+1]...)
					expireAll(t, b)
					require.Equal(t, 1, count(t, b, "event"))
					require.Empty(t, setAside(t, b))
					require.Zero(t, count(t, b, "expired_partition"))
					require.NotContains(t, partitionsOf(t, b, "event"), month(-4))
				})
			}
		})
	}
}

// When a partition is attached again while it is being emptied, the rest of its rows stay.
func TestAPartitionThatIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := collector(t, b.store, 1)
			submit(t, c, request(shop, envelope(uuid.New(), firstOf(-4)), envelope(uuid.New(), firstOf(-4))))
			markExpired(t, b, month(-4), firstOf(-1))
			b.exec(t, "alter table event detach partition "+month(-4))
			_, err := b.db.ReadPool().Exec(context.Background(), "select theeye_set_aside('event', $1)", firstOf(-1))
			require.NoError(t, err)
			aside := setAside(t, b)
			require.Len(t, aside, 1)
			b.exec(t, attachStatement(aside[0], -4))

			events, err := postgres.PurgeOnce(context.Background(), postgres.NewRetentionStore(b.db), aside[0], firstOf(-1))
			require.NoError(t, err)
			require.Zero(t, events)
			require.Equal(t, 2, count(t, b, "event"))
		})
	}
}

// While a person's table has the name of a partition, events of that month are answered with a
// retry, at once and not at the end of the budget, and the cause names the table.
func TestTheNameOfAPartitionIsTaken(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := collector(t, b.store, 1)
			submit(t, c, request(shop, envelope(uuid.New(), firstOf(-1))))
			b.exec(t, "alter table event detach partition "+month(-1))
			fresh := newStore(b.db, keepAll()) // a replica that was started later
			_, err := collector(t, fresh, 1).Submit(context.Background(), request(shop, envelope(uuid.New(), firstOf(-1))))
			require.True(t, fault.Is(err, fault.CodeUnavailable), "%v", err)
			require.ErrorContains(t, err, month(-1)+" is not a partition of event but has the name of one: attach it again, or rename it")
			f, _ := fault.As(err)
			require.NotContains(t, f.Detail, "event_p", "names of tables are not for senders")

			b.exec(t, "alter table "+month(-1)+" rename to kept")
			submit(t, collector(t, fresh, 1), request(shop, envelope(uuid.New(), firstOf(-1))))
		})
	}
}

// Rejections have partitions, too.
func TestRejectionsThatAPersonDetachedStay(t *testing.T) {
	t.Parallel()
	for name, b := range asOwnerAndAsService(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, months := range []int{-4, -3} {
				r := request(shop, event.Envelope{Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON}}})
				r.ReceivedAt = firstOf(months)
				submit(t, collector(t, b.store, 1), r)
			}

			kept := "rejection_p" + firstOf(-4).Format("2006_01")
			b.exec(t, "alter table rejection detach partition "+kept)
			n, err := postgres.NewRetentionStore(b.db).ExpireRejections(context.Background(), firstOf(-1))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, 1, count(t, b, kept))
		})
	}
}
