package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/census"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/ops"
	"github.com/the-eye-events/the-eye/internal/pathindex"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/retention"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// ErrDependency tells that the database could not be reached in time.
var ErrDependency = errors.New("the database cannot be reached")

// ListenError tells that the service cannot listen where a setting says, as when another
// program does.
type ListenError struct {
	// Setting is http.listen or ops.listen.
	Setting string
	// Err is what the operating system answered; it names the address.
	Err error
}

func (e *ListenError) Error() string { return e.Setting + ": " + e.Err.Error() }

func (e *ListenError) Unwrap() error { return e.Err }

// ErrConfiguration tells that the service cannot run as it is set up.
var ErrConfiguration = errors.New("the service cannot run as it is set up")

// Service is a running service.
type Service struct {
	config config.Config
	logger *zap.Logger
	rules  event.Rules

	telemetry        *telemetry.Telemetry
	metrics          instruments
	db               *postgres.DB
	keyCache         *access.Cache
	typeCache        *eventtype.Cache
	collector        *ingest.Collector
	retentionWorker  *retention.Worker
	indexWorker      *pathindex.Worker
	eraser           *erasure.Eraser
	statisticsWorker *census.Worker

	public         server
	ops            server
	port           *ops.Port
	watchdog       *watchdog
	level          *ops.Level // nil: it cannot be changed
	buildInfo      telemetry.Build
	state          atomic.Pointer[string] // why it is not ready; nil when it is
	started        atomic.Bool            // stays true from the first readiness on
	listenerFailed atomic.Bool            // the public port serves no more, unasked
	inFlight       atomic.Int64
	failure        chan error
}

// server is a listener and what serves it.
type server struct {
	listener net.Listener
	http     *http.Server
}

// Start brings the service up: when it returns, both ports answer and the service
// is ready. It waits for the database up to its start-up timeout, and refuses a
// schema that is behind. The second port answers from the beginning.
func Start(ctx context.Context, c config.Config, build telemetry.Build, logger *zap.Logger, options ...Option) (*Service, error) {
	s := &Service{
		config: c, buildInfo: build, logger: logger, rules: RulesOf(c), failure: make(chan error, 2),
		watchdog: newWatchdog(c.HTTP.Budget, time.Now),
	}
	for _, set := range options {
		set(s)
	}

	s.setState("starting")
	if err := c.RequireDatabase(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	var err error
	if s.telemetry, err = telemetry.New(ctx, telemetry.Config{Build: build, Variables: c.OTel, Logger: logger}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	if s.metrics, err = s.newInstruments(ctx); err != nil {
		return nil, errors.Join(err, s.closeTelemetry(ctx))
	}

	database := DatabaseConfig(c)
	database.TracerProvider = s.telemetry.TracerProvider
	database.ReportDurability = s.reportDurability
	if s.db, err = postgres.Open(ctx, database); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, errors.Join(err, s.closeTelemetry(ctx)))
	}

	if err := s.startParts(ctx); err != nil {
		s.closeAll(ctx)
		return nil, err
	}

	return s, nil
}

func (s *Service) startParts(ctx context.Context) error {
	if err := s.db.Observe(s.telemetry.Meter); err != nil {
		return err
	}

	var listen net.ListenConfig
	var err error
	if s.ops.listener, err = listen.Listen(ctx, "tcp", s.config.Ops.Listen); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, &ListenError{Setting: "ops.listen", Err: err})
	}

	if s.public.listener, err = listen.Listen(ctx, "tcp", s.config.HTTP.Listen); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, &ListenError{Setting: "http.listen", Err: err})
	}

	s.port = s.newOps()
	s.ops.http = ops.NewServer(s.port, s.logger)
	s.serveListener(&s.ops)
	if err := s.awaitDatabase(ctx); err != nil {
		return err
	}

	if err := s.buildParts(ctx); err != nil {
		return err
	}

	s.serveListener(&s.public)
	s.started.Store(true)
	s.state.Store(nil)
	s.logger.Info("the service is ready", zap.String("listen", s.Addr()), zap.String("ops_listen", s.OpsAddr()))
	return nil
}

