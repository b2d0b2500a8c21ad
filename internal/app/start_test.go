package app_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/apptest"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/pgtest"
)

func TestStartRefusesASchemaThatIsBehind(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	c := apptest.LoadConfig(t, database, nil)
	require.NoError(t, app.MigrateDown(t.Context(), c))
	requireBehind(t, c)
	applied := 0
	count := func(s app.MigrationStep) {
		if s.State == app.MigrationApplied {
			applied++
		}
	}
	require.NoError(t, app.Migrate(t.Context(), c, count))
	require.Positive(t, applied)
	applied = 0
	require.NoError(t, app.Migrate(t.Context(), c, count), "a second time")
	require.Zero(t, applied, "there is nothing to do")
	service, err := app.Start(t.Context(), c, app.Build{}, zap.NewNop())
	require.NoError(t, err)
	require.NoError(t, service.Run(endedContext(t), nil))

	_, err = database.Pool(t).Exec(t.Context(), "drop table schema_version")
	require.NoError(t, err)
	requireBehind(t, c)
}

func requireBehind(t *testing.T, c config.Config) {
	t.Helper()
	_, err := app.Start(t.Context(), c, app.Build{}, zap.NewNop())
	require.ErrorIs(t, err, app.ErrSchemaBehind)
	require.ErrorIs(t, err, app.ErrConfiguration)
	require.ErrorContains(t, err, "theeye migrate up")
	require.ErrorIs(t, app.WithAdmin(t.Context(), c, func(app.Admin) error { return nil }), app.ErrSchemaBehind)
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
			_, err = app.Start(t.Context(), c, app.Build{}, zap.NewNop())
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
		_, err := app.Start(t.Context(), apptest.LoadConfig(t, database, map[string]string{setting: taken.Addr().String()}), app.Build{}, zap.NewNop())
		require.ErrorIs(t, err, app.ErrConfiguration, setting)
	}

	without, err := config.Load(config.Sources{})
	require.NoError(t, err)
	_, err = app.Start(t.Context(), without, app.Build{}, zap.NewNop())
	require.ErrorIs(t, err, app.ErrConfiguration)
	require.ErrorContains(t, err, "THEEYE_DATABASE_URL")
}

// unusedAddress is an address that nobody listens on.
func unusedAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// endedContext is a context that has ended.
func endedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
