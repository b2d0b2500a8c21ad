package app

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// Handler returns the handler of the public port, for benchmarks.
func (s *Service) Handler() http.Handler { return s.public.http.Handler }

// IDAt returns a new id of a time.
func IDAt(at time.Time) uuid.UUID { return newIDAt(at) }

// Watchdog checks that the lanes make progress.
type Watchdog struct{ watchdog *watchdog }

// NewWatchdog returns a watchdog that reads the number of waiting events from queued.
func NewWatchdog(budget time.Duration, now func() time.Time, queued func() int64) Watchdog {
	p := newWatchdog(budget, now)
	p.setQueued(queued)
	return Watchdog{p}
}

// Watch returns a store whose commits are watched.
func (p Watchdog) Watch(store ingest.Store) ingest.Store { return p.watchdog.watchStore(store) }

// Check returns an error if a lane is stuck.
func (p Watchdog) Check(ctx context.Context) error { return p.watchdog.checkLanes(ctx) }
