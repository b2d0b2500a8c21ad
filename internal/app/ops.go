package app

import (
	"context"
	"errors"
	"time"

	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/ops"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// Option is an option of Start.
type Option func(*Service)

// WithLog lets operators change the log level of the service. log must be the one whose
// logger is passed to Start.
func WithLog(log *telemetry.Log) Option {
	return func(s *Service) { s.level = ops.NewLevel(log.Level, log.Logger, time.Now) }
}

// The errors of the probes. They do not include their causes, which may name hosts and users.
var (
	errListener = errors.New("the API's port no longer listens")
	errKeys     = errors.New("keys cannot be checked")
	errTypes    = errors.New("events cannot be checked against their types")
	errUnsafe   = errors.New("a database setting can lose acknowledged events; the log names it")
	errRefusing = errors.New("a database setting can lose events, and nothing is stored until it is corrected (database.durability: require); the log names it")
)

// newOps returns the handler of the ops port.
func (s *Service) newOps() *ops.Port {
	var settings []ops.Setting
	for _, line := range s.config.Describe() {
		settings = append(settings, ops.Setting{Key: line.Key, Value: line.Value, Source: string(line.Source)})
	}

	return ops.New(ops.Config{
		Startup:  []ops.Check{{Name: "started", Required: true, Run: s.checkStarted}},
		Ready:    s.readinessChecks(),
		Build:    ops.Build(s.buildInfo),
		Settings: settings,
		Level:    s.level,
		Metrics:  s.telemetry.MetricsHandler(),
		Profiles: s.config.Ops.Pprof == config.SwitchOn,
		Now:      time.Now,
	})
}

// readinessChecks returns the checks of readiness. A check is required if its failure
// concerns this replica alone. A database outage affects every replica: without any replica,
// a proxy would answer instead of the service's own clear errors. So it is only reported,
// unless an operator decides otherwise.
func (s *Service) readinessChecks() []ops.Check {
	const keepFor = time.Second
	needsDatabase := s.config.Ops.ReadyNeedsDatabase == config.SwitchOn
	return []ops.Check{
		{Name: "state", Required: true, Run: s.checkState},
		{Name: "listener", Required: true, Run: func(context.Context) error {
			if s.listenerFailed.Load() {
				return errListener
			}

			return nil
		}},
		{Name: "lanes", Required: true, Run: s.watchdog.checkLanes},
		{Name: "keys", Required: needsDatabase, Run: func(context.Context) error {
			if !s.started.Load() || s.keyCache.Ready() != nil {
				return errKeys
			}

			return nil
		}},
		{Name: "event_types", Required: needsDatabase, Run: func(context.Context) error {
			if !s.started.Load() || s.typeCache.Ready() != nil {
				return errTypes
			}

			return nil
		}},
		{Name: "database", Required: needsDatabase, KeepFor: keepFor, Run: func(ctx context.Context) error {
			if s.db.Ping(ctx) != nil {
				return ErrDependency
			}

			return nil
		}},
		{Name: "durability", Run: func(context.Context) error {
			switch {
			case len(s.db.Weaknesses()) == 0:
				return nil
			case s.config.Database.Durability == config.DurabilityRequire:
				return errRefusing
			}

			return errUnsafe
		}},
	}
}

// checkState returns an error while the service starts or stops.
func (s *Service) checkState(context.Context) error {
	if state := s.state.Load(); state != nil {
		return errors.New(*state)
	}

	return nil
}

// checkStarted returns an error until the start has succeeded, and never after that.
func (s *Service) checkStarted(ctx context.Context) error {
	if s.started.Load() {
		return nil
	}

	return s.checkState(ctx)
}
