package erasure

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store keeps erasures and takes their steps. The postgres package implements it. It may
// be used by several replicas at once.
type Store interface {
	// BeginErasure keeps an erasure that was asked for, or returns the one that was asked for in
	// the same words and is not finished.
	BeginErasure(ctx context.Context, ask Request) (Erasure, error)
	// FindErasure returns one, or a NotFound fault.
	FindErasure(ctx context.Context, id uuid.UUID) (Erasure, error)
	// ClaimErasure takes an unfinished erasure that nobody works on, the one that has waited
	// longest for its turn, or the one that is named: until the lease ends, nobody else
	// gets it. It returns nil where there is none.
	ClaimErasure(ctx context.Context, lease time.Duration, only uuid.NullUUID) (Task, error)
	// ReadBacklog tells what is unfinished.
	ReadBacklog(ctx context.Context) (Backlog, error)
}

// Task is a claimed erasure. It is used by one goroutine.
type Task interface {
	// Erasure tells how far it is.
	Erasure() Erasure
	// RunStep takes one step, which is a transaction of bounded size and renews the lease.
	RunStep(ctx context.Context) (Outcome, error)
	// ReleaseLease gives the erasure back before the lease ends.
	ReleaseLease(ctx context.Context) error
}

// Outcome is what there is to do after a step.
type Outcome int

// The outcomes.
const (
	// More: the next step.
	More Outcome = iota
	// Done: nothing, it is finished.
	Done
	// Later: nothing yet. The task is given back, and free when the time has come.
	Later
)

// Backlog is what is unfinished.
type Backlog struct {
	Unfinished int64
	// Oldest is how long ago the oldest was asked for; zero where there is none.
	Oldest time.Duration
}
