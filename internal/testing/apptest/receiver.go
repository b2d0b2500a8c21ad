package apptest

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Receiver receives spans and metrics by OTLP, over HTTP and over gRPC.
type Receiver struct {
	coltrace.UnimplementedTraceServiceServer

	// HTTP and GRPC are its addresses, in the form of OTEL_EXPORTER_OTLP_ENDPOINT.
	HTTP, GRPC string

	mu      sync.Mutex
	spans   []Span
	metrics map[string]bool
}

// Span is a received span.
type Span struct {
	*tracepb.Span

	// Resource is its resource.
	Resource map[string]string
}

// ID returns the span's id in hexadecimal digits.
func (s Span) ID() string { return hex.EncodeToString(s.SpanId) }

// TraceID returns the trace's id in hexadecimal digits.
func (s Span) TraceID() string { return hex.EncodeToString(s.TraceId) }

// ParentID returns the parent's id in hexadecimal digits; empty without a parent.
func (s Span) ParentID() string { return hex.EncodeToString(s.ParentSpanId) }

// LinksTo reports whether the span has a link to another.
func (s Span) LinksTo(other Span) bool {
	for _, link := range s.Links {
		if hex.EncodeToString(link.SpanId) == other.ID() && hex.EncodeToString(link.TraceId) == other.TraceID() {
			return true
		}
	}

	return false
}

// Attribute returns the text of an attribute, or "".
func (s Span) Attribute(key string) string {
	for _, pair := range s.Attributes {
		if pair.Key == key {
			return pair.Value.GetStringValue()
		}
	}

	return ""
}

// NewReceiver starts a receiver that stops with the test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{metrics: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, request *http.Request) {
		var body coltrace.ExportTraceServiceRequest
		if readMessage(w, request, &body) {
			r.recordSpans(&body)
		}
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, request *http.Request) {
		var body colmetrics.ExportMetricsServiceRequest
		if readMessage(w, request, &body) {
			r.recordMetrics(&body)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.HTTP = server.URL
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	remote := grpc.NewServer()
	coltrace.RegisterTraceServiceServer(remote, r)
	served := make(chan struct{})
	go func() {
		defer close(served)

		_ = remote.Serve(listener) // it ends with Stop
	}()
	t.Cleanup(func() {
		remote.Stop()
		<-served
	})
	r.GRPC = "http://" + listener.Addr().String()
	return r
}

func readMessage(w http.ResponseWriter, request *http.Request, into proto.Message) bool {
	body, err := io.ReadAll(request.Body)
	if err != nil || proto.Unmarshal(body, into) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return false
	}

	return true
}

// Export implements the trace service of OTLP.
func (r *Receiver) Export(_ context.Context, body *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	r.recordSpans(body)
	return &coltrace.ExportTraceServiceResponse{}, nil
}

func (r *Receiver) recordSpans(body *coltrace.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()

	for _, from := range body.ResourceSpans {
		resource := map[string]string{}
		for _, pair := range from.Resource.Attributes {
			resource[pair.Key] = pair.Value.GetStringValue()
		}

		for _, scope := range from.ScopeSpans {
			for _, span := range scope.Spans {
				r.spans = append(r.spans, Span{Span: span, Resource: resource})
			}
		}
	}
}

func (r *Receiver) recordMetrics(body *colmetrics.ExportMetricsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()

	for _, from := range body.ResourceMetrics {
		for _, scope := range from.ScopeMetrics {
			for _, metric := range scope.Metrics {
				r.metrics[metric.Name] = true
			}
		}
	}
}

// Spans returns the spans received so far with a name; all if it is empty.
func (r *Receiver) Spans(name string) []Span {
	r.mu.Lock()
	defer r.mu.Unlock()

	var found []Span
	for _, span := range r.spans {
		if name == "" || span.Name == name {
			found = append(found, span)
		}
	}

	return found
}

// HasMetric reports whether a metric was received.
func (r *Receiver) HasMetric(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.metrics[name]
}

// AwaitSpans waits until there are at least n spans with a name, and returns them.
func (r *Receiver) AwaitSpans(t testing.TB, name string, n int) []Span {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.Spans(name)) >= n }, 20*time.Second, 10*time.Millisecond, "spans %q", name)
	return r.Spans(name)
}
