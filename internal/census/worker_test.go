package census_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/census"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a database that a test controls.
type fake struct {
	mu sync.Mutex
	answer
	asked int
}

type answer struct {
	stock census.Statistics
	err   error
	hang  bool // until the caller gives up
}

func (f *fake) ReadStatistics(ctx context.Context, _ time.Time) (census.Statistics, error) {
	f.mu.Lock()
	f.asked++
	answer := f.answer
	f.mu.Unlock()
	if answer.hang {
		<-ctx.Done()
		return census.Statistics{}, ctx.Err()
	}

	return answer.stock, answer.err
}

func (f *fake) change(to func(*answer)) {
	f.mu.Lock()
	defer f.mu.Unlock()

	to(&f.answer)
}

func (f *fake) rounds() int {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.asked
}

// newWorker makes a worker on a fake, and the meter that a scrape reads.
func newWorker(t *testing.T, capacity int64, store *fake) (*census.Worker, *metrictest.Meter, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	made := census.New(census.Config{Interval: time.Minute, Capacity: capacity}, census.Deps{Store: store, Logger: zap.New(core), Now: time.Now})
	meter := metrictest.New(t)
	require.NoError(t, made.RegisterMetrics(meter))
	return made, meter, logs
}

// wait lets time pass in a bubble, and all that happens in it.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

const gibibyte = 1 << 30

func TestWhatIsFoundIsExposed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		store := &fake{answer: answer{stock: census.Statistics{
			Size: 10 * gibibyte, Tables: census.TableSizes{Event: 5 * gibibyte, EventKey: 2 * gibibyte, Session: gibibyte, Rejection: gibibyte / 2},
			Events: census.Partitions{Count: 7, Until: begin.Add(time.Hour)}, Rejections: census.Partitions{Count: 3},
		}}}
		worker, meter, _ := newWorker(t, 100*gibibyte, store)
		require.Equal(t, map[string]float64{"theeye_database_capacity_bytes": 100 * gibibyte}, meter.Scrape(t), "nothing is found yet")
		worker.Start(t.Context())
		defer worker.Stop()

		wait(30 * time.Second)
		want := map[string]float64{
			"theeye_database_capacity_bytes":                     100 * gibibyte,
			"theeye_database_size_bytes":                         10 * gibibyte,
			`theeye_database_table_bytes{table="event"}`:         5 * gibibyte,
			`theeye_database_table_bytes{table="event_key"}`:     2 * gibibyte,
			`theeye_database_table_bytes{table="session"}`:       gibibyte,
			`theeye_database_table_bytes{table="rejection"}`:     gibibyte / 2,
			`theeye_database_table_bytes{table="other"}`:         gibibyte + gibibyte/2,
			`theeye_partitions{table="event"}`:                   7,
			`theeye_partitions{table="rejection"}`:               3,
			`theeye_partitions_ahead_seconds{table="event"}`:     3600 - 30,
			`theeye_partitions_ahead_seconds{table="rejection"}`: 0,
			"theeye_census_last_success_timestamp_seconds":       float64(begin.Unix()),
		}
		require.Equal(t, want, meter.Scrape(t), "no event, no growth")
		require.Equal(t, 1, store.rounds(), "a scrape does not touch the database")

		store.change(func(a *answer) {
			a.stock.Oldest, a.stock.Newest = begin.AddDate(0, -6, 0), begin.Add(1500*time.Millisecond)
			a.stock.Size += gibibyte
		})
		wait(10 * time.Minute)
		seen := meter.Scrape(t)
		require.InDelta(t, float64(begin.AddDate(0, -6, 0).Unix()), seen["theeye_events_oldest_timestamp_seconds"], 0)
		require.InDelta(t, float64(begin.Unix())+1.5, seen["theeye_events_newest_timestamp_seconds"], 0)
		require.Positive(t, seen["theeye_database_growth_bytes_per_day"])
		require.InDelta(t, 89*gibibyte/seen["theeye_database_growth_bytes_per_day"], seen["theeye_database_days_to_full"], 1e-9)
		require.Equal(t, []string{
			"theeye_census_last_success_timestamp_seconds gauge",
			"theeye_database_capacity_bytes gauge",
			"theeye_database_days_to_full gauge",
			"theeye_database_growth_bytes_per_day gauge",
			"theeye_database_size_bytes gauge",
			"theeye_database_table_bytes gauge",
			"theeye_events_newest_timestamp_seconds gauge",
			"theeye_events_oldest_timestamp_seconds gauge",
			"theeye_partitions gauge",
			"theeye_partitions_ahead_seconds gauge",
		}, meter.Families(t))
		wait(2 * time.Hour)
		require.Zero(t, meter.Scrape(t)[`theeye_partitions_ahead_seconds{table="event"}`], "the last partition is past")
	})
}

func TestGrowthForgetsWhatIsOlderThanADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fake{}
		worker, meter, _ := newWorker(t, 0, store)
		worker.Start(t.Context())
		defer worker.Stop()

		synctest.Wait()
		grow := func(d time.Duration, bytesPerMinute int64) {
			for range int(d / time.Minute) {
				store.change(func(a *answer) { a.stock.Size += bytesPerMinute })
				wait(time.Minute)
			}
		}
		const growth = "theeye_database_growth_bytes_per_day"
		grow(9*time.Minute+59*time.Second, 1000)
		require.NotContains(t, meter.Scrape(t), growth)
		grow(6*time.Hour, 1000)
		require.InDelta(t, 1440*1000, meter.Scrape(t)[growth], 1)
		grow(24*time.Hour+2*time.Minute, -10)
		require.InDelta(t, 1440*-10, meter.Scrape(t)[growth], 1, "it shrinks, and what was before is forgotten")
		require.NotContains(t, meter.Scrape(t), "theeye_database_days_to_full")
		require.NotContains(t, meter.Scrape(t), "theeye_database_capacity_bytes")
	})
}

func TestAFailedRoundLeavesWhatWasKnown(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]answer{"refusing": {err: errors.New("the database is down")}, "hanging": {hang: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				store := &fake{answer: answer{stock: census.Statistics{Size: 42}}}
				worker, meter, logs := newWorker(t, 0, store)
				worker.Start(t.Context())
				defer worker.Stop()

				wait(time.Second)
				before := meter.Scrape(t)

				store.change(func(a *answer) { *a = away })
				wait(3*time.Minute + 10*time.Second)
				require.Equal(t, 4, store.rounds(), "it gives up in time for the next round")
				require.Equal(t, before, meter.Scrape(t))
				require.InDelta(t, float64(begin.Unix()), before["theeye_census_last_success_timestamp_seconds"], 0)
				require.Equal(t, 3, logs.Len())
				require.Equal(t, zapcore.WarnLevel, logs.All()[0].Level)

				store.change(func(a *answer) { *a = answer{stock: census.Statistics{Size: 43}} })
				wait(time.Minute)
				require.InDelta(t, 43, meter.Scrape(t)["theeye_database_size_bytes"], 0)
				require.InDelta(t, float64(begin.Add(4*time.Minute).Unix()), meter.Scrape(t)["theeye_census_last_success_timestamp_seconds"], 0)
			})
		})
	}
}

func TestStopEndsARunningRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fake{answer: answer{hang: true}}
		never, _, _ := newWorker(t, 0, store)
		never.Stop() // without Start
		worker, _, logs := newWorker(t, 0, store)
		worker.Start(t.Context())
		synctest.Wait()
		before := time.Now()
		worker.Stop()
		worker.Stop()
		require.Equal(t, before, time.Now(), "at once")
		require.Equal(t, 1, store.rounds())
		require.Zero(t, logs.Len(), "a stop is not a failure")
	})
}
