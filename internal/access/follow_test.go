package access_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/access"
)

func TestDirectoryFollowsTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		text := store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
		directory := newDirectory(store, time.Now)
		directory.Start(t.Context())
		defer directory.Stop()

		synctest.Wait()
		_, err := directory.Authenticate(text)
		require.NoError(t, err, "known at once")

		wait(time.Minute)
		require.Equal(t, int64(61), store.versions.Load())
		require.Equal(t, int64(1), store.snapshots.Load(), "all is read only when something changed")
		_, err = directory.Authenticate(text)
		require.NoError(t, err)

		now := time.Now()
		store.change(func(s *access.Snapshot) { s.Keys[0].RevokedAt = &now })
		other := store.add(t, access.Application{ID: 2, Name: "blog"}, nil)
		wait(access.DefaultRefresh)
		require.Equal(t, int64(2), store.snapshots.Load())
		_, err = directory.Authenticate(text)
		requireUnauthorized(t, err)
		_, err = directory.Authenticate(other)
		require.NoError(t, err)
	})
}

// wait lets time pass in a bubble, and all that happens in it.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestDirectorySurvivesAnOutage(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]bool{"refusing": false, "hanging": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { outage(t, hang) })
		})
	}
}

func outage(t *testing.T, hang bool) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	store := &fakeStore{}
	text := store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
	directory := access.NewCache(access.Config{}, access.Deps{Store: store, Logger: zap.New(core), Now: time.Now})
	directory.Start(t.Context())
	defer directory.Stop()

	wait(10 * time.Second)
	require.Equal(t, 1, logs.Len())

	store.goAway(errAway, hang)
	wait(3 * time.Second)
	_, err := directory.Authenticate(text)
	require.NoError(t, err, "a short outage is not noticed")
	wait(2 * time.Second)
	_, err = directory.Authenticate(text)
	requireUnavailable(t, err)
	wait(time.Minute)
	require.Equal(t, 2, logs.Len(), "the change is logged, not its lasting: %v", logs.All())
	require.Equal(t, zapcore.WarnLevel, logs.All()[1].Level)

	// The database that comes back is a restored one: other content, same version.
	revoked := time.Now()
	store.change(func(s *access.Snapshot) { s.Keys[0].RevokedAt, s.Version = &revoked, s.Version-1 })
	store.comeBack()
	wait(3 * time.Second)
	require.NoError(t, directory.Ready())
	_, err = directory.Authenticate(text)
	requireUnauthorized(t, err)
	require.Equal(t, 3, logs.Len())
	require.Equal(t, zapcore.InfoLevel, logs.All()[2].Level)
}

func TestDirectoryLifecycle(t *testing.T) {
	t.Parallel()
	t.Run("stop without start", func(t *testing.T) {
		t.Parallel()
		store := &fakeStore{}
		directory := newDirectory(store, time.Now)
		directory.Stop()
		directory.Stop()
		directory.Start(t.Context())
		require.Zero(t, store.versions.Load(), "it does not start again")
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		for range 50 {
			directory := newDirectory(&fakeStore{}, time.Now)
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() { directory.Start(t.Context()) })
				group.Go(directory.Stop)
			}

			group.Wait()
			directory.Stop()
		}
	})
	t.Run("stop ends a trip to the store", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zapcore.DebugLevel)
			store := &fakeStore{hang: true}
			directory := access.NewCache(access.Config{}, access.Deps{Store: store, Logger: zap.New(core), Now: time.Now})
			directory.Start(t.Context())
			synctest.Wait()
			before := time.Now()
			directory.Stop()
			require.Equal(t, before, time.Now(), "at once")
			require.Zero(t, logs.Len(), "a stop is not an outage")
		})
	})
}
