package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli/probe"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// ErrURL means that the given URL of a service cannot be used.
var ErrURL = errors.New("the URL cannot be used")

// DoctorOptions say what the doctor checks, beside the database of the settings.
type DoctorOptions struct {
	// URL is the address of the API for clients; empty skips the checks from outside.
	URL string
	// OpsURL is the address of the ops port; empty skips its checks.
	OpsURL string
	// Replicas is the number of services; 0 counts the connected ones.
	Replicas int
	// Version is the version of this build.
	Version string
}

// RunDoctor checks a running deployment and changes nothing. Checks of the database and of
// each port are skipped without their URL; without any URL it returns an error.
func RunDoctor(ctx context.Context, c config.Config, o DoctorOptions) (doctor.Report, error) {
	var deps doctor.Deps
	if err := c.RequireDatabase(); err != nil && o.URL == "" && o.OpsURL == "" {
		return doctor.Report{}, fmt.Errorf("%w: %w; or give --url or --ops-url", app.ErrConfiguration, err)
	} else if err == nil {
		inspector, err := postgres.NewInspector(ctx, app.DatabaseConfig(c), time.Now)
		if err != nil {
			return doctor.Report{}, fmt.Errorf("%w: %w", app.ErrConfiguration, err)
		}
		defer inspector.Close()

		deps.Database = inspector
	}

	prober, err := probe.New(probe.Config{URL: o.URL, OpsURL: o.OpsURL}, probe.Deps{Now: time.Now})
	if err != nil {
		return doctor.Report{}, fmt.Errorf("%w: %w", ErrURL, err)
	}

	deps.Service = prober
	return doctor.Examine(ctx, doctor.Config{
		Version:           o.Version,
		WriteConnections:  c.Database.WriteConnections,
		ReadConnections:   c.Database.ReadConnections,
		ChangeConnections: postgres.ChangeConnections,
		WatchConnections:  postgres.WatchConnections,
		Replicas:          o.Replicas,
		Pooled:            c.Database.Pooler == config.PoolerTransaction,
		WriteTimeout:      c.HTTP.Budget,
		ReadTimeout:       c.Database.ReadTimeout,
		MaxAhead:          c.Limits.MaxAhead,
		TrustedProxies:    len(c.HTTP.TrustedProxies),
		Capacity:          int64(c.Database.Capacity),
	}, deps), nil
}
