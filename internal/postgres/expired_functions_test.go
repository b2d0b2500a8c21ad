package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/postgres"
)

// Partitions that an earlier release detached and set aside are dropped by this one.
func TestTheExpiryOfAnEarlierReleaseIsContinued(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	s := fillEvents(t, b)
	dsn := b.database.DSN()
	migrateDownTo(t, dsn, 4)
	b.exec(
		t, "alter table event detach partition "+month(-4), "alter table event detach partition "+month(-3), "select theeye_set_aside('event')",
	)
	require.NoError(t, postgres.Migrate(context.Background(), dsn))
	require.Equal(t, 2, count(t, b, "expired_partition"))
	events, err := postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-3).Add(time.Hour))
	require.NoError(t, err)
	require.Less(t, events, int64(3300), "only the older month is past this limit")
	require.Len(t, setAside(t, b), 1)
	_, err = postgres.NewRetentionStore(b.db).ExpireEvents(context.Background(), firstOf(-1))
	require.NoError(t, err)
	s.gone(t, b)
}

// The functions work with the rights of the owner of the tables, for a role that has none.
func TestTheFunctionsDropOnlyWhatIsMarkedAndExpired(t *testing.T) {
	t.Parallel()
	c := newTestRoles(t)
	db := openDB(t, c.DSNAs(c.service))
	b := &bundle{database: c.Database, db: db, store: newStore(db, keepAll())}
	b.exec(t, "insert into application (name) values ('shop')")
	submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-4)), envelope(uuid.New(), firstOf(0))))
	service, ctx := c.pool(t, c.service), context.Background()
	for statement, says := range map[string]string{
		"select theeye_mark_expired('event', '" + month(-4) + "', '" + firstOf(-4).Format(time.RFC3339) + "')":     "too young",
		"select theeye_mark_expired('event', '" + month(0) + "', 'infinity')":                                      "too young",
		"select theeye_mark_expired('event', 'api_key', 'infinity')":                                               "no partition of a month",
		"select theeye_mark_expired('api_key', 'api_key_p2021_01', 'infinity')":                                    "no partition of a month",
		"select theeye_detach_partition('event', '" + month(0) + "', 'infinity')":                                  "too young",
		"select theeye_detach_partition('event', '" + month(-4) + "', '" + firstOf(-4).Format(time.RFC3339) + "')": "too young",
		"select theeye_set_aside('api_key', 'infinity')":                                                           "no partitions of api_key",
	} {
		_, err := service.Exec(ctx, statement)
		require.ErrorContains(t, err, says, statement)
	}

	requireDenied(t, service, "insert into expired_partition select '"+month(0)+"'::regclass, 'x', 'event', now(), now(), theeye_database_id()", "update expired_partition set table_oid = 1", "delete from expired_partition", "truncate expired_partition")

	// Neither a detached table without a mark, by either signature, nor a marked table that is
	// attached.
	owner := c.pool(t, c.owner)
	_, err := owner.Exec(ctx, "alter table event detach partition "+month(0))
	require.NoError(t, err)
	markExpired(t, b, month(-4), firstOf(-1))
	for _, statement := range []string{
		"select theeye_set_aside('event')", "select theeye_set_aside('event', 'infinity')",
		"select theeye_drop_expired('" + month(0) + "')", "select theeye_drop_expired('" + month(0) + "', 'infinity')", "select theeye_drop_expired('" + month(-4) + "', 'infinity')",
	} {
		_, err := service.Exec(ctx, statement)
		require.NoError(t, err, statement)
	}

	require.Equal(t, 1, count(t, b, month(0)))
	require.Equal(t, 1, count(t, b, month(-4)))

	// The previous release calls the functions without a time.
	for _, statement := range []string{"select theeye_detach_partition('event', '" + month(-4) + "')", "select theeye_drop_expired(n) from theeye_set_aside('event') n"} {
		_, err := service.Exec(ctx, statement)
		require.NoError(t, err, statement)
	}

	require.Empty(t, setAside(t, b))
	require.Zero(t, count(t, b, "expired_partition"))
	require.Equal(t, 1, count(t, b, month(0)))
}
