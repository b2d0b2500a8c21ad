package retention_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/retention"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake records its calls.
type fake struct {
	prepared [][2]time.Time
	// before are the requested bounds, by the kind of data to delete.
	before map[string][]time.Time
	fail   error
	// hold makes CreatePartitions wait for the end of its context.
	hold bool
	// away is how far the fake's clock is ahead.
	away       time.Duration
	clockFails error
}

func (f *fake) Now(context.Context) (time.Time, error) {
	return time.Now().Add(f.away), f.clockFails
}

func (f *fake) CreatePartitions(ctx context.Context, from, to time.Time) error {
	f.prepared = append(f.prepared, [2]time.Time{from, to})
	if f.hold {
		<-ctx.Done()
		return ctx.Err()
	}

	return f.fail
}

func (f *fake) ExpireEvents(_ context.Context, before time.Time) (int64, error) {
	f.before["events"] = append(f.before["events"], before)
	return 7, f.fail
}

func (f *fake) ExpireRejections(_ context.Context, before time.Time) (int, error) {
	f.before["errors"] = append(f.before["errors"], before)
	return 1, f.fail
}

func (f *fake) PruneErasures(_ context.Context, before time.Time) error {
	f.before["erasures"] = append(f.before["erasures"], before)
	return f.fail
}

func (f *fake) PruneTimings(_ context.Context, before time.Time) error {
	f.before["timings"] = append(f.before["timings"], before)
	return f.fail
}

func (f *fake) PruneAudit(_ context.Context, before time.Time) error {
	f.before["audit"] = append(f.before["audit"], before)
	return f.fail
}

const day = 24 * time.Hour

func TestRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fake{before: map[string][]time.Time{}}
		worker := retention.New(retention.Config{Events: 90 * day, Errors: 30 * day, MaxAge: 80 * day, Timings: 7 * day, Audit: 20 * day, Interval: time.Hour}, store, zap.NewNop(), time.Now)
		begin := time.Now()
		worker.Start(t.Context())
		<-time.After(2*time.Hour + time.Minute) // the clock of the bubble jumps
		worker.Stop()
		worker.Stop()

		require.Len(t, store.prepared, 3, "at the start and every hour")
		require.Equal(t, begin, store.prepared[0][0])
		require.Greater(t, store.prepared[0][1], begin.AddDate(0, 2, 0).Add(-day), "two months ahead")
		for what, kept := range map[string]time.Duration{"events": 90 * day, "errors": 30 * day, "erasures": 80 * day, "timings": 7 * day, "audit": 20 * day} {
			require.Len(t, store.before[what], 3)
			require.True(t, store.before[what][0].Before(begin.Add(-kept)), "what is young enough to be taken is not dropped on its way")
			require.True(t, store.before[what][0].After(begin.Add(-kept-2*time.Hour)))
		}
	})
}

// A replica or a database whose clock jumps must not drop data that is young by the
// other's clock.
func TestAStrayClockDropsNothingThatIsYoung(t *testing.T) {
	t.Parallel()
	const years = 2 * 365 * day
	for name, c := range map[string]struct{ replica, database, prepared time.Duration }{
		"the replica is ahead":   {replica: years},
		"the replica is behind":  {replica: -years},
		"the database is ahead":  {database: years, prepared: years},
		"the database is behind": {database: -years, prepared: -years},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := &fake{before: map[string][]time.Time{}, away: c.database}
			config := retention.Config{Events: 90 * day, Errors: 90 * day, MaxAge: 90 * day, Timings: 90 * day, Audit: 90 * day, Interval: time.Hour}
			retention.New(config, store, zap.NewNop(), func() time.Time { return time.Now().Add(c.replica) }).RunRound(t.Context())
			for _, what := range []string{"events", "errors", "erasures", "timings", "audit"} {
				require.Len(t, store.before[what], 1, "%s: %s", name, what)
				require.True(t, store.before[what][0].Before(time.Now().Add(-90*day)), "%s: %s", name, what)
			}

			require.Equal(t, time.Now().Add(c.prepared), store.prepared[0][0], "%s: made by the database's clock", name)
		})
	}
}

// Without the database's clock nothing counts as old.
func TestWithoutTheDatabasesClockNothingIsDropped(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	store := &fake{before: map[string][]time.Time{}, clockFails: errors.New("the database is down")}
	worker := retention.New(retention.Config{Events: day, Errors: day, Audit: day, MaxAge: day, Interval: time.Hour}, store, zap.New(core), time.Now)
	worker.RunRound(t.Context())
	<-worker.Prepared()
	require.Empty(t, store.before)
	require.Equal(t, 1, logs.Len())
}

func TestNothingIsDroppedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	store := &fake{before: map[string][]time.Time{}}
	retention.New(retention.Config{MaxAge: day, Interval: time.Hour}, store, zap.NewNop(), time.Now).RunRound(t.Context())
	require.Len(t, store.prepared, 1)
	require.Empty(t, store.before["events"])
	require.Empty(t, store.before["errors"])
	require.Empty(t, store.before["audit"])
	require.Len(t, store.before["erasures"], 1)
}

func TestWhatFailsIsLoggedAndTheRoundGoesOn(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	store := &fake{before: map[string][]time.Time{}, fail: errors.New("the database is down")}
	worker := retention.New(retention.Config{Events: day, Errors: day, Audit: day, MaxAge: day, Interval: time.Hour}, store, zap.New(core), time.Now)
	worker.RunRound(t.Context())
	require.Equal(t, 6, logs.Len())

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	worker.RunRound(ended)
	require.Equal(t, 6, logs.Len(), "a stopped round is not a failure")
}

func TestStopEndsARunningRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fake{before: map[string][]time.Time{}, hold: true}
		worker := retention.New(retention.Config{Events: day, MaxAge: day, Interval: time.Hour}, store, zap.NewNop(), time.Now)
		worker.Stop() // without Start
		worker = retention.New(retention.Config{Events: day, MaxAge: day, Interval: time.Hour}, store, zap.NewNop(), time.Now)
		worker.Start(t.Context())
		synctest.Wait()
		worker.Stop()
		require.Len(t, store.prepared, 1)
	})
}

// Prepared is closed after the first round, whether or not the round could create the
// partitions.
func TestPrepared(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{nil, errors.New("the database is down")} {
		store := &fake{before: map[string][]time.Time{}, fail: fail}
		worker := retention.New(retention.Config{MaxAge: day, Interval: time.Hour}, store, zap.NewNop(), time.Now)
		select {
		case <-worker.Prepared():
			t.Fatal("nothing is prepared yet")
		default:
		}

		worker.RunRound(t.Context())
		<-worker.Prepared()
		worker.RunRound(t.Context())
	}
}
