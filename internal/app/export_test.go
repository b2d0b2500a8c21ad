package app

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// Handler is the handler of the public port, for benchmarks.
func (s *Service) Handler() http.Handler { return s.public.http.Handler }

// IDAt makes the id of something new at a time.
func IDAt(at time.Time) uuid.UUID { return idAt(at) }

// Pulse watches whether the lanes move.
type Pulse struct{ pulse *pulse }

// NewPulse makes a pulse that reads how many events wait.
func NewPulse(budget time.Duration, now func() time.Time, queued func() int64) Pulse {
	p := newPulse(budget, now)
	p.follow(queued)
	return Pulse{p}
}

// Watch returns a store whose commits are watched.
func (p Pulse) Watch(store ingest.Store) ingest.Store { return p.pulse.watch(store) }

// Check tells whether a lane is stuck.
func (p Pulse) Check(ctx context.Context) error { return p.pulse.check(ctx) }
