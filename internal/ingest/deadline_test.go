package ingest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// A request that waits behind a stuck group is answered within its own budget, counted from its
// arrival, whether or not others arrived just before it.
func TestBudgetOfARequestThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const budget, step = time.Second, 50 * time.Millisecond
		bounded := config()
		bounded.Budget = budget
		type answer struct {
			err    error
			waited time.Duration
		}
		answers := make(chan answer, 3)
		store := newHeldFake()
		c := started(t, bounded, store)
		stuck := submitted(t, c, t.Context(), request(good(uuid.New())))
		<-store.entered
		for _, pause := range []time.Duration{600 * time.Millisecond, 10 * time.Millisecond, step} {
			<-time.After(pause)
			go func() {
				arrived := time.Now()
				_, err := c.Submit(t.Context(), request(good(uuid.New())))
				answers <- answer{err, time.Since(arrived)}
			}()
		}

		requireUnavailable(t, (<-stuck).err, fault.CodeUnavailable)
		for range cap(answers) {
			a := <-answers
			requireUnavailable(t, a.err, fault.CodeUnavailable)
			require.LessOrEqual(t, a.waited, budget)
			require.GreaterOrEqual(t, a.waited, budget-step)
		}
	})
}
