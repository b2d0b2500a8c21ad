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
	"github.com/the-eye-events/the-eye/internal/retention"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// ErrDependency means that the database could not be reached in time.
var ErrDependency = errors.New("the database cannot be reached")

// ListenError means that the service cannot listen on a configured address, for example
// because another program does.
type ListenError struct {
	// Setting is http.listen or ops.listen.
	Setting string
	// Err is the error of the operating system; it names the address.
	Err error
}

// Error implements error.
func (e *ListenError) Error() string { return e.Setting + ": " + e.Err.Error() }

// Unwrap returns the error of the operating system.
func (e *ListenError) Unwrap() error { return e.Err }

// ErrConfiguration means that the service cannot run with its configuration.
var ErrConfiguration = errors.New("the service cannot run with this configuration")

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
	level          *ops.Level // nil if it cannot be changed
	buildInfo      telemetry.Build
	state          atomic.Pointer[string] // why it is not ready; nil if it is
	started        atomic.Bool            // stays true from the first readiness on
	listenerFailed atomic.Bool            // the public port stopped serving by itself
	inFlight       atomic.Int64
	failure        chan error
}

// server is a listener with its HTTP server.
type server struct {
	listener net.Listener
	http     *http.Server
}

// Start brings the service up: when it returns, both ports answer and the service
// is ready. It waits for the database up to its start-up timeout, and fails if the
// schema is behind. The ops port answers from the beginning.
func Start(ctx context.Context, c config.Config, build telemetry.Build, logger *zap.Logger, options ...Option) (*Service, error) {
	s := &Service{
		config:    c,
		buildInfo: build,
		logger:    logger,
		rules:     RulesOf(c),
		failure:   make(chan error, 2),
		watchdog:  newWatchdog(c.HTTP.Budget, time.Now),
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

		if cause == nil || ctx.Err() == nil { // the error of an interrupted attempt says nothing about the database
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

// checkDurability reads and reports the database settings that break a promise of the
// service.
func (s *Service) checkDurability(ctx context.Context) error {
	if _, err := s.db.ReadWeaknesses(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrDependency, err)
	}

	return nil
}

// reportDurability logs the database settings that begin to break the promise that
// acknowledged events are kept, and logs when none does any longer.
func (s *Service) reportDurability(found []postgres.Weakness) {
	if len(found) == 0 {
		s.logger.Info("the database settings are durable again")
	}

	for _, w := range found {
		s.logger.Error("a database setting can lose acknowledged events; turn it on",
			zap.String("setting", w.Setting), zap.String("value", w.Value), zap.String("effect", w.Effect))
	}
}

// newServer returns a server with limits on the resources of a client. Streams set their own
// write deadline.
func (s *Service) newServer(handler http.Handler, guard *httpapi.Guard) *http.Server {
	const writeSlack = time.Minute
	h := s.config.HTTP
	errorLog, err := zap.NewStdLogAt(s.logger, zap.WarnLevel)
	if err != nil { // the level is a constant
		errorLog = zap.NewStdLog(s.logger)
	}

	var protocols http.Protocols
	protocols.SetHTTP1(true) // not HTTP/2 in clear text, because nothing here bounds its streams
	return &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ConnState:         s.trackConnections(guard),
		ReadHeaderTimeout: h.ReadHeaderTimeout,
		ReadTimeout:       h.ReadTimeout,
		IdleTimeout:       h.IdleTimeout,
		WriteTimeout:      h.ReadTimeout + s.config.Database.ReadTimeout + writeSlack,
		MaxHeaderBytes:    h.MaxHeaderBytes,
		ErrorLog:          errorLog,
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

// countRequests counts the requests in flight. While the service is not ready, it asks
// clients to close their connections: if the service closed an idle connection itself, a
// client could lose a request on it.
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

// Addr returns the address of the public port.
func (s *Service) Addr() string { return s.public.listener.Addr().String() }

// OpsAddr returns the address of the ops port.
func (s *Service) OpsAddr() string { return s.ops.listener.Addr().String() }

// setState records why the service is not ready.
func (s *Service) setState(state string) { s.state.Store(&state) }
