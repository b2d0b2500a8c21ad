package app

import (
	"net"
	"net/http"
	"time"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/httpapi"
)

// newGuard makes what stands between the server and its connections.
func (s *Service) newGuard() *httpapi.Guard {
	return &httpapi.Guard{Now: time.Now, NewRequestID: newRequestID, NewTraceID: newTraceID, Metrics: s.metrics.http}
}

// trackConnections is the ConnState of a server whose connections are guarded, and are bounded in
// number.
func (s *Service) trackConnections(guard *httpapi.Guard) func(net.Conn, http.ConnState) {
	refusal := func() []byte {
		return guard.RenderProblem(http.StatusServiceUnavailable, fault.NewUnavailable(nil, fault.CodeOverloaded,
			"as many connections as http.max_connections are open; connect again later", time.Second))
	}
	crowd := newConnectionLimiter(s.config.HTTP.MaxConnections, refusal, s.logger, time.Now)
	return func(conn net.Conn, state http.ConnState) {
		guard.TrackState(conn, state)
		crowd.trackState(conn, state)
	}
}