// buildParts makes the parts and starts those that run.
func (s *Service) buildParts(ctx context.Context) error {
	c := s.config
	reads := postgres.NewQueryStore(s.db)
	keys := postgres.NewAccessStore(s.db)
	s.keyCache = access.NewCache(access.Config{Refresh: c.Access.Refresh}, access.Deps{Store: keys, Logger: s.logger, Now: time.Now})
	if err := s.keyCache.Refresh(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDependency, err)
	}

	s.keyCache.Start(ctx)
	types := postgres.NewEventTypeStore(s.db)
	s.typeCache = eventtype.NewCache(eventtype.Unregistered(c.EventTypes.Unregistered), eventtype.CacheDeps{
		Store: types, Logger: s.logger, Now: time.Now, Metrics: s.metrics.types,
	})
	if err := s.typeCache.Refresh(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDependency, err)
	}

	s.typeCache.Start(ctx)
	events := postgres.NewEventStore(RejectionBounds(c), postgres.EventStoreDeps{DB: s.db, NewID: NewID, Now: time.Now, Metrics: s.metrics.store})
	s.collector = ingest.New(CollectorConfig(c), ingest.Deps{
		Store: s.watchdog.watchStore(events), Types: s.typeCache, Ledger: reads, Logger: s.logger, NewID: NewID, Now: time.Now,
		Timings: postgres.NewTimingStore(s.db), Metrics: s.metrics.ingest, Tracer: s.telemetry.Tracer,
	})
	s.watchdog.setQueued(s.collector.QueuedEvents)
	if err := s.collector.RegisterGauges(); err != nil {
		return err
	}

	s.collector.Start(ctx)
	s.retentionWorker = retention.New(retention.Config{
		Events: c.Retention.Events, Errors: c.Retention.Errors, MaxAge: s.rules.MaxAge, Timings: c.Retention.Timings, Audit: c.Retention.Audit, Interval: c.Retention.Interval,
	}, postgres.NewRetentionStore(s.db), s.logger, time.Now)
	s.retentionWorker.Start(ctx)
	s.indexWorker = newIndexWorker(s.db, s.logger)
	s.indexWorker.Start(ctx)
	erasures := postgres.NewErasureStore(s.db)
	s.eraser = NewEraser(erasures, s.logger, func() bool { return s.state.Load() != nil && s.started.Load() })
	s.eraser.Start(ctx)
	handler, err := httpapi.New(httpapi.Config{ //nolint:contextcheck // each request has a context of its own
		Budget: c.HTTP.Budget, ReadTimeout: c.Database.ReadTimeout, BodyMemory: int64(c.Ingest.QueueBytes), Rules: &s.rules,
		AccessEvery: c.Log.AccessEvery, Pace: httpapi.Pace{Rate: c.HTTP.MinBodyRate, Grace: c.HTTP.ReadHeaderTimeout, Longest: c.HTTP.ReadTimeout},
	}, httpapi.Deps{
		KeyCache: s.keyCache, Limiter: access.NewLimiter(time.Now), Failures: access.NewFailureLimiter(c.Access.FailuresPerMinute, time.Now), Registry: NewRegistry(keys, s.keyCache), Collector: s.collector,
		Finder:    &query.Finder{EventStore: reads, SessionStore: reads, RejectionStore: reads, TraceStore: reads, AuditStore: reads, StatsStore: reads, PathStore: reads, ChangeStore: reads, SubjectStore: erasures},
		Editor:    amend.New(postgres.NewAmendStore(s.db), &s.rules, s.typeCache, time.Now),
		Erasures:  s.eraser,
		Types:     eventtype.NewRegistry(types, s.typeCache),
		Previewer: eventtype.NewPreviewer(types, types, &s.rules, c.Database.ReadTimeout, time.Now),
		Logger:    s.logger, Now: time.Now, NewRequestID: newRequestID, NewTraceID: newTraceID,
		Propagator: s.telemetry.Propagator, Tracer: s.telemetry.Tracer, Metrics: s.metrics.http,
		Rejections: NewRejections(s.db, s.collector, &s.rules, func() bool { return s.state.Load() != nil }),
	})
	if err != nil {
		return err
	}

	guard := s.newGuard()
	s.public.listener = guard.WrapListener(s.public.listener)
	s.public.http = s.newServer(s.countRequests(handler), guard) //nolint:contextcheck // what is refused before a request is read has no context
	return s.startCensus(ctx)
}

