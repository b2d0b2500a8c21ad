package access_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
)

func TestMetricsAreNamedAsPromised(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{}
	directory, meter := newDirectory(store, c.now), metrictest.New(t)
	require.NoError(t, directory.RegisterMetrics(meter))
	require.Equal(t, []string{
		"theeye_access_authentications_total counter",
		"theeye_access_refreshes_total counter",
	}, meter.Families(t), "nothing is known of the keys yet")
	require.NoError(t, directory.Refresh(t.Context()))
	require.Equal(t, []string{
		"theeye_access_authentications_total counter",
		"theeye_access_directory_age_seconds gauge",
		"theeye_access_directory_applications gauge",
		"theeye_access_directory_keys gauge",
		"theeye_access_refreshes_total counter",
	}, meter.Families(t))
}

func TestAuthenticationsAreCountedByResult(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{}
	past := c.now()
	good := store.add(t, access.Application{ID: 1, Name: "good"}, nil)
	revoked := store.add(t, access.Application{ID: 2, Name: "revoked"}, func(k *access.HashedKey) { k.RevokedAt = &past })
	directory, meter := newDirectory(store, c.now), metrictest.New(t)
	require.NoError(t, directory.RegisterMetrics(meter))
	ask := func(texts ...string) {
		for _, text := range texts {
			_, _ = directory.Authenticate(text)
		}
	}
	requireCounts := func(accepted, refused, unavailable float64) {
		t.Helper()
		seen := meter.Scrape(t)
		require.Equal(t, []float64{accepted, refused, unavailable}, []float64{
			seen[`theeye_access_authentications_total{result="accepted"}`],
			seen[`theeye_access_authentications_total{result="refused"}`],
			seen[`theeye_access_authentications_total{result="unavailable"}`],
		})
	}
	require.Contains(t, meter.Scrape(t), `theeye_access_authentications_total{result="unavailable"}`, "from the start, so that a rate shows the first one")

	ask(good)
	requireCounts(0, 0, 1)
	require.NoError(t, directory.Refresh(t.Context()))
	ask(good, good, revoked, oldKey, "nonsense", "")
	requireCounts(2, 4, 1)
	c.pass(access.DefaultMaxAge + 1)
	ask(good, "nonsense")
	requireCounts(2, 5, 2)

	seen := meter.Scrape(t)
	require.InDelta(t, 2, seen["theeye_access_directory_keys"], 0)
	require.InDelta(t, 2, seen["theeye_access_directory_applications"], 0)
	require.InDelta(t, 4.5, seen["theeye_access_directory_age_seconds"], 1e-6)
}

func TestRefreshesAreCountedByOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
		directory := access.NewCache(access.Config{}, access.Deps{Store: store, Logger: zap.NewNop(), Now: time.Now})
		meter := metrictest.New(t)
		require.NoError(t, directory.RegisterMetrics(meter))
		requireCounts := func(unchanged, changed, failed float64) {
			t.Helper()
			seen := meter.Scrape(t)
			require.Equal(t, []float64{unchanged, changed, failed}, []float64{
				seen[`theeye_access_refreshes_total{outcome="unchanged"}`],
				seen[`theeye_access_refreshes_total{outcome="changed"}`],
				seen[`theeye_access_refreshes_total{outcome="failed"}`],
			})
		}
		directory.Start(t.Context())
		defer directory.Stop()

		synctest.Wait()
		requireCounts(0, 1, 0)
		wait(10 * time.Second)
		requireCounts(10, 1, 0)

		store.add(t, access.Application{ID: 2, Name: "blog"}, nil)
		wait(time.Second)
		requireCounts(10, 2, 0)

		store.goAway(errAway, false)
		wait(5 * time.Second)
		requireCounts(10, 2, 5)
		require.InDelta(t, 5, meter.Scrape(t)["theeye_access_directory_age_seconds"], 1e-6)

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, directory.Refresh(gone))
		requireCounts(10, 2, 5) // who called it off, not the store

		store.comeBack()
		wait(time.Second)
		requireCounts(10, 3, 5) // another store may have come back, so all is read
	})
}
