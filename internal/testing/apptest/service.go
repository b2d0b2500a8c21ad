package apptest

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/telemetry"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// Service is a running service with an application "shop" that has a key of each
// scope. It embeds a client that uses the admin key.
type Service struct {
	*Client
	// Ops is the base URL of the ops port.
	Ops      string
	Database *pgtest.Database
	// Keys of the application "shop". Read is bound to it, ReadAll is organisation-wide.
	Ingest, Read, ReadAll, Admin string
}

// ServiceRole is the role of the services of tests: it owns nothing and cannot create,
// alter or drop anything.
const ServiceRole = "theeye_service"

// Start starts a service on its own database, and stops it when the test ends.
// settings, from key to text, are added to the defaults.
func Start(t testing.TB, settings map[string]string) *Service {
	t.Helper()
	return StartOn(t, pgtest.New(t), settings)
}

// StartOn starts a service, possibly another replica, on a migrated database.
func StartOn(t testing.TB, database *pgtest.Database, settings map[string]string) *Service {
	t.Helper()
	ctx := context.Background()
	c := LoadConfig(t, database, settings)
	s := &Service{Database: database}
	require.NoError(t, cli.WithAdmin(ctx, c, func(a *access.Registry) error {
		if _, err := a.FindApplication(ctx, "shop"); err != nil {
			if _, err := a.CreateApplication(ctx, access.ApplicationSpec{Name: "shop"}); err != nil {
				return err
			}
		}

		for _, want := range []struct {
			key   *string
			scope access.Scope
			all   bool
		}{{&s.Ingest, "ingest", false}, {&s.Read, "read", false}, {&s.ReadAll, "read", true}, {&s.Admin, "admin", false}} {
			made, err := a.CreateKey(ctx, "shop", access.KeySpec{Scopes: []access.Scope{want.scope}, OrganisationWide: want.all})
			if err != nil {
				return err
			}

			*want.key = made.Text
		}

		return nil
	}))
	require.NoError(t, cli.MakeRoles(ctx, c, postgres.Roles{Service: ServiceRole}))
	asService := map[string]string{"database.url": database.DSNAs(ServiceRole)}
	maps.Copy(asService, settings)
	service, err := app.Start(ctx, LoadConfig(t, database, asService), telemetry.Build{}, zap.NewNop())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- service.Run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
	s.Client = NewClient("http://"+service.Addr(), s.Admin)
	t.Cleanup(s.HTTP.CloseIdleConnections)
	s.Ops = "http://" + service.OpsAddr()
	return s
}

// LoadConfig returns the settings of a test's service: free ports, no drain delay. Settings
// that begin with OTEL_ are environment variables.
func LoadConfig(t testing.TB, database *pgtest.Database, settings map[string]string) config.Config {
	t.Helper()
	all := map[string]string{
		"database.url":               database.DSN(),
		"http.listen":                "127.0.0.1:0",
		"ops.listen":                 "127.0.0.1:0",
		"drain.delay":                "0s",
		"access.failures_per_minute": "0", // tests fail from one address, and often
	}
	var environ []string
	for key, text := range settings {
		if strings.HasPrefix(key, "OTEL_") {
			environ = append(environ, key+"="+text)
		} else {
			all[key] = text
		}
	}

	c, err := config.Load(config.Sources{Flags: all, Environ: environ})
	require.NoError(t, err)
	return c
}
