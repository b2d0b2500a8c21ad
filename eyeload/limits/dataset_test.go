package limits_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/limits"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate)) }

// datasetEnd is in the first days of a month, so that a data set has partitions of two months.
func datasetEnd() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }

func fillDatabase(t testing.TB, config limits.DatasetConfig) (*pgtest.Database, limits.Dataset) {
	t.Helper()
	database := pgtest.New(t)
	config.End = datasetEnd()
	made, err := limits.FillDatabase(context.Background(), database.Pool(t), config)
	require.NoError(t, err)

	return database, made
}

func queryScalar[T any](t testing.TB, pool *pgxpool.Pool, sql string) (value T) {
	t.Helper()
	require.NoError(t, pool.QueryRow(context.Background(), sql).Scan(&value))
	return value
}

func TestFilledTablesAgree(t *testing.T) {
	t.Parallel()
	database, made := fillDatabase(t, limits.DatasetConfig{Events: 20_000, Days: 30, Application: "shop"})
	pool := database.Pool(t)

	contradictions, err := apptest.FindContradictions(context.Background(), pool)
	require.NoError(t, err)
	require.Empty(t, contradictions)
	gaps, err := apptest.FindGaps(context.Background(), pool)
	require.NoError(t, err)
	require.Empty(t, gaps)

	require.Equal(t, int64(20_000), made.Events)
	for table, rows := range map[string]int64{"event": made.Events, "event_key": made.Events, "session": made.Sessions} {
		require.Equal(t, rows, queryScalar[int64](t, pool, "select count(*) from "+table), table)
	}

	require.Equal(t, int64(2), queryScalar[int64](t, pool, `select count(distinct tableoid) from event`), "partitions with events")
	require.Equal(t, "shop", queryScalar[string](t, pool, `select string_agg(name, ' ') from application`))
	require.Zero(t, queryScalar[int64](t, pool, `select count(*) from (
		select "timestamp" < lag("timestamp") over (partition by session_id order by sequence) as backwards from event) e where backwards`),
		"sequences follow the timestamps")

	first := queryScalar[time.Time](t, pool, `select min("timestamp") from event`)
	last := queryScalar[time.Time](t, pool, `select max("timestamp") from event`)
	require.False(t, last.Before(first) || !last.Before(made.To), "%s to %s", first, last)
	require.Greater(t, last.Sub(first), 29*24*time.Hour)
}

func TestFilledSessionsAndCategoriesAreSkewed(t *testing.T) {
	t.Parallel()
	database, made := fillDatabase(t, limits.DatasetConfig{Events: 20_000, Days: 30})
	pool := database.Pool(t)
	require.Equal(t, int64(1), queryScalar[int64](t, pool, `select count(*) from session where event_count >= 1000`))
	typical := float64(queryScalar[int64](t, pool, `select sum(event_count)::bigint from session where event_count < 1000`)) / float64(made.Sessions-1)
	require.InDelta(t, 20, typical, 3)
	require.Equal(t, int64(40), queryScalar[int64](t, pool, `select count(distinct category) from event`))
	require.Greater(t, queryScalar[int64](t, pool, `select count(distinct (category, name)) from event`), int64(100))
	commonest := queryScalar[int64](t, pool, `select max(n) from (select count(*) as n from event group by category) c`)
	require.Greater(t, commonest, int64(20_000/4))
}

func TestFillIsDecidedByItsSeed(t *testing.T) {
	t.Parallel()
	const contents = `
	select md5(string_agg(md5((to_jsonb(e) - 'transaction_id')::text), '' order by e.event_id)) || (select md5(string_agg(md5(s::text), '' order by s.session_id)) from session s) from event e`
	made := map[string]string{}
	for name, config := range map[string]limits.DatasetConfig{
		"one connection": {Seed: 7, Connections: 1}, "three connections": {Seed: 7, Connections: 3}, "another seed": {Seed: 8},
	} {
		config.Events = 60_000 // two slices
		database, _ := fillDatabase(t, config)
		made[name] = queryScalar[string](t, database.Pool(t), contents)
	}

	require.Equal(t, made["one connection"], made["three connections"])
	require.NotEqual(t, made["one connection"], made["another seed"])
}

// A data set with another seed can be added to existing events.
func TestFillAddsToWhatIsThere(t *testing.T) {
	t.Parallel()
	database, _ := fillDatabase(t, limits.DatasetConfig{Events: 500})
	pool := database.Pool(t)
	_, err := limits.FillDatabase(context.Background(), pool, limits.DatasetConfig{
		Events: 700,
		Seed:   1,
		Days:   1,
		End:    datasetEnd(),
	})

	require.NoError(t, err)
	require.Equal(t, int64(1200), queryScalar[int64](t, pool, "select count(*) from event"))
	require.Equal(t, int64(1), queryScalar[int64](t, pool, "select count(*) from application"))
	contradictions, err := apptest.FindContradictions(context.Background(), pool)
	require.NoError(t, err)
	require.Empty(t, contradictions)
}

func TestFillThatFailsLeavesTablesThatAgree(t *testing.T) {
	t.Parallel()
	database, _ := fillDatabase(t, limits.DatasetConfig{Events: 500})
	_, err := limits.FillDatabase(context.Background(), database.Pool(t), limits.DatasetConfig{Events: 500, End: datasetEnd()})
	require.ErrorContains(t, err, "event_key_pkey", "the same seed makes the same ids")
	require.Equal(t, int64(500), queryScalar[int64](t, database.Pool(t), "select count(*) from session s join event using (session_id)"), fmt.Sprint(err))
	_, err = limits.FillDatabase(context.Background(), database.Pool(t), limits.DatasetConfig{Events: 500})
	require.Error(t, err, "no end")
}
