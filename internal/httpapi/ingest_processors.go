package httpapi

import (
	"context"
	"runtime"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fair"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// largeWork is the size, in bytes of a body, from which reading it takes long enough to
// keep others waiting for a processor.
const largeWork = 32 << 10

// newProcessors shares the processors among the applications that send large bodies: one
// application may use half of them. Go gives each goroutine its turn, so an application with
// many requests would otherwise get as many turns, and every other one would wait; small bodies
// do not wait.
func newProcessors() *fair.Shares {
	const half, waiting = 2, 4096
	slots := max(runtime.GOMAXPROCS(0), 1)

	return fair.New(fair.Config{
		Slots:          slots,
		HeavySlots:     slots,
		PerCaller:      slots / half,
		HeavyPerCaller: slots,
		MaxWaiting:     waiting,
	})
}

// acquireProcessor waits until it is the application's turn.
func (a *api) acquireProcessor(c *gin.Context) (release func(), err error) {
	const parts = 2 // of the budget: one for this wait, the rest for the commit
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget/parts)
	defer cancel()

	release, err = a.processors.Acquire(ctx, callerOf(c).Application.Name, false)
	if err != nil {
		return nil, fault.NewUnavailable(err, fault.CodeOverloaded, "too many large requests of this application are being read; send the request again", time.Second)
	}

	return release, nil
}
