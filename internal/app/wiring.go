package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/rejection"
	"github.com/the-eye-events/the-eye/internal/telemetry"
)

// The functions of this file make parts from the settings. The service has all of these
// parts; commands that use the database without a service have some.

// RulesOf returns the rules for events from the settings.
func RulesOf(c config.Config) event.Rules {
	l := c.Limits
	rules := event.Rules{
		Limits: event.Limits{
			BodyBytes:     int64(l.BodyBytes),
			InflatedBytes: int64(l.InflatedBytes),
			BatchEvents:   l.BatchEvents,
			EventBytes:    l.EventBytes,
			Depth:         l.JSONDepth,
			NumberDigits:  l.NumberDigits,
		},
		MaxAhead: l.MaxAhead,
		MaxAge:   l.MaxAge,
	}
	if c.Retention.Events > 0 { // events that retention would drop are rejected
		rules.MaxAge = min(rules.MaxAge, c.Retention.Events)
	}

	return rules
}

// DatabaseConfig returns the configuration of the database from the settings.
func DatabaseConfig(c config.Config) postgres.Config {
	d := c.Database
	return postgres.Config{
		URL:               d.URL.Reveal(),
		Pooled:            d.Pooler == config.PoolerTransaction,
		WriteConnections:  d.WriteConnections,
		ReadConnections:   d.ReadConnections,
		RequireDurability: d.Durability == config.DurabilityRequire,
		ConnectTimeout:    d.ConnectTimeout,
		WriteTimeout:      c.HTTP.Budget,
		ReadTimeout:       d.ReadTimeout,
	}
}

// RejectionBounds returns the bounds for rejections from the settings.
func RejectionBounds(c config.Config) postgres.RejectionBounds {
	return postgres.RejectionBounds{
		Rows:      int64(c.Errors.KeptPerHour),
		Bytes:     int64(c.Errors.KeptBytesPerHour),
		RawBytes:  c.Limits.EventBytes,
		BodyBytes: c.Limits.BodyBytes,
	}
}

// CollectorConfig returns the configuration of group commit from the settings.
func CollectorConfig(c config.Config) ingest.Config {
	return ingest.Config{
		Budget:      c.HTTP.Budget,
		GroupEvents: c.Ingest.GroupEvents,
		GroupBytes:  c.Ingest.GroupBytes,
		QueueEvents: c.Ingest.QueueEvents,
		QueueBytes:  c.Ingest.QueueBytes,
		Lanes:       c.Ingest.Lanes,
	}
}

// NewLog returns the logger of the settings.
func NewLog(c config.Config, version string, w io.Writer) (*telemetry.Log, error) {
	log, err := telemetry.NewLog(telemetry.LogConfig{Level: c.Log.Level, Format: c.Log.Format}, w)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
	}

	log.Logger = log.With(zap.String("version", version))
	return log, nil
}

// NewRegistry returns the registry of applications and keys. The cache, which may be nil,
// is refreshed after each change.
func NewRegistry(store *postgres.AccessStore, cache access.Refresher) *access.Registry {
	return access.NewRegistry(access.RegistryDeps{
		Applications: store,
		Keys:         store,
		Cache:        cache,
		Rand:         rand.Reader,
		Now:          time.Now,
	})
}

// NewEraser returns the eraser, which begins erasures and finishes them. While stopping
// returns true, no request waits for an erasure.
func NewEraser(store erasure.Store, logger *zap.Logger, stopping func() bool) *erasure.Eraser {
	return erasure.New(erasure.DefaultConfig(), erasure.Deps{Store: store, Logger: logger, Now: time.Now, Stopping: stopping})
}

// collectorAdapter passes replayed events to the collector, as every other event.
type collectorAdapter struct{ collector *ingest.Collector }

// Submit implements rejection.Ingester.
func (g collectorAdapter) Submit(ctx context.Context, p *rejection.ReplayItem) (rejection.Verdict, error) {
	verdicts, err := g.collector.Submit(ctx, &ingest.Request{
		ID:              p.RequestID,
		Application:     p.Application,
		ApplicationName: p.ApplicationName,
		TraceID:         p.TraceID,
		ReceivedAt:      p.ReceivedAt,
		Envelopes:       []event.Envelope{p.Envelope},
		Replay:          true,
	})
	if errors.Is(err, ingest.ErrRejectedByDatabase) {
		err = fmt.Errorf("%w: %w", rejection.ErrRejectedByDatabase, err)
	}

	if err != nil {
		return rejection.Verdict{}, err
	}

	return verdictOf(&verdicts[0]), nil
}

// Check implements rejection.Ingester.
func (g collectorAdapter) Check(ctx context.Context, items []rejection.ReplayItem) ([]rejection.Verdict, error) {
	request := &ingest.Request{ReceivedAt: time.Now(), Replay: true}
	for i := range items {
		request.Envelopes = append(request.Envelopes, items[i].Envelope)
	}

	found, err := g.collector.DryRun(ctx, request)
	verdicts := make([]rejection.Verdict, len(found))
	for i := range found {
		verdicts[i] = verdictOf(&found[i])
	}

	return verdicts, err
}

func verdictOf(v *ingest.Verdict) rejection.Verdict {
	verdict := rejection.Verdict{Status: rejection.Rejected, EventID: v.EventID, Violations: v.Violations}
	switch v.Status {
	case ingest.Stored, ingest.Valid:
		verdict.Status = rejection.Stored
	case ingest.Duplicate:
		verdict.Status = rejection.Duplicate
	case ingest.Conflict, ingest.Rejected, ingest.NotStored:
	}

	return verdict
}

// NewRejections returns the service that replays and discards rejections. Its runs end when
// stopping returns true.
func NewRejections(db *postgres.DB, collector *ingest.Collector, rules *event.Rules, stopping func() bool) *rejection.Service {
	return rejection.NewService(rejection.Deps{
		Store:    postgres.NewReplayStore(db),
		Ingester: collectorAdapter{collector},
		Rules:    rules,
		Now:      time.Now,
		Stopping: stopping,
	})
}
