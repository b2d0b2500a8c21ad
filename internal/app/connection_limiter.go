package app

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// connectionLimiter bounds the connections that are open at once. Those beyond are answered and
// closed, and not left waiting: behind a proxy they find another replica.
type connectionLimiter struct {
	limit int64
	// response is what those beyond are answered.
	response func() []byte
	logger   *zap.Logger
	now      func() time.Time

	open       atomic.Int64
	rejected   sync.Map // connections that were not let in, until they are closed
	lastLogged atomic.Int64
}

func newConnectionLimiter(most int, refusal func() []byte, logger *zap.Logger, now func() time.Time) *connectionLimiter {
	return &connectionLimiter{limit: int64(most), response: refusal, logger: logger, now: now}
}

// trackState is a http.Server's ConnState.
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
		if _, refused := c.rejected.LoadAndDelete(conn); !refused {
			c.open.Add(-1)
		}
	case http.StateActive, http.StateIdle:
	}
}

// rejectConnection answers without waiting for anything. It logs once a minute, and when the clock
// was put back.
func (c *connectionLimiter) rejectConnection(conn net.Conn) {
	const patience = 100 * time.Millisecond // the answer fits into any send buffer
	_ = conn.SetWriteDeadline(c.now().Add(patience))
	_, _ = conn.Write(c.response())
	_ = conn.Close()
	now, told := c.now().Unix(), c.lastLogged.Load()
	if (now-told >= 60 || now < told) && c.lastLogged.CompareAndSwap(told, now) {
		c.logger.Warn("a connection was refused: as many as http.max_connections are open", zap.Int64("max_connections", c.limit))
	}
}
