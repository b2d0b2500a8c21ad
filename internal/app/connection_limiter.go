package app

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// connectionLimiter bounds the number of open connections. Further connections get an answer
// and are closed rather than left waiting, so that a proxy can use another replica.
type connectionLimiter struct {
	limit int64
	// response is the answer to further connections.
	response func() []byte
	logger   *zap.Logger
	now      func() time.Time

	open       atomic.Int64
	rejected   sync.Map // rejected connections, until they are closed
	lastLogged atomic.Int64
}

func newConnectionLimiter(limit int, response func() []byte, logger *zap.Logger, now func() time.Time) *connectionLimiter {
	return &connectionLimiter{limit: int64(limit), response: response, logger: logger, now: now}
}

// trackState is the ConnState of an http.Server.
func (c *connectionLimiter) trackState(conn net.Conn, state http.ConnState) {
	if c.limit == 0 {
		return
	}

	switch state {
	case http.StateNew:
		if c.open.Add(1) <= c.limit {
			return
		}

		c.open.Add(-1)
		c.rejected.Store(conn, nil)
		c.rejectConnection(conn)
	case http.StateClosed, http.StateHijacked:
		if _, rejected := c.rejected.LoadAndDelete(conn); !rejected {
			c.open.Add(-1)
		}
	case http.StateActive, http.StateIdle:
	}
}

// rejectConnection answers and closes without waiting. It logs at most once a minute, and also
// when the clock was set back.
func (c *connectionLimiter) rejectConnection(conn net.Conn) {
	const patience = 100 * time.Millisecond // the answer fits into any send buffer
	_ = conn.SetWriteDeadline(c.now().Add(patience))
	_, _ = conn.Write(c.response())
	_ = conn.Close()
	now := c.now().Unix()
	last := c.lastLogged.Load()
	if (now-last >= 60 || now < last) && c.lastLogged.CompareAndSwap(last, now) {
		c.logger.Warn("connection rejected because http.max_connections are open", zap.Int64("max_connections", c.limit))
	}
}
