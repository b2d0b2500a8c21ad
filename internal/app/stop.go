package app

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/background"
)

// ErrAbandoned means that the service stopped before every request was answered.
var ErrAbandoned = errors.New("requests were abandoned")

// Run serves until ctx ends or a listener fails, and then drains: it reports not ready,
// keeps serving for the drain delay while proxies notice, asks clients to close, accepts no
// new connections, answers the requests in flight, commits the queue, and closes the
// database. hurry, or the drain timeout, ends this early; then ErrAbandoned is returned
// with the number of abandoned requests and events.
func (s *Service) Run(ctx context.Context, hurry <-chan struct{}) error {
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-s.failure:
	}

	return errors.Join(failed, s.Drain(context.WithoutCancel(ctx), hurry))
}

// Drain does the same without waiting for ctx to end.
func (s *Service) Drain(ctx context.Context, hurry <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Drain.Timeout)
	defer cancel()

	go func() {
		select {
		case <-hurry:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.setState("stopping")
	s.logger.Info("stopping", zap.Duration("delay", s.config.Drain.Delay), zap.Duration("timeout", s.config.Drain.Timeout))
	background.Wait(ctx, s.config.Drain.Delay)
	s.public.http.SetKeepAlivesEnabled(false)
	shutdown := s.public.http.Shutdown(ctx)
	left := s.inFlight.Load()
	events := s.collector.Stop(ctx)
	s.closeAll(ctx)
	if shutdown != nil || events > 0 {
		return fmt.Errorf("%w: %d requests, %d events", ErrAbandoned, left, events)
	}

	s.logger.Info("stopped")
	return nil
}

// closeAll closes everything that is open, at once, also when ctx has ended.
func (s *Service) closeAll(ctx context.Context) {
	if s.public.http != nil {
		_ = s.public.http.Close() // it is shut down, or abandoned
	}

	if s.public.listener != nil {
		_ = s.public.listener.Close() // as above
	}

	if s.retentionWorker != nil {
		s.retentionWorker.Stop()
	}

	if s.indexWorker != nil {
		s.indexWorker.Stop()
	}

	if s.eraser != nil {
		s.eraser.Stop()
	}

	if s.statisticsWorker != nil {
		s.statisticsWorker.Stop()
	}

	if s.keyCache != nil {
		s.keyCache.Stop()
	}

	if s.typeCache != nil {
		s.typeCache.Stop()
	}

	if s.collector != nil {
		done, cancel := context.WithCancel(ctx)
		cancel()
		s.collector.Stop(done)
	}

	if s.ops.http != nil {
		_ = s.ops.http.Close() // no request on it is worth waiting for
	}

	if s.ops.listener != nil {
		_ = s.ops.listener.Close() // as above
	}

	if s.level != nil {
		s.level.Stop()
	}

	s.db.Close()
	if err := s.closeTelemetry(ctx); err != nil {
		s.logger.Warn("the last traces or metrics could not be sent", zap.Error(err))
	}
}
