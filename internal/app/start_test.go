package app_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/telemetry"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestStartRefusesASchemaThatIsBehind(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	c := apptest.LoadConfig(t, database, nil)
	require.NoError(t, cli.MigrateDown(t.Context(), c, func(postgres.MigrationStep) {}))
	requireBehind(t, c)
	applied := 0
	count := func(s postgres.MigrationStep) {
		if s.State == postgres.MigrationApplied {
			applied++
		}
	}
	require.NoError(t, cli.Migrate(t.Context(), c, count))
	require.Positive(t, applied)
	applied = 0
	require.NoError(t, cli.Migrate(t.Context(), c, count), "a second time")
	require.Zero(t, applied, "there is nothing to do")
	service, err := app.Start(t.Context(), c, telemetry.Build{}, zap.NewNop())
	require.NoError(t, err)
	require.NoError(t, service.Run(endedContext(t), nil))

	_, err = database.Pool(t).Exec(t.Context(), "drop table schema_version")
	require.NoError(t, err)
	requireBehind(t, c)
}

func requireBehind(t *testing.T, c config.Config) {
	t.Helper()
	_, err := app.Start(t.Context(), c, telemetry.Build{}, zap.NewNop())
	require.ErrorIs(t, err, postgres.ErrSchemaBehind)
	require.ErrorIs(t, err, app.ErrConfiguration)
	require.ErrorContains(t, err, "theeye migrate up")
	require.ErrorIs(t, cli.WithAdmin(t.Context(), c, func(*access.Registry) error { return nil }), postgres.ErrSchemaBehind)
}

func TestStartGivesUpOnADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	silent, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })
	for name, url := range map[string]string{
		"refused": "postgres://theeye@" + unusedAddress(t) + "/theeye",
		"silent":  "postgres://theeye@" + silent.Addr().String() + "/theeye?sslmode=disable",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(config.Sources{Flags: map[string]string{
				"database.url": url, "database.startup_timeout": "500ms", "http.listen": "127.0.0.1:0", "ops.listen": "127.0.0.1:0",
			}})
			require.NoError(t, err)
			_, err = app.Start(t.Context(), c, telemetry.Build{}, zap.NewNop())
			require.ErrorIs(t, err, app.ErrDependency)
		})
	}
}

func TestStartRefusesSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	for _, setting := range []string{"http.listen", "ops.listen"} {
		_, err := app.Start(t.Context(), apptest.LoadConfig(t, database, map[string]string{setting: taken.Addr().String()}), telemetry.Build{}, zap.NewNop())
		require.ErrorIs(t, err, app.ErrConfiguration, setting)
	}

	without, err := config.Load(config.Sources{})
	require.NoError(t, err)
	_, err = app.Start(t.Context(), without, telemetry.Build{}, zap.NewNop())
	require.ErrorIs(t, err, app.ErrConfiguration)
	require.ErrorContains(t, err, "THEEYE_DATABASE_URL")
}

// unusedAddress returns an address without a listener.
func unusedAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// endedContext returns a context that has ended.
func endedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
