package erasure_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake stores erasures of several steps, each of which takes some time.
type fake struct {
	mu    sync.Mutex
	jobs  []*job
	fails error
	steps int
}

// taken returns how many steps were run.
func (f *fake) taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.steps
}

type job struct {
	now   erasure.Erasure
	store *fake
	left  int
	takes time.Duration
	taken bool
	later bool
	turns int
	given int
}

func (f *fake) BeginErasure(_ context.Context, ask erasure.Request) (erasure.Erasure, error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	j := &job{now: erasure.Erasure{ID: uuid.New(), RequestedAt: time.Now()}, store: f, left: len(ask.SessionIDs), takes: 300 * time.Millisecond}
	f.jobs = append(f.jobs, j)
	return j.now, nil
}

func (f *fake) FindErasure(_ context.Context, id uuid.UUID) (erasure.Erasure, error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	for _, j := range f.jobs {
		if j.now.ID == id {
			return j.now, nil
		}
	}

	return erasure.Erasure{}, erasure.NotFound()
}

func (f *fake) ClaimErasure(_ context.Context, _ time.Duration, only uuid.NullUUID) (erasure.Task, error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	var next *job // the one that was taken up least
	for _, j := range f.jobs {
		free := !j.taken && j.now.State() != erasure.Finished && (!only.Valid || j.now.ID == only.UUID)
		if free && (next == nil || j.turns < next.turns) {
			next = j
		}
	}

	if next == nil {
		return nil, nil
	}

	next.taken, next.now.StartedAt = true, time.Now()
	next.turns++
	return next, nil
}

func (f *fake) ReadBacklog(context.Context) (found erasure.Backlog, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	for _, j := range f.jobs {
		if j.now.State() != erasure.Finished {
			found.Unfinished++
			found.Oldest = max(found.Oldest, time.Since(j.now.RequestedAt))
		}
	}

	return found, nil
}

func (j *job) RunStep(ctx context.Context) (erasure.Outcome, error) {
	select {
	case <-time.After(j.takes):
	case <-ctx.Done():
		return erasure.More, ctx.Err()
	}

	j.store.mu.Lock()
	defer j.store.mu.Unlock()

	j.store.steps++
	if err := j.store.fails; err != nil {
		j.store.fails = nil
		return erasure.More, err
	}

	if j.later {
		j.taken, j.later = false, false
		return erasure.Later, nil
	}

	if j.left--; j.left > 0 {
		return erasure.More, nil
	}

	j.now.FinishedAt = time.Now()
	return erasure.Done, nil
}

func (j *job) ReleaseLease(ctx context.Context) error {
	j.store.mu.Lock()
	defer j.store.mu.Unlock()

	j.taken = false
	j.given++
	return ctx.Err()
}

func (j *job) Erasure() erasure.Erasure {
	j.store.mu.Lock()
	defer j.store.mu.Unlock()

	return j.now
}

// sized requests an erasure of this many steps.
func sized(steps int) erasure.Request {
	ask := erasure.Request{}
	for range steps {
		ask.SessionIDs = append(ask.SessionIDs, uuid.New())
	}

	return ask
}

func newEraser(f *fake, stopping func() bool) (*erasure.Eraser, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	config := erasure.Config{Workers: 1, Poll: 2 * time.Second, Lease: 15 * time.Second, TimeSlice: time.Second}
	return erasure.New(config, erasure.Deps{Store: f, Logger: zap.New(core), Now: time.Now, Stopping: stopping}), logs
}

// A short erasure does not wait for the end of a long one: each has its turn.
func TestErasuresTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		e, logs := newEraser(f, nil)
		e.Start(t.Context())
		long, err := e.BeginErasure(t.Context(), sized(100))
		require.NoError(t, err)
		synctest.Wait()
		began := time.Now()
		short, err := e.BeginErasure(t.Context(), sized(1))
		require.NoError(t, err)
		require.Equal(t, erasure.Finished, state(e.AwaitErasure(t.Context(), short)))
		require.Less(t, time.Since(began), 2*time.Second)
		require.Equal(t, erasure.Finished, state(e.AwaitErasure(t.Context(), long)))
		e.Stop()
		e.Stop()
		require.Equal(t, 2, logs.FilterMessage("an erasure is finished").Len())
	})
}

