package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// The budget within which requests are answered, and the time that a busy machine may add,
// where the clients wait for a processor as well. internal/ingest tests the budget to the
// millisecond, with an injected clock.
const (
	budget  = 5 * time.Second
	slack   = 25 * time.Second
	clients = 16
	// pause is the wait of a client before it tries again.
	pause = 50 * time.Millisecond
)

// crashRig is a served database under load, with the record of every event sent.
type crashRig struct {
	database *pgtest.Database
	client   *apptest.Client
	oracle   *apptest.Oracle
	address  string
	ops      string

	unknown, acknowledged atomic.Int64
	slowest               atomic.Int64
	// odd holds answers that no client should get.
	odd atomic.Pointer[apptest.Answer]
	// answered counts the answers to each client of the load.
	answered [clients]atomic.Int64
	sessions []uuid.UUID
}

func newSite(t *testing.T) *crashRig {
	t.Helper()
	s := &crashRig{database: pgtest.NewDedicated(t), oracle: apptest.NewOracle(), address: program.FreeAddress(t), ops: program.FreeAddress(t)}
	for range 20 {
		s.sessions = append(s.sessions, uuid.New())
	}

	environ := []string{"THEEYE_DATABASE_URL=" + s.database.DSN()}
	code, out, errOut := finish(t, environ, "app", "create", "shop")
	require.Zero(t, code, out+errOut)
	code, key, errOut := finish(t, environ, "key", "create", "shop", "--scope", "admin")
	require.Zero(t, code, errOut)
	s.client = apptest.NewClient("http://"+s.address, strings.TrimSpace(key))
	t.Cleanup(s.client.HTTP.CloseIdleConnections)
	return s
}

// serve starts the program on the site's database and address.
func (s *crashRig) serve(t *testing.T) *running {
	t.Helper()
	r := start(t, []string{"THEEYE_DATABASE_URL=" + s.database.DSN(), "THEEYE_DRAIN_DELAY=0s"},
		"serve", "--http-listen", s.address, "--ops-listen", s.ops)
	r.await(t, "the service is ready")
	return r
}

// load sends single events and batches from many clients until the returned
// function is called, or the test ends.
func (s *crashRig) load(t *testing.T) (end func()) {
	t.Helper()
	stop, running := make(chan struct{}), &sync.WaitGroup{}
	for n := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(n)))
			for {
				events := make([]event.Event, 1+(n%2)*random.IntN(20))
				for i := range events {
					events[i] = s.event(random)
				}

				wait := time.Duration(0)
				if !s.send(events) {
					wait = pause
				}

				s.answered[n].Add(1)
				select {
				case <-stop:
					return
				case <-time.After(wait):
				}
			}
		})
	}

	end = sync.OnceFunc(func() {
		close(stop)
		running.Wait()
	})
	t.Cleanup(end)
	return end
}

func (s *crashRig) event(random *rand.Rand) event.Event {
	at := time.Now().Add(-time.Duration(random.IntN(1_000_000)) * time.Microsecond)
	return event.Event{
		ID: uuid.New(), SessionID: s.sessions[random.IntN(len(s.sessions))], Category: "page", Name: "view",
		Data: fmt.Appendf(nil, `{"n": %d}`, random.Int64()), Timestamp: at.UTC().Truncate(time.Microsecond),
	}
}

// send sends one event, or several as a batch, and records the verdicts. It reports whether
// there was a verdict.
func (s *crashRig) send(events []event.Event) bool {
	bodies := make([]string, len(events))
	for i, e := range events {
		s.oracle.RecordSending(e)
		bodies[i] = string(apptest.RenderEvent(e))
	}

	body := bodies[0]
	if len(events) > 1 {
		body = "[" + strings.Join(bodies, ",") + "]"
	}

	begin := time.Now()
	answer, err := s.client.Try(context.Background(), http.MethodPost, "/v1/events", []byte(body))
	took := int64(time.Since(begin))
	for before := s.slowest.Load(); took > before && !s.slowest.CompareAndSwap(before, took); before = s.slowest.Load() {
	}

	if err == nil && answer.Status != http.StatusOK && answer.Status != http.StatusCreated && answer.Status != http.StatusServiceUnavailable {
		s.odd.Store(answer)
	}

	if err != nil || answer.Status >= http.StatusMultipleChoices {
		s.unknown.Add(int64(len(events)))
		return false
	}

	verdicts := verdictsIn(answer.Body)
	if len(verdicts) != len(events) {
		s.odd.Store(answer)
		return false
	}

	for i, e := range events {
		s.oracle.RecordVerdict(e, verdicts[i].Status, verdicts[i].Sequence)
	}

	s.acknowledged.Add(int64(len(events)))
	return true
}

