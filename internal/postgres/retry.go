package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// retryPolicy is how often a failed step is done again, and after which pauses.
type retryPolicy struct {
	// attempts bounds those that count.
	attempts int
	// first is the pause after the first attempt. Each pause is twice as long as the one
	// before, up to longest, and half of it more or less, so that transactions that got into
	// each other's way do not meet again.
	first   time.Duration
	longest time.Duration
}

// transactionRetry is for transactions. Connections that died while idle are worth more than
// one attempt.
func transactionRetry() retryPolicy {
	return retryPolicy{attempts: 8, first: 5 * time.Millisecond, longest: 100 * time.Millisecond}
}

// retryDecision is what follows an attempt.
type retryDecision int

const (
	// giveUp returns the outcome of the attempt.
	giveUp retryDecision = iota
	// retryCounted tries again after a pause, unless the attempts are used up.
	retryCounted
	// retryUncounted tries again after a pause, as often as the context allows.
	retryUncounted
	// retryAtOnce tries again without a pause. It does not count.
	retryAtOnce
)

// run makes attempts until one is final, or ctx ends in a pause. It returns the error of the last.
func (p retryPolicy) run(ctx context.Context, attempt func() (retryDecision, error)) error {
	pause := p.first
	for counted := 0; ; {
		decision, err := attempt()
		switch decision {
		case giveUp:
			return err
		case retryAtOnce:
			continue
		case retryCounted:
			if counted++; counted == p.attempts {
				return err
			}
		case retryUncounted:
		}

		if !waitFor(ctx, pause/2+rand.N(pause)) { //nolint:gosec // it spreads retries and guards nothing
			return err
		}

		pause = min(2*pause, p.longest)
	}
}

// waitFor waits, unless ctx ends first.
func waitFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryOnContention does a step again while other transactions get into its way.
func retryOnContention(ctx context.Context, step func() error) error {
	return transactionRetry().run(ctx, func() (retryDecision, error) {
		err := step()
		if isContention(err) {
			return retryCounted, err
		}

		return giveUp, err
	})
}

// retryTransaction runs a transaction whose outcome a caller learns, on the connections for changes,
// and again while other transactions get into its way.
func (db *DB) retryTransaction(ctx context.Context, run func(pgx.Tx) error) error {
	return retryOnContention(ctx, func() error { return db.runTransaction(ctx, db.change, run) })
}
