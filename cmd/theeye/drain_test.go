package main_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A service that is stopped keeps serving for the drain delay and asks its clients to close
// their connections meanwhile. A request that began before the end of the delay gets a
// verdict; after it, connections are refused.
//
//nolint:paralleltest // it needs the machine for itself
func TestServiceIsStoppedUnderLoad(t *testing.T) {
	const delay, margin = time.Second, 200 * time.Millisecond
	s := newSite(t)
	r := start(t, []string{"THEEYE_DATABASE_URL=" + s.database.DSN(), "THEEYE_DRAIN_DELAY=" + delay.String()},
		"serve", "--http-listen", s.address, "--ops-listen", s.ops)
	r.await(t, "the service is ready")
	var told atomic.Pointer[time.Time]
	var answered, late, closing atomic.Int64
	var clients sync.WaitGroup
	for n := range 16 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(n)))
			for {
				e := s.event(random)
				s.oracle.RecordSending(e)
				begin := time.Now()
				answer, err := s.client.Try(context.Background(), http.MethodPost, "/v1/events", apptest.RenderEvent(e))
				at := told.Load()
				switch {
				case err == nil && answer.Status == http.StatusCreated:
					for _, v := range verdictsIn(answer.Body) {
						s.oracle.RecordVerdict(e, v.Status, v.Sequence)
					}

					answered.Add(1)
					if answer.Close {
						closing.Add(1)
					}
				case at != nil && begin.After(at.Add(delay-margin)):
					late.Add(1)
					return
				case err != nil:
					t.Errorf("no answer although the service served on: %v", err)
					return
				default:
					t.Errorf("%d: %s", answer.Status, answer.Body)
					return
				}
			}
		})
	}

	require.Eventually(t, func() bool { return answered.Load() > 1000 || t.Failed() }, time.Minute, time.Millisecond)
	now := time.Now()
	told.Store(&now)
	require.Zero(t, r.stop(t, syscall.SIGTERM), "%s", r.log)
	clients.Wait()
	require.Equal(t, int64(16), late.Load())
	require.Positive(t, closing.Load(), "clients are asked to close their connections")
	wrong, err := s.oracle.FindViolations(context.Background(), s.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, wrong)
	gaps, err := apptest.FindGaps(context.Background(), s.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, gaps)
	t.Logf("%d answered, %d of them on connections that were to close", answered.Load(), closing.Load())
}

// A second signal ends the draining, with a code and a count that say so.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := start(t, []string{"THEEYE_DATABASE_URL=" + s.database.DSN()}, "serve", "--http-listen", s.address, "--ops-listen", s.ops)
	r.await(t, "the service is ready")
	e := s.event(rand.New(rand.NewPCG(7, 7)))
	require.Equal(t, http.StatusCreated, s.client.Do(t, http.MethodPost, "/v1/events", string(apptest.RenderEvent(e))).Status)
	pool := s.database.Pool(t)
	tx, err := pool.Begin(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tx.Rollback(context.Background())) }) // otherwise the pool waits for it for ever
	_, err = tx.Exec(context.Background(), "select from session for update")
	require.NoError(t, err)
	e.ID[0]++
	stuck := make(chan struct{})
	go func() {
		defer close(stuck)

		_, _ = s.client.Try(context.Background(), http.MethodPost, "/v1/events", apptest.RenderEvent(e)) // it is abandoned
	}()
	require.Eventually(t, func() bool {
		var n int
		err := pool.QueryRow(context.Background(), "select count(*) from pg_stat_activity where wait_event_type = 'Lock'").Scan(&n)
		return err == nil && n > 0
	}, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	r.await(t, "stopping")
	require.Equal(t, 70, r.stop(t, syscall.SIGTERM))
	<-stuck
	require.Contains(t, r.log.String(), "requests were abandoned: 1 requests, 1 events")
}
