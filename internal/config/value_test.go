package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

func load(key, text string) (config.Config, error) {
	return config.Load(config.Sources{Flags: map[string]string{key: text}})
}

// shown returns the setting as Describe shows it.
func shown(t *testing.T, c config.Config, key string) string {
	t.Helper()
	for _, line := range c.Describe() {
		if line.Key == key {
			return line.Value
		}
	}

	t.Fatalf("%s is not described", key)
	return ""
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		value time.Duration
		shown string
	}{
		"0":      {0, "0s"},
		"0s":     {0, "0s"},
		"0d":     {0, "0s"},
		"24h":    {24 * time.Hour, "24h"},
		"1d":     {24 * time.Hour, "24h"},
		"365d":   {8760 * time.Hour, "8760h"},
		"1d12h":  {36 * time.Hour, "36h"},
		"1d30m":  {24*time.Hour + 30*time.Minute, "24h30m"},
		"1d0.5s": {24*time.Hour + 500*time.Millisecond, "24h0m0.5s"},
		"1d10s":  {24*time.Hour + 10*time.Second, "24h0m10s"},
	} {
		c, err := load("retention.events", text)
		require.NoError(t, err, text)
		require.Equal(t, want.value, c.Retention.Events, text)
		require.Equal(t, want.shown, shown(t, c, "retention.events"))
	}

	for _, text := range []string{
		"", "5", "d", "1dd", "-1d", "1.5d", "1d-1h", "-1h", "1h1d", "365 d", "106752d", "106751d24h",
		"9223372036854775807d", "9999999999999999999d", "soon", " 24h", "1y",
	} {
		_, err := load("retention.events", text)
		require.ErrorContains(t, err, "give a duration", text)
	}

	for _, text := range []string{"1ns", "23h59m"} {
		_, err := load("retention.errors", text)
		require.ErrorContains(t, err, "give 0 (off) or at least 24h", text)
	}

	_, err := load("access.refresh", "3001ms")
	require.ErrorContains(t, err, "give at most 3s")
	_, err = load("access.refresh", "0")
	require.ErrorContains(t, err, "give at least 10ms")
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		value int
		shown string
	}{
		"1048577": {1<<20 + 1, "1048577"},
		"2MiB":    {2 << 20, "2MiB"},
		"2 MiB":   {2 << 20, "2MiB"},
		"1536KiB": {1536 << 10, "1536KiB"},
		"3145728": {3 << 20, "3MiB"},
	} {
		c, err := load("limits.body_bytes", text)
		require.NoError(t, err, text)
		require.Equal(t, want.value, c.Limits.BodyBytes, text)
		require.Equal(t, want.shown, shown(t, c, "limits.body_bytes"))
	}

	for _, text := range []string{"", "KiB", "1MB", "1M", "1mib", "1.5MiB", "1TiB", "9223372036854775807GiB", "99999999999999999999", "1KiBKiB", "0x10"} {
		_, err := load("limits.body_bytes", text)
		require.ErrorContains(t, err, "give a whole number of bytes", text)
	}

	for text, want := range map[string]string{
		"-1": "at least 1", "0": "at least 1", "-9007199254740992KiB": "at least 1", "2GiB": "at most 1GiB",
	} {
		_, err := load("limits.body_bytes", text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"0": 0, "1MiB": 1 << 20, "500GiB": 500 << 30, "8192GiB": 8192 << 30} {
		c, err := load("database.capacity", text)
		require.NoError(t, err, text)
		require.Equal(t, want, c.Database.Capacity)
		require.Equal(t, text, shown(t, c, "database.capacity"))
	}

	_, err := load("database.capacity", "500") // the unit was forgotten
	require.ErrorContains(t, err, "give 0 (off) or at least 1MiB")
	_, err = load("ops.census_interval", "9s")
	require.ErrorContains(t, err, "give at least 10s")
	_, err = load("ops.census_interval", "61m")
	require.ErrorContains(t, err, "give at most 1h")
}

func TestOtherKinds(t *testing.T) {
	t.Parallel()
	for key, texts := range map[string][]string{
		"http.listen":             {"", "8080", "localhost", ":http", ":65536", ":-1", "::1:80", "a:b:1", "http://a:80"},
		"limits.json_depth":       {"", "0", "129", "many", "1e2"},
		"database.pooler":         {"", "session", "None"},
		"log.level":               {"", "trace", "INFO"},
		"log.format":              {"text"},
		"database.url":            {"hunter2", "http://db/eye", "db.example.com:5432"},
		"limits.number_digits":    {"0", "1001"},
		"errors.kept_per_hour":    {"0", "-1"},
		"retention.interval":      {"0", "25h"},
		"http.max_header_bytes":   {"1", "1GiB"},
		"drain.timeout":           {"0", "-1s"},
		"ingest.queue_events":     {"100000000"},
		"database.write_connecti": {"1"},
	} {
		for _, text := range texts {
			_, err := load(key, text)
			require.ErrorContains(t, err, key, text)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}

	for key, texts := range map[string][]string{
		"http.listen":       {":0", "[::1]:80", "0.0.0.0:8080", "localhost:65535"},
		"limits.json_depth": {"1", "128"},
		"database.pooler":   {"none", "transaction"},
		"log.level":         {"debug", "info", "warn", "error"},
		"database.url":      {"", "postgres://", "postgresql://h/d", "dbname=d", "host=/tmp dbname=d"},
	} {
		for _, text := range texts {
			_, err := load(key, text)
			require.NoError(t, err, text)
		}
	}
}
