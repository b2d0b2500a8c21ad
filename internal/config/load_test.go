package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/event"
)

// write makes a file and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestDefaultsAreTheContract(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{})
	require.NoError(t, err)

	require.Equal(t, ":8080", c.HTTP.Listen)
	require.Equal(t, 5*time.Second, c.HTTP.Budget)
	require.Equal(t, 32<<10, c.HTTP.MaxHeaderBytes)
	require.Equal(t, ":8081", c.Ops.Listen)
	require.Equal(t, config.SwitchOff, c.Ops.Pprof)
	require.Equal(t, time.Minute, c.Ops.CensusInterval)
	require.Zero(t, c.Database.Capacity)
	require.Equal(t, config.PoolerNone, c.Database.Pooler)
	require.Equal(t, 128<<20, c.Ingest.QueueBytes)
	require.Equal(t, 10_000, c.Errors.KeptPerHour)
	require.Zero(t, c.Retention.Events)
	require.Equal(t, time.Second, c.Access.Refresh)
	require.Equal(t, config.LogConfig{Level: "info", Format: "json", AccessEvery: 100}, c.Log)
	require.Equal(t, config.DrainConfig{Delay: 5 * time.Second, Timeout: 25 * time.Second}, c.Drain)

	rules := event.DefaultRules()
	require.EqualValues(t, rules.BodyBytes, c.Limits.BodyBytes)
	require.EqualValues(t, rules.InflatedBytes, c.Limits.InflatedBytes)
	require.Equal(t, rules.BatchEvents, c.Limits.BatchEvents)
	require.Equal(t, rules.EventBytes, c.Limits.EventBytes)
	require.Equal(t, rules.Depth, c.Limits.JSONDepth)
	require.Equal(t, rules.NumberDigits, c.Limits.NumberDigits)
	require.Equal(t, rules.MaxAhead, c.Limits.MaxAhead)
	require.Equal(t, rules.MaxAge, c.Limits.MaxAge)
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	sources := config.Sources{
		Defaults: map[string]string{"http.listen": "127.0.0.1:1", "log.format": "console"},
		File:     write(t, "c.yaml", "http: {listen: ':2', budget: 2s}\ningest:\n  lanes: 1\nlimits.batch_events: 20\n"),
		Environ:  []string{"THEEYE_HTTP_LISTEN=:3", "THEEYE_HTTP_BUDGET=3s", "HOME=/", "THEEYE_LOG_LEVEL="},
		Flags:    map[string]string{"http.listen": ":4"},
	}
	c, err := config.Load(sources)
	require.NoError(t, err)
	require.Equal(t, ":4", c.HTTP.Listen)
	require.Equal(t, 3*time.Second, c.HTTP.Budget)
	require.Equal(t, 1, c.Ingest.Lanes)
	require.Equal(t, 20, c.Limits.BatchEvents)
	require.Equal(t, "console", c.Log.Format)
	require.Equal(t, "info", c.Log.Level, "an empty variable is one that is not set")

	want := map[string]config.Source{
		"http.listen": config.SourceFlag, "http.budget": config.SourceEnv,
		"ingest.lanes": config.SourceFile, "log.format": config.SourceDefault,
	}
	for _, line := range c.Describe() {
		if source, checked := want[line.Key]; checked {
			require.Equal(t, source, line.Source, line.Key)
		}
	}
}

func TestAnOverriddenMistakeDoesNotMatter(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{
		Environ: []string{"THEEYE_HTTP_BUDGET=soon", "THEEYE_DATABASE_URL_FILE=/nowhere/at/all"},
		Flags:   map[string]string{"http.budget": "1s", "database.url": "dbname=x"},
	})
	require.NoError(t, err)
	require.Equal(t, time.Second, c.HTTP.Budget)
	require.Equal(t, "dbname=x", c.Database.URL.Reveal())
}

