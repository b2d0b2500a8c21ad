package telemetry

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
)

// The known exporters.
const (
	exporterNone    = "none"
	exporterOTLP    = "otlp"
	exporterConsole = "console"
)

// protocolGRPC is the one protocol that is not HTTP.
const protocolGRPC = "grpc"

// defaultRatio is the ratio of the traces beginning here that are sampled unless the
// environment sets another.
const defaultRatio = 0.01

// variables reads the standard variables. An empty one counts as not set.
type variables struct {
	texts  map[string]string
	logger *zap.Logger
}

func newVariables(texts map[string]string, logger *zap.Logger) variables {
	return variables{texts: texts, logger: logger}
}

func (v variables) readText(name string) string { return strings.TrimSpace(v.texts[name]) }

// warnInvalid logs that a variable has an invalid value. The value is left out: it may
// be a secret in the wrong place.
func (v variables) warnInvalid(name, want string) {
	v.logger.Warn("a variable cannot be understood; the default holds", zap.String("variable", name), zap.String("want", want))
}

func (v variables) isDisabled() bool {
	return strings.EqualFold(v.readText("OTEL_SDK_DISABLED"), "true")
}

// readExporter returns the exporter of a signal (TRACES, METRICS): the named one, or
// OTLP if an endpoint is named, or none.
func (v variables) readExporter(signal string) string {
	name := "OTEL_" + signal + "_EXPORTER"
	switch text := v.readText(name); text {
	case exporterNone, exporterOTLP, exporterConsole:
		return text
	case "":
	default:
		v.warnInvalid(name, "otlp, console or none")
	}

	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		text := v.readText(name)
		if text == "" {
			continue
		}

		if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
			v.logger.Warn("an endpoint is not a URL, so nothing will arrive there; it has to begin with http:// or https://", zap.String("variable", name))
		}

		return exporterOTLP
	}

	return exporterNone
}

// readProtocol returns the OTLP protocol of a signal.
func (v variables) readProtocol(signal string) string {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch text := v.readText(name); text {
		case "":
		case protocolGRPC, "http/protobuf":
			return text
		default:
			v.warnInvalid(name, "grpc or http/protobuf")
		}
	}

	return "http/protobuf"
}

// readPropagator reads OTEL_PROPAGATORS; W3C trace context and baggage by default.
func (v variables) readPropagator() propagation.TextMapPropagator {
	standard := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	var names []string
	for name := range strings.SplitSeq(v.readText("OTEL_PROPAGATORS"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}

	if len(names) == 0 {
		return standard
	}

	found, err := autoprop.TextMapPropagator(names...)
	if err != nil {
		v.warnInvalid("OTEL_PROPAGATORS", "tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace or none")
		return standard
	}

	return found
}

// readSampler reads OTEL_TRACES_SAMPLER and its argument.
func (v variables) readSampler() trace.Sampler {
	const name = "OTEL_TRACES_SAMPLER"
	switch v.readText(name) {
	case "always_on":
		return trace.AlwaysSample()
	case "always_off":
		return trace.NeverSample()
	case "traceidratio":
		return trace.TraceIDRatioBased(v.readRatio(1))
	case "parentbased_always_on":
		return trace.ParentBased(trace.AlwaysSample())
	case "parentbased_always_off":
		return trace.ParentBased(trace.NeverSample())
	case "parentbased_traceidratio":
		return trace.ParentBased(trace.TraceIDRatioBased(v.readRatio(1)))
	case "":
	default:
		v.warnInvalid(name, "always_on, always_off, traceidratio or one of these behind parentbased_")
	}

	return trace.ParentBased(trace.TraceIDRatioBased(v.readRatio(defaultRatio)))
}

func (v variables) readRatio(otherwise float64) float64 {
	const name = "OTEL_TRACES_SAMPLER_ARG"
	text := v.readText(name)
	if text == "" {
		return otherwise
	}

	ratio, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		v.warnInvalid(name, "a number from 0 to 1")
		return otherwise
	}

	return ratio
}

// readCount reads a whole number above zero.
func (v variables) readCount(name string, otherwise int) int {
	text := v.readText(name)
	if text == "" {
		return otherwise
	}

	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		v.warnInvalid(name, "a whole number above 0")
		return otherwise
	}

	return n
}
