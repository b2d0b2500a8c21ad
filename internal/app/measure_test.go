package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// The metrics of the database, the pools, retention and the key cache are at /metrics as
// soon as a service has run for a moment.
func TestTheStateOfTheDatabaseIsExposed(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"database.capacity": "500GiB"})
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", eventJSON(uuid.New())).Status)
	require.Eventually(t, func() bool {
		metrics := s.Scrape(t)
		return metrics["theeye_census_last_success_timestamp_seconds"] != nil && metrics.SumSeries("theeye_retention_rounds_total", "outcome", "succeeded") > 0
	}, 30*time.Second, 20*time.Millisecond)
	metrics := s.Scrape(t)
	for _, name := range []string{
		"theeye_access_authentications_total", "theeye_access_directory_age_seconds", "theeye_access_directory_applications",
		"theeye_access_directory_keys", "theeye_access_refreshes_total",
		"theeye_database_capacity_bytes", "theeye_database_size_bytes", "theeye_database_table_bytes",
		"theeye_database_pool_acquire_wait_seconds_total", "theeye_database_pool_acquires_total", "theeye_database_pool_canceled_acquires_total",
		"theeye_database_pool_connections", "theeye_database_pool_empty_acquires_total", "theeye_database_pool_max_connections",
		"theeye_partitions", "theeye_partitions_ahead_seconds",
		"theeye_retention_expired_error_partitions_total", "theeye_retention_expired_events_total",
		"theeye_retention_last_success_timestamp_seconds", "theeye_retention_rounds_total",
	} {
		require.Contains(t, metrics, name)
	}

	require.InDelta(t, 1, metrics.SumSeries("theeye_access_authentications_total", "result", "accepted"), 0)
	require.Positive(t, metrics.SumSeries("theeye_database_size_bytes"))
	require.Positive(t, metrics.SumSeries("theeye_database_pool_acquires_total", "pool", "write"))
	require.NotContains(t, metrics, "theeye_database_growth_bytes_per_day", "not known so soon")
}
