package limits

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// telemetryVariant is a setting of the service's telemetry.
type telemetryVariant struct {
	name string
	// environ returns the environment, given the address of the collector.
	environ func(collector string) []string
}

// telemetryVariants returns the variants. The others are compared with the first.
func telemetryVariants() []telemetryVariant {
	const endpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="

	return []telemetryVariant{
		{"nothing measured", func(string) []string { return []string{"OTEL_SDK_DISABLED=true"} }},
		{"metrics", func(string) []string { return nil }},
		{"metrics, 1 % of traces", func(collector string) []string { return []string{endpoint + collector} }},
		{"metrics, all traces", func(collector string) []string {
			return []string{endpoint + collector, "OTEL_TRACES_SAMPLER=always_on"}
		}},
	}
}

// ratioToUnmeasured is the end of a figure's name.
const ratioToUnmeasured = ": ratio to nothing measured"

// measureTelemetry measures the cost of telemetry: each variant in a service of its own, one
// after another, with a collector that accepts all traces.
func (r *pass) measureTelemetry(ctx context.Context) error {
	collector, stop, err := startCollector(ctx)
	if err != nil {
		return err
	}
	defer stop()

	baseline := map[string]float64{}
	for _, variant := range telemetryVariants() {
		service, err := r.startService(ctx, variant.environ(collector)...)
		if err != nil {
			return err
		}

		if err := errors.Join(r.measureVariant(ctx, variant.name, service, baseline), service.stop()); err != nil {
			return err
		}
	}

	return nil
}

// measureVariant measures a variant. baseline holds the rates of the first variant.
func (r *pass) measureVariant(ctx context.Context, name string, service *process, baseline map[string]float64) error {
	warmUp := Closed{Workload: Workload{Batch: 1, Sessions: spreadSessions}, Clients: openClients, For: time.Second}
	if _, err := warmUp.Run(ctx, service.Target, r.options.Now); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}

	for _, load := range []struct {
		name string
		Closed
	}{
		{"single events", Closed{
			Workload: Workload{Batch: 1, Sessions: spreadSessions},
			Clients:  singleClients,
			For:      r.options.For,
		}},
		{"batches of 100", Closed{
			Workload: Workload{Batch: batchEvents, Sessions: spreadSessions},
			Clients:  batchClients,
			For:      r.options.For,
		}},
	} {
		figure := load.name + ", " + name
		reached, err := r.measureLoad(ctx, figure, service, load.Run)
		if err != nil {
			return err
		}

		if base := baseline[load.name]; base > 0 {
			r.recordFigure(figure+ratioToUnmeasured, reached.EventsPerSecond()/base)
		} else {
			baseline[load.name] = reached.EventsPerSecond()
		}
	}

	return nil
}

// startCollector starts a server that accepts traces by OTLP over HTTP and discards them.
func startCollector(ctx context.Context) (url string, stop func(), err error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for traces: %w", err)
	}

	const timeout = time.Minute
	server := &http.Server{
		ReadTimeout:  timeout,
		WriteTimeout: timeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			_, _ = io.Copy(io.Discard, request.Body) // discarded
			w.WriteHeader(http.StatusOK)
		}),
	}

	go func() { _ = server.Serve(listener) }() // ends with Close

	return "http://" + listener.Addr().String() + "/v1/traces", func() { _ = server.Close() }, nil
}
