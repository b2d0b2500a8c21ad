package retention_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/retention"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
)

func TestRoundsAreCounted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	store := &fake{before: map[string][]time.Time{}, fail: errors.New("the database is down")}
	worker := retention.New(retention.Config{Events: day, Errors: day, MaxAge: day, Interval: time.Hour}, store, zap.NewNop(), func() time.Time { return now })
	meter := metrictest.New(t)
	require.NoError(t, worker.RegisterMetrics(meter))
	const succeeded, failed = `theeye_retention_rounds_total{outcome="succeeded"}`, `theeye_retention_rounds_total{outcome="failed"}`
	require.Equal(t, map[string]float64{
		succeeded: 0, failed: 0,
		"theeye_retention_expired_events_total": 0, "theeye_retention_expired_error_partitions_total": 0,
	}, meter.Scrape(t), "counters from the start, so that a rate shows the first failure; no success yet")

	worker.RunRound(t.Context())
	require.Equal(t, map[string]float64{
		succeeded: 0, failed: 1,
		// The fake drops 7 events and a partition before it fails.
		"theeye_retention_expired_events_total": 7, "theeye_retention_expired_error_partitions_total": 1,
	}, meter.Scrape(t))

	store.fail = nil
	worker.RunRound(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	now = now.Add(time.Hour)
	store.fail = context.Canceled
	worker.RunRound(ended)
	require.Equal(t, map[string]float64{
		succeeded: 1, failed: 1,
		"theeye_retention_last_success_timestamp_seconds": float64(now.Add(-time.Hour).Unix()),
		"theeye_retention_expired_events_total":           21, "theeye_retention_expired_error_partitions_total": 3,
	}, meter.Scrape(t), "a round that is stopped neither succeeded nor failed")
	require.Equal(t, []string{
		"theeye_retention_expired_error_partitions_total counter",
		"theeye_retention_expired_events_total counter",
		"theeye_retention_last_success_timestamp_seconds gauge",
		"theeye_retention_rounds_total counter",
	}, meter.Families(t))
}
