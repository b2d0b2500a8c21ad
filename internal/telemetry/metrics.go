package telemetry

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// addMetrics adds the meter and its readers: Prometheus always, OTLP if asked for.
func (t *Telemetry) addMetrics(ctx context.Context, about *resource.Resource, v variables, config Config) error {
	scraped, err := prometheus.New(
		prometheus.WithRegisterer(t.registry), prometheus.WithoutScopeInfo(), prometheus.WithoutTargetInfo(),
		prometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
	)
	if err != nil {
		return fmt.Errorf("make the exporter of metrics for Prometheus: %w", err)
	}

	options := []sdk.Option{sdk.WithResource(about), sdk.WithReader(scraped), sdk.WithExemplarFilter(exemplar.TraceBasedFilter)}
	exporter, err := newMetricExporter(ctx, v)
	if err != nil {
		return err
	}

	givenUp := make(chan struct{})
	pushed := &countedMetrics{Exporter: exporter, givenUp: givenUp, logger: config.Logger}
	if exporter != nil {
		options = append(options, sdk.WithReader(sdk.NewPeriodicReader(pushed)))
	}

	provider := sdk.NewMeterProvider(options...)
	t.closers = append(t.closers, func(ctx context.Context) error {
		defer close(givenUp)

		if err := provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("send the last metrics: %w", err)
		}

		return nil
	})
	t.Meter = provider.Meter(scope)
	if err := startRuntime(provider); err != nil {
		return err
	}

	if exporter != nil {
		if err := pushed.registerMetrics(t.Meter); err != nil {
			return err
		}
	}

	return registerBuildInfo(t.Meter, config.Build)
}

func newMetricExporter(ctx context.Context, v variables) (sdk.Exporter, error) {
	const signal = "METRICS"
	var exporter sdk.Exporter
	var err error
	switch kind := v.readExporter(signal); {
	case kind == exporterNone:
		return nil, nil //nolint:nilnil // no exporter is a choice, not a failure
	case kind == exporterConsole:
		exporter, err = stdoutmetric.New()
	case v.readProtocol(signal) == protocolGRPC:
		exporter, err = otlpmetricgrpc.New(ctx)
	default:
		exporter, err = otlpmetrichttp.New(ctx)
	}

	if err != nil {
		return nil, fmt.Errorf("make the exporter of metrics: %w", err)
	}

	return exporter, nil
}

// countedMetrics counts pushes, and logs errors instead of returning them: the SDK
// would pass them to a global handler. A failed push loses only its point in time,
// because the next push carries the sums.
type countedMetrics struct {
	sdk.Exporter

	// givenUp closes when the service no longer waits for the last push.
	givenUp          <-chan struct{}
	logger           *zap.Logger
	exported, failed atomic.Int64
}

// Export implements sdk.Exporter. It always returns nil.
func (e *countedMetrics) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	ctx, cancel := withEnd(ctx, e.givenUp)
	defer cancel()

	if err := e.Exporter.Export(ctx, metrics); err != nil {
		e.failed.Add(1)
		e.logger.Warn("metrics could not be sent", zap.Error(err))
		return nil
	}

	e.exported.Add(1)
	return nil
}

// registerMetrics registers the metric of the counts.
func (e *countedMetrics) registerMetrics(meter metric.Meter) error {
	set := instrument.NewSet(meter)

	set.AddCounters("theeye.telemetry.metric.exports", "",
		"Pushes of metrics by outcome: exported or failed",
		"outcome", map[string]*atomic.Int64{"exported": &e.exported, "failed": &e.failed})

	return set.Err()
}
