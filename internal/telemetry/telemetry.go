package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// scope names the origin of all spans and metrics of the service.
const scope = "github.com/the-eye-events/the-eye"

// Build identifies the build of this program.
type Build struct {
	Version   string
	Revision  string
	GoVersion string
}

// Config describes the service and the exporters.
type Config struct {
	Build Build
	// Variables are the OTEL_ variables of the environment, by name. The exporters read
	// their own variables (OTEL_EXPORTER_OTLP_...) from the process's environment.
	Variables map[string]string
	// Logger logs invalid variables and failed exports.
	Logger *zap.Logger
}

// Telemetry holds the meter and the tracer of the service. It is safe for concurrent
// use.
type Telemetry struct {
	// Meter makes instruments. It does nothing when the SDK is disabled.
	Meter metric.Meter
	// Tracer makes spans; nil when no trace is exported.
	Tracer trace.Tracer
	// TracerProvider is the provider of Tracer, for libraries; it is nil when Tracer
	// is.
	TracerProvider trace.TracerProvider
	// Propagator reads the trace context of requests.
	Propagator propagation.TextMapPropagator

	registry *prometheus.Registry
	closers  []func(context.Context) error
}

// New builds traces and metrics from the standard OTEL_ variables (OpenTelemetry
// specification, "Environment Variable Specification"). An invalid value is logged, and
// the default is used. Two defaults differ from the specification: nothing is exported
// unless an exporter or an OTLP endpoint is named, and 1 % of the traces that begin
// here are sampled. It connects to nothing; Close has to be called.
func New(ctx context.Context, config Config) (*Telemetry, error) {
	variables := newVariables(config.Variables, config.Logger)
	t := &Telemetry{Propagator: variables.readPropagator(), registry: prometheus.NewRegistry(), Meter: metricnoop.Meter{}}
	t.registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if variables.isDisabled() {
		return t, nil
	}

	about, err := newResource(ctx, config.Build)
	if err != nil {
		config.Logger.Warn("a part of the resource could not be read", zap.Error(err))
	}

	if err := t.addMetrics(ctx, about, variables, config); err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}

	if err := t.addTraces(ctx, about, variables, config); err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}

	return t, nil
}

// newResource makes the resource; attributes from the environment take precedence.
func newResource(ctx context.Context, build Build) (*resource.Resource, error) {
	made, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(
			attribute.String("service.name", "the-eye"),
			attribute.String("service.version", build.Version),
			attribute.String("service.instance.id", uuid.NewString()),
		),
		resource.WithFromEnv(),
	)
	if err != nil {
		return made, fmt.Errorf("describe the service: %w", err)
	}

	return made, nil
}

// registerBuildInfo registers a metric that is always 1 and has the build in its
// attributes.
func registerBuildInfo(meter metric.Meter, build Build) error {
	about := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("version", build.Version), attribute.String("revision", build.Revision), attribute.String("goversion", build.GoVersion),
	))
	_, err := meter.Int64ObservableGauge("theeye.build.info", metric.WithDescription("The build that runs; always 1"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(1, about)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("make an instrument: %w", err)
	}

	return nil
}

// startRuntime adds the metrics of Go itself.
func startRuntime(provider metric.MeterProvider) error {
	if err := runtime.Start(runtime.WithMeterProvider(provider), runtime.WithMinimumReadMemStatsInterval(time.Second)); err != nil {
		return fmt.Errorf("start the metrics of the Go runtime: %w", err)
	}

	return nil
}

// MetricsHandler serves the metrics to Prometheus.
func (t *Telemetry) MetricsHandler() http.Handler {
	const (
		maxRequests = 4
		timeout     = 10 * time.Second
	)
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxRequests,
		Timeout:             timeout,
	})
}

// Registry returns the metrics that MetricsHandler serves.
func (t *Telemetry) Registry() prometheus.Gatherer { return t.registry }

// Close sends the remaining spans and metrics until ctx ends, and stops. It may be
// called more than once.
func (t *Telemetry) Close(ctx context.Context) error {
	failed := make([]error, len(t.closers))
	var closing sync.WaitGroup
	for i, closer := range t.closers { // concurrently: one must not use up the time of another
		closing.Go(func() { failed[i] = closer(ctx) })
	}

	closing.Wait()
	t.closers = nil
	return errors.Join(failed...)
}