// verdict is the verdict on one event in an answer.
type verdict struct {
	Status   ingest.Status `json:"status"`
	Sequence int64         `json:"sequence"`
}

// verdictsIn parses the answer to an event or a batch.
func verdictsIn(body []byte) []verdict {
	answer := struct {
		verdict
		Results []verdict `json:"results"`
	}{}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return nil
	case answer.Results != nil:
		return answer.Results
	}

	return []verdict{answer.verdict}
}

// grow waits until n more events are acknowledged.
func (s *crashRig) grow(t *testing.T, by int64) {
	t.Helper()
	from := s.acknowledged.Load()
	require.Eventually(t, func() bool { return s.acknowledged.Load() >= from+by }, time.Minute, 5*time.Millisecond, "no acknowledgements any more")
}

// reconcile sends the events without a verdict again, and compares all verdicts with the
// tables.
func (s *crashRig) reconcile(t *testing.T) {
	t.Helper()
	for events := range slices.Chunk(s.oracle.Unanswered(), 100) {
		require.True(t, s.send(events), "a retry is answered")
	}

	require.Empty(t, s.oracle.Unanswered())
	wrong, err := s.oracle.FindViolations(context.Background(), s.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, wrong)
	gaps, err := apptest.FindGaps(context.Background(), s.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, gaps)
	if odd := s.odd.Load(); odd != nil {
		require.Fail(t, "an answer that is neither a verdict nor a 503", "%d: %s", odd.Status, odd.Body)
	}

	require.Less(t, time.Duration(s.slowest.Load()), budget+slack, "every answer comes within the budget")
	t.Logf("%d events acknowledged, %d answers unknown at first, slowest answer %v",
		s.oracle.Acknowledged(), s.unknown.Load(), time.Duration(s.slowest.Load()).Round(time.Millisecond))
}

//nolint:paralleltest // it needs the machine for itself
func TestPostgresIsKilledUnderLoad(t *testing.T) {
	s := newSite(t)
	r := s.serve(t)
	end := s.load(t)
	for range 3 {
		s.grow(t, 500)
		require.NoError(t, s.database.Server().Kill())
		require.NoError(t, s.database.Server().Restart(context.Background()))
		back := time.Now()
		s.grow(t, 1)
		t.Logf("the first acknowledgement came %v after the restart", time.Since(back).Round(time.Millisecond))
	}

	s.grow(t, 500)
	end()
	s.reconcile(t)
	require.Zero(t, r.stop(t, syscall.SIGTERM), "it recovered without a restart")
}

//nolint:paralleltest // it needs the machine for itself
func TestPostgresIsFrozenUnderLoad(t *testing.T) {
	s := newSite(t)
	r := s.serve(t)
	end := s.load(t)
	s.grow(t, 500)
	require.NoError(t, s.database.Server().Freeze())
	s.requireAnswers(t)
	require.NoError(t, s.database.Server().Thaw())
	back := time.Now()
	s.grow(t, 1)
	t.Logf("the first acknowledgement came %v after the thaw", time.Since(back).Round(time.Millisecond))
	s.grow(t, 500)
	end()
	s.reconcile(t)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}

// requireAnswers requires that no client hangs: each gets an answer to the request in flight,
// and one to a request sent from now on.
func (s *crashRig) requireAnswers(t *testing.T) {
	t.Helper()
	var before [clients]int64
	for n := range before {
		before[n] = s.answered[n].Load()
	}

	for n := range before {
		require.Eventually(t, func() bool { return s.answered[n].Load() >= before[n]+2 }, time.Minute, 5*time.Millisecond, "client %d hangs", n)
	}
}

//nolint:paralleltest // it needs the machine for itself
func TestServiceIsKilledUnderLoad(t *testing.T) {
	s := newSite(t)
	r := s.serve(t)
	end := s.load(t)
	for range 3 {
		s.grow(t, 300+rand.Int64N(300))
		r.stop(t, syscall.SIGKILL)
		r = s.serve(t)
	}

	s.grow(t, 500)
	end()
	s.reconcile(t)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}