func TestFileByVariable(t *testing.T) {
	t.Parallel()
	path := write(t, "c.yaml", "log: {level: debug}")
	c, err := config.Load(config.Sources{Environ: []string{"THEEYE_CONFIG=" + path}})
	require.NoError(t, err)
	require.Equal(t, "debug", c.Log.Level)

	c, err = config.Load(config.Sources{Environ: []string{"THEEYE_CONFIG=/nowhere"}, File: path})
	require.NoError(t, err)
	require.Equal(t, "debug", c.Log.Level)

	_, err = config.Load(config.Sources{File: filepath.Join(t.TempDir(), "missing.yaml")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://eye:hunter2@db/eye"
	path := write(t, "url", dsn+"\r\n")
	c, err := config.Load(config.Sources{Environ: []string{"THEEYE_DATABASE_URL_FILE=" + path}})
	require.NoError(t, err)
	require.Equal(t, dsn, c.Database.URL.Reveal())
	require.NoError(t, c.RequireDatabase())

	_, err = config.Load(config.Sources{Environ: []string{"THEEYE_DATABASE_URL_FILE=" + path, "THEEYE_DATABASE_URL=dbname=x"}})
	require.ErrorContains(t, err, "both variables THEEYE_DATABASE_URL and THEEYE_DATABASE_URL_FILE are set")

	_, err = config.Load(config.Sources{Environ: []string{"THEEYE_DATABASE_URL_FILE=" + write(t, "none", "\n")}})
	require.ErrorContains(t, err, "database.url (variable THEEYE_DATABASE_URL_FILE): the file it names is empty")

	_, err = config.Load(config.Sources{Environ: []string{"THEEYE_DATABASE_URL_FILE=" + dsn}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotContains(t, err.Error(), "hunter2", "the secret itself instead of the name of its file")
}

func TestRequireDatabase(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{Environ: []string{"THEEYE_DATABASE_URL="}})
	require.NoError(t, err)
	require.ErrorContains(t, c.RequireDatabase(), "THEEYE_DATABASE_URL")
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	path := write(t, "c.yaml", "http:\n  budget: 5\nlog:\n  levl: info\n")
	c, err := config.Load(config.Sources{
		File:    path,
		Environ: []string{"THEEYE_INGEST_LANE=1", "THEEYE_INGEST_LANES=0"},
		Flags:   map[string]string{"limits.body_bytes": "1MB", "drain.timeout": "7s", "drain.delay": "7s"},
	})
	require.Zero(t, c)
	require.Error(t, err)
	require.Equal(t, []string{
		"unknown variable THEEYE_INGEST_LANE; the nearest known one is THEEYE_INGEST_LANES",
		"file " + path + " line 4: unknown setting log.levl; the nearest known one is log.level",
		"http.budget (file " + path + ` line 2) is "5": give a duration such as 250ms, 5s, 1h30m or 365d`,
		`ingest.lanes (variable THEEYE_INGEST_LANES) is "0": give at least 1`,
		`limits.body_bytes (flag --limits-body-bytes) is "1MB": give a whole number of bytes, KiB, MiB or GiB such as 64KiB`,
	}, strings.Split(err.Error(), "\n"))
}

func TestUnknownTexts(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Sources{
		Defaults: map[string]string{"http.lisen": ":1"},
		Flags:    map[string]string{"a b": "x"},
	})
	require.ErrorContains(t, err, "unknown setting http.lisen (default); the nearest known one is http.listen")
	require.ErrorContains(t, err, "unknown setting (a text that is not a name) (flag)")
}

func TestRelations(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flags map[string]string
		want  string
	}{
		{map[string]string{"http.listen": ":8081"}, "http.listen (:8081, flag --http-listen) must differ from ops.listen (:8081, default)"},
		{map[string]string{"http.read_timeout": "4s"}, "http.read_header_timeout (5s, default) must not exceed http.read_timeout (4s, flag --http-read-timeout)"},
		{map[string]string{"ingest.lanes": "4"}, "database.write_connections (4, default) must exceed ingest.lanes (4, flag --ingest-lanes)"},
		{map[string]string{"limits.body_bytes": "11MiB"}, "limits.body_bytes (11MiB, flag --limits-body-bytes) must not exceed limits.inflated_bytes (10MiB, default)"},
		{map[string]string{"limits.event_bytes": "11MiB"}, "limits.event_bytes (11MiB, flag --limits-event-bytes) must not exceed limits.inflated_bytes (10MiB, default)"},
		{map[string]string{"ingest.group_events": "999"}, "ingest.group_events (999, flag --ingest-group-events) must not be less than limits.batch_events (1000, default)"},
		{map[string]string{"ingest.group_bytes": "1MiB"}, "ingest.group_bytes (1MiB, flag --ingest-group-bytes) must not be less than limits.inflated_bytes (10MiB, default)"},
		{map[string]string{"ingest.queue_events": "4999"}, "ingest.queue_events (4999, flag --ingest-queue-events) must not be less than ingest.group_events (5000, default)"},
		{map[string]string{"ingest.queue_bytes": "15MiB"}, "ingest.queue_bytes (15MiB, flag --ingest-queue-bytes) must not be less than ingest.group_bytes (16MiB, default)"},
		{map[string]string{"drain.delay": "20s"}, "drain.timeout (25s, default) must exceed the sum of drain.delay (20s, flag --drain-delay) and http.budget (5s, default)"},
	} {
		_, err := config.Load(config.Sources{Flags: test.flags})
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "\n", "one mistake is reported once")
	}

	_, err := config.Load(config.Sources{Flags: map[string]string{"http.listen": "127.0.0.1:0", "ops.listen": "127.0.0.1:0"}})
	require.NoError(t, err, "port 0 is any free one")
	_, err = config.Load(config.Sources{Flags: map[string]string{"drain.delay": "0", "http.budget": "24s", "retention.events": "1d"}})
	require.NoError(t, err)
}
