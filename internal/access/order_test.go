package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

// Two answers of the store that were asked for in the same moment are told apart by their
// version: a key that was revoked must not work again.
func TestAnOlderAnswerOfTheSameMomentIsNotTaken(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{clock: c.now}
	key := store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
	older := store.snapshot
	revoked := c.now()
	store.change(func(snapshot *access.Snapshot) { snapshot.Keys[0].RevokedAt = &revoked })
	directory := newDirectory(store, c.now)
	require.NoError(t, directory.Refresh(t.Context()))
	_, err := directory.Authenticate(key)
	requireUnauthorized(t, err)

	store.snapshot = older
	require.NoError(t, directory.Refresh(t.Context()))
	_, err = directory.Authenticate(key)
	requireUnauthorized(t, err)

	c.pass(time.Second)
	require.NoError(t, directory.Refresh(t.Context()))
	_, err = directory.Authenticate(key)
	require.NoError(t, err, "an answer that was asked for later is right, as after a restore")
}

// A raised limit is applied once: what was taken at the old rate is not scaled down again by
// each request at the new one.
func TestARaisedLimitIsALimit(t *testing.T) {
	t.Parallel()
	limiter := access.NewLimiter(new(clock).now)
	_, ok := limiter.Allow(limited(1, 10), 10)
	require.True(t, ok)
	passed := 0
	for range 500 {
		if _, ok := limiter.Allow(limited(1, 100), 1); ok {
			passed++
		}
	}

	require.Equal(t, 90, passed, "10 of the new limit are taken already")
}
