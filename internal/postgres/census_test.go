package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/census"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

func takeStock(t *testing.T, b *bundle, now time.Time) census.Statistics {
	t.Helper()
	found, err := postgres.NewCensusStore(b.db).ReadStatistics(context.Background(), now)
	require.NoError(t, err)
	return found
}

// execute runs statements that change the tables that the census measures.
func execute(t *testing.T, b *bundle, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := b.database.Pool(t).Exec(context.Background(), statement)
		require.NoError(t, err, statement)
	}
}

func TestCensusOfAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	found := takeStock(t, b, time.Now())
	require.Positive(t, found.Size)
	require.Zero(t, found.Tables.Event)
	require.Zero(t, found.Tables.Rejection)
	require.Positive(t, found.Tables.EventKey, "an empty index has a page")
	require.Zero(t, found.Events)
	require.Zero(t, found.Rejections)
	require.True(t, found.Oldest.IsZero())
	require.True(t, found.Newest.IsZero())
}

func TestCensusMeasuresTables(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	fillEvents(t, b)
	found := takeStock(t, b, time.Now())
	// Compare with the tree of partitions as Postgres itself lists it.
	tree := func(table string) (bytes int64) {
		require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
			`select sum(pg_table_size(relid) + pg_indexes_size(relid))::bigint from pg_partition_tree($1)`, table).Scan(&bytes))
		return bytes
	}
	require.Equal(t, tree("event"), found.Tables.Event)
	require.Positive(t, found.Tables.Event)
	for table, got := range map[string]int64{"event_key": found.Tables.EventKey, "session": found.Tables.Session} {
		var want int64
		require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), `select pg_table_size($1::text::regclass) + pg_indexes_size($1::text::regclass)`, table).Scan(&want))
		require.Equal(t, want, got, table)
		require.Positive(t, got, table)
	}

	require.Positive(t, found.OtherBytes(), "the catalogue at least")
	require.Less(t, found.OtherBytes(), found.Size)
}

func TestCensusFindsTheOldestAndTheNewestEvent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	require.NoError(t, postgres.NewRetentionStore(b.db).CreatePartitions(context.Background(), firstOf(-8), firstOf(2)))
	oldest, newest := firstOf(-3).Add(90*time.Minute), firstOf(0).Add(time.Microsecond)
	submit(t, c, request(shop, envelope(uuid.New(), newest), envelope(uuid.New(), firstOf(-1)), envelope(uuid.New(), oldest), envelope(uuid.New(), oldest.Add(time.Second))))
	found := takeStock(t, b, time.Now())
	require.Equal(t, oldest, found.Oldest.UTC(), "earlier partitions hold no event")
	require.Equal(t, newest, found.Newest.UTC(), "behind it, too")
	require.Equal(t, 11, found.Events.Count)
}

func TestCensusSeesHowFarPartitionsReach(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	now := firstOf(0).Add(36 * time.Hour)
	require.NoError(t, postgres.NewRetentionStore(b.db).CreatePartitions(context.Background(), firstOf(-1), firstOf(5)))
	found := takeStock(t, b, now)
	require.Equal(t, census.Partitions{Count: 7, Until: firstOf(6)}, found.Events)
	require.Equal(t, found.Events, found.Rejections)
	require.Equal(t, firstOf(6).Sub(now), found.Events.CoverageFrom(now))

	name := func(table string, months int) string { return table + "_p" + firstOf(months).Format("2006_01") }
	execute(t, b, "drop table "+name("event", 2))
	found = takeStock(t, b, now)
	require.Equal(t, census.Partitions{Count: 6, Until: firstOf(2)}, found.Events, "partitions after a gap do not count")
	require.Equal(t, 7, found.Rejections.Count)

	execute(t, b, "drop table "+name("event", 0), "alter table rejection detach partition "+name("rejection", 0))
	found = takeStock(t, b, now)
	require.Equal(t, census.Partitions{Count: 5}, found.Events, "this month's is missing")
	require.Equal(t, census.Partitions{Count: 6}, found.Rejections)
	require.Zero(t, found.Events.CoverageFrom(now))
}

// With many partitions the oldest and the newest event are found by one index entry each, and by
// the entries of the empty partitions before and after them.
func TestCensusReadsFewPages(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	const months, perMonth = 100, 300
	require.NoError(t, postgres.NewRetentionStore(b.db).CreatePartitions(context.Background(), firstOf(3-months), firstOf(2)))
	execute(t, b, fmt.Sprintf(`insert into event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id)
		select gen_random_uuid(), gen_random_uuid(), 1, 'page', 'view', '{}', at, at, 1
		from generate_series(timestamptz '%s', timestamptz '%s', interval '144 minutes') as at`,
		firstOf(3-months).Format(time.RFC3339), firstOf(0).Format(time.RFC3339)), "analyze event")
	rows, err := b.database.Pool(t).Query(context.Background(), "explain (analyze, buffers) "+postgres.SpanSQL)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	plan := strings.Join(lines, "\n")
	require.Greater(t, count(t, b, "event"), (months-3)*perMonth*9/10)
	require.NotContains(t, plan, "Seq Scan")
	require.NotContains(t, plan, "Sort")
	require.LessOrEqual(t, strings.Count(plan, "loops="), 20, plan)
	buffers := regexp.MustCompile(`Buffers: shared hit=(\d+)`).FindStringSubmatch(plan)
	require.NotNil(t, buffers, plan)
	pages, err := strconv.Atoi(buffers[1])
	require.NoError(t, err)
	require.Less(t, pages, 50, plan)
}

// A session that locks a table, as VACUUM FULL does, costs one round and no more: the statement
// also ends on the server.
func TestCensusDoesNotWaitLongForALock(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	holder, err := b.database.Pool(t).Begin(context.Background())
	require.NoError(t, err)
	_, err = holder.Exec(context.Background(), "lock table event_key in access exclusive mode")
	require.NoError(t, err)
	_, err = postgres.NewCensusStore(b.db).ReadStatistics(context.Background(), time.Now())
	require.True(t, fault.Is(err, fault.CodeQueryTooSlow), "%v", err)
	require.NoError(t, holder.Rollback(context.Background()))
	takeStock(t, b, time.Now())
}
