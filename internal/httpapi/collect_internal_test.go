package httpapi

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Everybody can send with a public key, and nobody of them has spans recorded by that.
func TestPagesDoNotDecideWhatIsTraced(t *testing.T) {
	t.Parallel()
	const traceID, sampled = "4bf92f3577b34da6a3ce929d0e0e4736", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	a := &api{Deps: Deps{Propagator: propagation.TraceContext{}}}
	extract := func(target, header string) trace.SpanContext {
		r := httptest.NewRequest("POST", target, nil) //nolint:noctx // it is not sent
		if header != "" {
			r.Header.Set("Traceparent", header)
		}

		return trace.SpanContextFromContext(a.extractTrace(t.Context(), r))
	}
	for _, page := range []trace.SpanContext{extract("/v1/collect?traceparent="+sampled, ""), extract("/v1/collect", sampled)} {
		require.Equal(t, traceID, page.TraceID().String())
		require.False(t, page.IsSampled())
	}

	require.True(t, extract("/v1/events", sampled).IsSampled())
	require.False(t, extract("/v1/events?traceparent="+sampled, "").IsValid())
	require.False(t, extract("/v1/collect", "").IsValid())
}
