package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/census"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/instrument"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// instruments are the instruments of the parts of the service.
type instruments struct {
	ingest *ingest.Metrics
	http   *httpapi.Metrics
	store  *postgres.Metrics
	types  *eventtype.Metrics
}

// newInstruments returns the instruments of the parts, and registers those of the service.
func (s *Service) newInstruments(ctx context.Context) (made instruments, err error) {
	types := make([]ingest.EventType, len(s.config.Metrics.EventTypes))
	for i, t := range s.config.Metrics.EventTypes {
		types[i] = ingest.EventType(t)
	}

	meter := s.telemetry.Meter
	var failed [5]error
	made.ingest, failed[0] = ingest.NewMetrics(ctx, meter, types)
	made.http, failed[1] = httpapi.NewMetrics(meter)
	made.store, failed[2] = postgres.NewMetrics(ctx, meter)
	made.types, failed[3] = eventtype.NewMetrics(meter)
	failed[4] = s.registerMetrics(meter)
	return made, errors.Join(failed[:]...)
}

// registerMetrics registers the state of the service as metrics.
func (s *Service) registerMetrics(meter metric.Meter) error {
	set := instrument.NewSet(meter)
	set.AddGauge("theeye.http.requests.in_flight", "{request}", "Requests being served", s.inFlight.Load)

	_, ready := meter.Int64ObservableGauge("theeye.ready",
		metric.WithDescription("Whether the service accepts requests, as /readyz reports: 1 or 0"),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			state := int64(0)
			if s.state.Load() == nil && s.port.IsReady(ctx) { // the port exists by then
				state = 1
			}

			o.Observe(state)
			return nil
		}))
	if err := errors.Join(set.Err(), ready); err != nil {
		return fmt.Errorf("make an instrument: %w", err)
	}

	return nil
}

// startCensus starts the worker of database statistics, and registers the metrics of the
// database and of the parts.
func (s *Service) startCensus(ctx context.Context) error {
	s.statisticsWorker = census.New(census.Config{
		Interval: s.config.Ops.CensusInterval,
		Capacity: int64(s.config.Database.Capacity),
	}, census.Deps{
		Store:  postgres.NewCensusStore(s.db),
		Logger: s.logger,
		Now:    time.Now,
		After:  s.retentionWorker.Prepared(),
	})
	meter := s.telemetry.Meter
	err := errors.Join(
		s.keyCache.RegisterMetrics(meter),
		s.retentionWorker.RegisterMetrics(meter),
		s.eraser.RegisterMetrics(meter),
		s.statisticsWorker.RegisterMetrics(meter),
	)
	if err != nil {
		return err
	}

	s.statisticsWorker.Start(ctx)
	return nil
}

// closeTelemetry sends the remaining traces and metrics, also after ctx has ended. A dead
// collector delays the stop by at most this long, and delays no request.
func (s *Service) closeTelemetry(ctx context.Context) error {
	const timeout = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()

	return s.telemetry.Close(ctx)
}
