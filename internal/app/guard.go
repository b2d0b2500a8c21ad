package app

import (
	"net"
	"net/http"
	"time"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/httpapi"
)

// newGuard returns the guard between the server and its connections.
func (s *Service) newGuard() *httpapi.Guard {
	return &httpapi.Guard{Now: time.Now, NewRequestID: newRequestID, NewTraceID: newTraceID, Metrics: s.metrics.http}
}

// trackConnections returns the ConnState of a server with a guard and a connection limit.
func (s *Service) trackConnections(guard *httpapi.Guard) func(net.Conn, http.ConnState) {
	response := func() []byte {
		return guard.RenderProblem(http.StatusServiceUnavailable, fault.NewUnavailable(nil, fault.CodeOverloaded,
			"the maximum number of connections (http.max_connections) is open; connect again later", time.Second))
	}
	limiter := newConnectionLimiter(s.config.HTTP.MaxConnections, response, s.logger, time.Now)
	return func(conn net.Conn, state http.ConnState) {
		guard.TrackState(conn, state)
		limiter.trackState(conn, state)
	}
}
