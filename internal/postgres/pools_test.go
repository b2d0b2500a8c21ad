package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestPoolsAreMeasuredUnderContention(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(context.Background(), postgres.Config{
		URL: pgtest.New(t).DSN(), WriteConnections: 3, ReadConnections: 1,
		ConnectTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	meter := metrictest.New(t)
	require.NoError(t, db.Observe(meter))
	require.Equal(t, []string{
		"theeye_database_durable gauge",
		"theeye_database_pool_acquire_wait_seconds_total counter",
		"theeye_database_pool_acquires_total counter",
		"theeye_database_pool_canceled_acquires_total counter",
		"theeye_database_pool_connections gauge",
		"theeye_database_pool_empty_acquires_total counter",
		"theeye_database_pool_max_connections gauge",
		"theeye_database_unsafe_commits_total counter",
	}, meter.Families(t))
	seen := meter.Scrape(t)
	require.InDelta(t, 3, seen[`theeye_database_pool_max_connections{pool="write"}`], 0)
	require.InDelta(t, 1, seen[`theeye_database_pool_max_connections{pool="read"}`], 0)
	require.InDelta(t, 2, seen[`theeye_database_pool_max_connections{pool="watch"}`], 0)

	pool := db.ReadPool()
	held, err := pool.Acquire(context.Background())
	require.NoError(t, err)
	seen = meter.Scrape(t)
	require.InDelta(t, 1, seen[`theeye_database_pool_connections{pool="read",state="used"}`], 0)
	require.Zero(t, seen[`theeye_database_pool_connections{pool="read",state="idle"}`])
	require.InDelta(t, 1, seen[`theeye_database_pool_empty_acquires_total{pool="read"}`], 0, "the first request waits for the connection to be opened")
	before := seen[`theeye_database_pool_acquire_wait_seconds_total{pool="read"}`]
	require.Positive(t, before)

	const givingUp, waiting = 3, 20
	for range givingUp {
		short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		_, err := pool.Acquire(short)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}

	// So many at once, for one connection, that some have to wait.
	var asking, done sync.WaitGroup
	asking.Add(waiting)
	for range waiting {
		done.Go(func() {
			asking.Done()
			conn, err := pool.Acquire(context.Background())
			if err != nil {
				t.Errorf("a connection could not be had: %v", err)
				return
			}

			_ = conn.Ping(context.Background()) // the connection is held for a while
			conn.Release()
		})
	}

	asking.Wait()
	held.Release()
	done.Wait()
	seen = meter.Scrape(t)
	require.InDelta(t, 1+waiting, seen[`theeye_database_pool_acquires_total{pool="read"}`], 0)
	require.InDelta(t, givingUp, seen[`theeye_database_pool_canceled_acquires_total{pool="read"}`], 0)
	require.Greater(t, seen[`theeye_database_pool_empty_acquires_total{pool="read"}`], 1.0)
	require.Greater(t, seen[`theeye_database_pool_acquire_wait_seconds_total{pool="read"}`], before)
	require.InDelta(t, 1, seen[`theeye_database_pool_connections{pool="read",state="idle"}`], 0)
	require.Zero(t, seen[`theeye_database_pool_connections{pool="read",state="used"}`])
	require.Zero(t, seen[`theeye_database_pool_acquires_total{pool="write"}`])
	require.Zero(t, seen[`theeye_database_pool_canceled_acquires_total{pool="watch"}`])
}
