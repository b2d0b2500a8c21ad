package app

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// crowd bounds the connections that are open at once. Those beyond are answered and
// closed, and not left waiting: behind a proxy they find another replica.
type crowd struct {
	most int64
	// refusal is what those beyond are answered.
	refusal func() []byte
	logger  *zap.Logger
	now     func() time.Time

	open    atomic.Int64
	refused sync.Map // connections that were not let in, until they are closed
	told    atomic.Int64
}

func newCrowd(most int, refusal func() []byte, logger *zap.Logger, now func() time.Time) *crowd {
	return &crowd{most: int64(most), refusal: refusal, logger: logger, now: now}
}

// follow is a http.Server's ConnState.
func (c *crowd) follow(conn net.Conn, state http.ConnState) {
	if c.most == 0 {
		return
	}
	switch state {
	case http.StateNew:
		if c.open.Add(1) <= c.most {
			return
		}
		c.open.Add(-1)
		c.refused.Store(conn, nil)
		c.refuse(conn)
	case http.StateClosed, http.StateHijacked:
		if _, refused := c.refused.LoadAndDelete(conn); !refused {
			c.open.Add(-1)
		}
	case http.StateActive, http.StateIdle:
	}
}

// refuse answers without waiting for anything. It logs once a minute, and when the clock
// was put back.
func (c *crowd) refuse(conn net.Conn) {
	const patience = 100 * time.Millisecond // the answer fits into any send buffer
	_ = conn.SetWriteDeadline(c.now().Add(patience))
	_, _ = conn.Write(c.refusal())
	_ = conn.Close()
	now, told := c.now().Unix(), c.told.Load()
	if (now-told >= 60 || now < told) && c.told.CompareAndSwap(told, now) {
		c.logger.Warn("a connection was refused: as many as http.max_connections are open", zap.Int64("max_connections", c.most))
	}
}
