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

// instruments are what the parts of the service measure with.
type instruments struct {
	ingest *ingest.Metrics
	http   *httpapi.Metrics
	store  *postgres.Metrics
	types  *eventtype.Metrics
}

// newInstruments makes the instruments of the parts, and those of the service itself.
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

// registerMetrics makes the state of the service a metric.
func (s *Service) registerMetrics(meter metric.Meter) error {
	set := instrument.NewSet(meter)
	set.AddGauge("theeye.http.requests.in_flight", "{request}", "Requests being served", s.inFlight.Load)

	_, ready := meter.Int64ObservableGauge("theeye.ready",
		metric.WithDescription("Whether the service accepts requests, as /readyz reports: 1 or 0"),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			state := int64(0)
			if s.state.Load() == nil && s.port.IsReady(ctx) { // there is a port by then
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

// startCensus takes stock of the database from now on, and makes what is found there,
// and what the parts know of themselves, metrics.
func (s *Service) startCensus(ctx context.Context) error {
	s.statisticsWorker = census.New(census.Config{
		Interval: s.config.Ops.CensusInterval, Capacity: int64(s.config.Database.Capacity),
	}, census.Deps{Store: postgres.NewCensusStore(s.db), Logger: s.logger, Now: time.Now, After: s.retentionWorker.Prepared()})
	meter := s.telemetry.Meter
	if err := errors.Join(s.keyCache.RegisterMetrics(meter), s.retentionWorker.RegisterMetrics(meter), s.eraser.RegisterMetrics(meter), s.statisticsWorker.RegisterMetrics(meter)); err != nil {
		return err
	}

	s.statisticsWorker.Start(ctx)
	return nil
}

// closeTelemetry sends what is left of traces and metrics, also when ctx has ended. A dead
// collector costs the stop this long, and no request anything.
func (s *Service) closeTelemetry(ctx context.Context) error {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()

	return s.telemetry.Close(ctx)
}
