package erasure

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store stores erasures and runs their steps. The postgres package implements it.
// Several replicas may use it at once.
type Store interface {
	// BeginErasure stores a requested erasure, or returns the unfinished erasure of an
	// equal request.
	BeginErasure(ctx context.Context, request Request) (Erasure, error)
	// FindErasure returns an erasure, or a NotFound fault.
	FindErasure(ctx context.Context, id uuid.UUID) (Erasure, error)
	// ClaimErasure claims an unfinished erasure that no worker has claimed, the one
	// that has waited longest for its turn, or the one that is named: until the lease
	// ends, no other worker gets it. It returns nil if there is none.
	ClaimErasure(ctx context.Context, lease time.Duration, only uuid.NullUUID) (Task, error)
	// ReadBacklog returns the backlog of unfinished erasures.
	ReadBacklog(ctx context.Context) (Backlog, error)
}

// Task is a claimed erasure. It is used by one goroutine.
type Task interface {
	// Erasure returns the erasure with its progress.
	Erasure() Erasure
	// RunStep runs one step, which is a transaction of bounded size and renews the
	// lease.
	RunStep(ctx context.Context) (Outcome, error)
	// ReleaseLease releases the erasure before the lease ends.
	ReleaseLease(ctx context.Context) error
}

// Outcome is the action to take after a step.
type Outcome int

// The outcomes.
const (
	// More: run the next step.
	More Outcome = iota
	// Done: nothing, the erasure is finished.
	Done
	// Later: nothing yet. The task is released, and can be claimed when its time has
	// come.
	Later
)

// Backlog counts the unfinished erasures.
type Backlog struct {
	Unfinished int64
	// Oldest is the age of the oldest request; zero if there is none.
	Oldest time.Duration
}
