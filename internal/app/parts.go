package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/pathindex"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/retention"
)

// stores are the stores that several parts share.
type stores struct {
	reads    *postgres.QueryStore
	keys     *postgres.AccessStore
	types    *postgres.EventTypeStore
	erasures *postgres.ErasureStore
}

// buildParts makes the parts in the order in which they need each other, and starts their
// workers.
func (s *Service) buildParts(ctx context.Context) error {
	shared := stores{
		reads:    postgres.NewQueryStore(s.db),
		keys:     postgres.NewAccessStore(s.db),
		types:    postgres.NewEventTypeStore(s.db),
		erasures: postgres.NewErasureStore(s.db),
	}
	if err := s.startCaches(ctx, shared); err != nil {
		return err
	}

	if err := s.startCollector(ctx, shared); err != nil {
		return err
	}

	s.startWorkers(ctx, shared)
	handler, err := s.newAPI(shared) //nolint:contextcheck // each request has a context of its own
	if err != nil {
		return err
	}

	guard := s.newGuard()
	s.public.listener = guard.WrapListener(s.public.listener)
	s.public.http = s.newServer(s.countRequests(handler), guard) //nolint:contextcheck // a request that is rejected before it is read has no context
	return s.startCensus(ctx)
}

// startCaches reads the keys and the event types, and keeps both current from now on.
func (s *Service) startCaches(ctx context.Context, shared stores) error {
	s.keyCache = access.NewCache(access.Config{Refresh: s.config.Access.Refresh}, access.Deps{Store: shared.keys, Logger: s.logger, Now: time.Now})
	if err := s.keyCache.Refresh(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDependency, err)
	}

	s.keyCache.Start(ctx)
	s.typeCache = eventtype.NewCache(eventtype.Unregistered(s.config.EventTypes.Unregistered), eventtype.CacheDeps{
		Store:   shared.types,
		Logger:  s.logger,
		Now:     time.Now,
		Metrics: s.metrics.types,
	})
	if err := s.typeCache.Refresh(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDependency, err)
	}

	s.typeCache.Start(ctx)
	return nil
}

// startCollector starts the lanes of group commit.
func (s *Service) startCollector(ctx context.Context, shared stores) error {
	events := postgres.NewEventStore(RejectionBounds(s.config), postgres.EventStoreDeps{
		DB:      s.db,
		NewID:   NewID,
		Now:     time.Now,
		Metrics: s.metrics.store,
	})
	s.collector = ingest.New(CollectorConfig(s.config), ingest.Deps{
		Store:   s.watchdog.watchStore(events),
		Types:   s.typeCache,
		Ledger:  shared.reads,
		Logger:  s.logger,
		NewID:   NewID,
		Now:     time.Now,
		Timings: postgres.NewTimingStore(s.db),
		Metrics: s.metrics.ingest,
		Tracer:  s.telemetry.Tracer,
	})
	s.watchdog.setQueued(s.collector.QueuedEvents)
	if err := s.collector.RegisterGauges(); err != nil {
		return err
	}

	s.collector.Start(ctx)
	return nil
}

// startWorkers starts the workers of retention, of indexes and of erasures.
func (s *Service) startWorkers(ctx context.Context, shared stores) {
	ages := s.config.Retention
	s.retentionWorker = retention.New(retention.Config{
		Events:   ages.Events,
		Errors:   ages.Errors,
		MaxAge:   s.rules.MaxAge,
		Timings:  ages.Timings,
		Audit:    ages.Audit,
		Interval: ages.Interval,
	}, postgres.NewRetentionStore(s.db), s.logger, time.Now)
	s.retentionWorker.Start(ctx)

	s.indexWorker = newIndexWorker(s.db, s.logger)
	s.indexWorker.Start(ctx)

	s.eraser = NewEraser(shared.erasures, s.logger, func() bool { return s.state.Load() != nil && s.started.Load() })
	s.eraser.Start(ctx)
}

// newIndexWorker returns the worker that builds the indexes of event types.
func newIndexWorker(db *postgres.DB, logger *zap.Logger) *pathindex.Worker {
	store := postgres.NewPathIndexStore(db)
	return pathindex.New(store, store, time.Minute, logger)
}

// newAPI returns the handler of the public port.
func (s *Service) newAPI(shared stores) (http.Handler, error) {
	c := s.config
	return httpapi.New(httpapi.Config{
		Budget:         c.HTTP.Budget,
		ReadTimeout:    c.Database.ReadTimeout,
		BodyMemory:     int64(c.Ingest.QueueBytes),
		Rules:          &s.rules,
		AccessEvery:    c.Log.AccessEvery,
		TrustedProxies: c.HTTP.TrustedProxies,
		Pace: httpapi.Pace{
			Rate:    c.HTTP.MinBodyRate,
			Grace:   c.HTTP.ReadHeaderTimeout,
			Longest: c.HTTP.ReadTimeout,
		},
	}, httpapi.Deps{
		KeyCache:      s.keyCache,
		Limiter:       access.NewLimiter(time.Now),
		PublicLimiter: access.NewPublicLimiter(time.Now),
		Failures:      access.NewFailureLimiter(c.Access.FailuresPerMinute, time.Now),
		Registry:      NewRegistry(shared.keys, s.keyCache),
		Collector:     s.collector,
		Finder:        newFinder(shared),
		Editor:        amend.New(postgres.NewAmendStore(s.db), &s.rules, s.typeCache, time.Now),
		Erasures:      s.eraser,
		Types:         eventtype.NewRegistry(shared.types, s.typeCache),
		Previewer:     eventtype.NewPreviewer(shared.types, shared.types, &s.rules, c.Database.ReadTimeout, time.Now),
		Rejections:    NewRejections(s.db, s.collector, &s.rules, func() bool { return s.state.Load() != nil }),
		Logger:        s.logger,
		Now:           time.Now,
		NewRequestID:  newRequestID,
		NewTraceID:    newTraceID,
		Propagator:    s.telemetry.Propagator,
		Tracer:        s.telemetry.Tracer,
		Metrics:       s.metrics.http,
	})
}

// newFinder returns the finder of everything that the API reads.
func newFinder(shared stores) *query.Finder {
	return &query.Finder{
		EventStore:     shared.reads,
		SessionStore:   shared.reads,
		RejectionStore: shared.reads,
		TraceStore:     shared.reads,
		AuditStore:     shared.reads,
		StatsStore:     shared.reads,
		PathStore:      shared.reads,
		ChangeStore:    shared.reads,
		SubjectStore:   shared.erasures,
	}
}