// newIndexWorker makes what builds the indexes that event types ask for.
func newIndexWorker(db *postgres.DB, logger *zap.Logger) *pathindex.Worker {
	store := postgres.NewPathIndexStore(db)
	return pathindex.New(store, store, time.Minute, logger)
}

// awaitDatabase waits until the database answers and its schema is current.
func (s *Service) awaitDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Database.StartupTimeout)
	defer cancel()

	const pause = 250 * time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()

	var cause error
	for {
		err := s.db.CheckSchema(ctx)
		if wrong := postgres.AsPoolerError(err); wrong != nil {
			return fmt.Errorf("%w: %w", ErrConfiguration, wrong)
		}

		if errors.Is(err, postgres.ErrSchemaBehind) || errors.Is(err, postgres.ErrEncoding) {
			return fmt.Errorf("%w: %w", ErrConfiguration, err)
		}

		if err == nil {
			return s.checkDurability(ctx)
		}

		if cause == nil || ctx.Err() == nil { // the last attempt was cut off and knows nothing
			cause = err
		}

		s.setState("waiting for the database")
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrDependency, cause)
		}
	}
}

// checkDurability reports the settings of the database that break a promise of the service.
func (s *Service) checkDurability(ctx context.Context) error {
	if _, err := s.db.ReadWeaknesses(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDependency, err)
	}

	return nil
}

// reportDurability is called when a setting of the database begins to break the promise
// that acknowledged events are kept, and when none does any more.
func (s *Service) reportDurability(found []postgres.Weakness) {
	if len(found) == 0 {
		s.logger.Info("the database keeps what it commits again")
	}

	for _, w := range found {
		s.logger.Error("a setting of the database can lose acknowledged events; turn it on",
			zap.String("setting", w.Setting), zap.String("value", w.Value), zap.String("effect", w.Effect))
	}
}

// newServer bounds what a client can hold on to. Streams set their own write deadline.
func (s *Service) newServer(handler http.Handler, guard *httpapi.Guard) *http.Server {
	const writeSlack = time.Minute
	h := s.config.HTTP
	errorLog, err := zap.NewStdLogAt(s.logger, zap.WarnLevel)
	if err != nil { // the level is a constant
		errorLog = zap.NewStdLog(s.logger)
	}

	var protocols http.Protocols
	protocols.SetHTTP1(true) // and no HTTP/2 in clear text, whose streams nothing here bounds
	return &http.Server{
		Handler: handler, Protocols: &protocols, ConnState: s.trackConnections(guard), ReadHeaderTimeout: h.ReadHeaderTimeout, ReadTimeout: h.ReadTimeout, IdleTimeout: h.IdleTimeout,
		WriteTimeout: h.ReadTimeout + s.config.Database.ReadTimeout + writeSlack, MaxHeaderBytes: h.MaxHeaderBytes,
		ErrorLog: errorLog,
	}
}

func (s *Service) serveListener(on *server) {
	go func() {
		if err := on.http.Serve(on.listener); !errors.Is(err, http.ErrServerClosed) {
			if on == &s.public {
				s.listenerFailed.Store(true)
			}

			s.failure <- fmt.Errorf("serve %s: %w", on.listener.Addr(), err)
		}
	}()
}

// countRequests counts the requests that are being served, and asks clients to close
// their connections from the moment the service is to stop: an idle one that is
// closed under a client's hands may cost it a request.
func (s *Service) countRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inFlight.Add(1)
		defer s.inFlight.Add(-1)

		if s.state.Load() != nil {
			w.Header().Set("Connection", "close")
		}

		next.ServeHTTP(w, r)
	})
}

// Addr is where the public port listens.
func (s *Service) Addr() string { return s.public.listener.Addr().String() }

// OpsAddr is where the second port listens.
func (s *Service) OpsAddr() string { return s.ops.listener.Addr().String() }

// setState notes why the service is not ready.
func (s *Service) setState(state string) { s.state.Store(&state) }
