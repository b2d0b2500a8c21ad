package load_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A stall keeps requests from being sent; their latency counts from when they were due.
func TestAStallIsCountedForAllThatWaitedBehindIt(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	const stall = 300 * time.Millisecond
	var n atomic.Int64
	server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isAttack(r) && n.Add(1) == 1 {
			<-time.After(stall)
		}

		next.ServeHTTP(w, r)
	})

	o := shortOptions(service)
	o.URL = server.URL
	o.Workers = 1
	step := runLoad(t, o).Steps[0]
	require.EqualValues(t, 100, step.Requests)

	// The first 20 requests were due in the first 100 ms.
	require.GreaterOrEqual(t, step.Scheduled.P90, 199.0)
	require.GreaterOrEqual(t, step.Scheduled.Max, step.Sent.Max)
}

func TestLostConnectionsAreCountedByKind(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	var n atomic.Int64
	server := startProxyBefore(t, service, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isAttack(r) && n.Add(1) <= 10 {
			panic(http.ErrAbortHandler)
		}

		next.ServeHTTP(w, r)
	})

	o := shortOptions(service)
	o.URL = server.URL
	o.KeepAlive = false
	r := runLoad(t, o)
	require.Equal(t, map[string]int64{"EOF": 10}, r.Steps[0].Errors)
	require.EqualValues(t, 90, r.Steps[0].Statuses["201"])
	require.EqualValues(t, 10, r.Steps[0].Failed)
	require.EqualValues(t, 10, r.Retry.Stored)
	require.Equal(t, reconcile.Consistent, r.Reconciliation.Outcome, "%+v", r.Reconciliation)
}