func state(e erasure.Erasure) erasure.State { return e.State() }

// A failed step is tried again at the next poll, and the backlog is measured.
func TestAStepThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{fails: errors.New("away")}
		e, logs := newEraser(f, nil)
		meter := metrictest.New(t)
		require.NoError(t, e.RegisterMetrics(meter.Meter))
		e.Start(t.Context())
		begun, err := e.BeginErasure(t.Context(), sized(3))
		require.NoError(t, err)
		<-time.After(time.Second)
		require.Equal(t, 1, logs.FilterMessage("a step of an erasure failed; it is tried again").Len())
		require.InDelta(t, 1, meter.Scrape(t)["theeye_erasures_unfinished"], 0)
		require.InDelta(t, 1, meter.Scrape(t)["theeye_erasures_oldest_unfinished_age_seconds"], 0.01)
		require.Equal(t, erasure.Finished, state(e.AwaitErasure(t.Context(), begun)))
		<-time.After(2 * time.Second)
		require.Zero(t, meter.Scrape(t)["theeye_erasures_unfinished"])
		require.Zero(t, meter.Scrape(t)["theeye_erasures_oldest_unfinished_age_seconds"])
		require.InDelta(t, 1, meter.Scrape(t)["theeye_erasures_finished_total"], 0)
		require.InDelta(t, 1, meter.Scrape(t)["theeye_erasures_failed_steps_total"], 0)
		e.Stop()
	})
}

// When the service stops, waiting clients are answered and unfinished erasures are
// released.
func TestAnUnfinishedErasureIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, stopping := &fake{}, &atomic.Bool{}
		e, _ := newEraser(f, stopping.Load)
		e.Stop() // without Start, nothing
		e, _ = newEraser(f, stopping.Load)
		e.Start(t.Context())
		begun, err := e.BeginErasure(t.Context(), sized(1000))
		require.NoError(t, err)
		time.AfterFunc(700*time.Millisecond, func() { stopping.Store(true) })
		require.Equal(t, erasure.Running, state(e.AwaitErasure(t.Context(), begun)))
		e.Stop()
		require.False(t, f.jobs[0].taken)
		require.Positive(t, f.jobs[0].given)

		// Another replica finishes it by its id, whichever others wait.
		other, _ := newEraser(f, nil)
		told := 0
		finished, err := other.FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) { told++ })
		require.NoError(t, err)
		require.Equal(t, erasure.Finished, finished.State())
		require.Greater(t, told, 100)
		_, err = other.FinishErasure(t.Context(), uuid.New(), func(erasure.Erasure) {})
		require.True(t, fault.Is(err, fault.CodeNotFound))
	})
}

// An erasure that has to wait is continued when its time has come.
func TestAnErasureMayHaveToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		begun, err := f.BeginErasure(t.Context(), sized(2))
		require.NoError(t, err)
		f.jobs[0].later = true
		e, _ := newEraser(f, nil)
		e.Start(t.Context())
		<-time.After(time.Second)
		require.Equal(t, 1, f.taken(), "it is not asked for again and again")
		require.Equal(t, erasure.Finished, state(e.AwaitErasure(t.Context(), begun)))
		e.Stop()
	})
}

func TestAsksThatCannotBe(t *testing.T) {
	t.Parallel()
	e, _ := newEraser(&fake{}, nil)
	for _, ask := range []erasure.Request{
		{}, sized(erasure.MaxSessions + 1), {Values: make([]erasure.Value, erasure.MaxValues+1)}, {Values: []erasure.Value{{Path: "a", Steps: []string{"a"}}}},
	} {
		_, err := e.BeginErasure(t.Context(), ask)
		require.True(t, fault.Is(err, fault.CodeInvalidRequest), "%v", err)
	}

	one, two := uuid.New(), uuid.New()
	a, b := erasure.Request{SessionIDs: []uuid.UUID{one, two, one}}, erasure.Request{SessionIDs: []uuid.UUID{two, one}}
	require.NoError(t, a.Validate())
	require.NoError(t, b.Validate())
	require.Equal(t, a.Digest(), b.Digest(), "the same, in whichever order")
}
