package access_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/testing/metrictest"
)

func newDirectory(store *fakeStore, now func() time.Time) *access.Cache {
	return access.NewCache(access.Config{}, access.Deps{Store: store, Logger: zap.NewNop(), Now: now})
}

func requireUnauthorized(t *testing.T, err error) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Unauthenticated, f.Kind)
	require.Equal(t, fault.CodeUnauthorized, f.Code)
}

func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.Equal(t, fault.CodeUnavailable, f.Code)
	require.GreaterOrEqual(t, f.RetryAfter, time.Second)
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{clock: c.now}
	soon, past := c.now().Add(time.Second), c.now().Add(-time.Second)
	good := store.add(t, access.Application{ID: 1, Name: "good"}, nil)
	expiring := store.add(t, access.Application{ID: 2, Name: "expiring"}, func(k *access.HashedKey) { k.ExpiresAt = &soon })
	refused := map[string]string{
		"expired":  store.add(t, access.Application{ID: 3, Name: "expired"}, func(k *access.HashedKey) { k.ExpiresAt = &past }),
		"revoked":  store.add(t, access.Application{ID: 4, Name: "revoked"}, func(k *access.HashedKey) { k.RevokedAt = &past }),
		"disabled": store.add(t, access.Application{ID: 5, Name: "disabled", Disabled: true}, nil),
		"orphan":   store.add(t, access.Application{ID: 6, Name: "orphan"}, func(k *access.HashedKey) { k.ApplicationID = 99 }),
		// The id is known, the secret is another one.
		"forged":    store.add(t, access.Application{ID: 7, Name: "forged"}, func(k *access.HashedKey) { k.Hash[31] ^= 1 }),
		"unknown":   oldKey,
		"mistyped":  good[:20] + "!" + good[21:],
		"empty":     "",
		"truncated": good[:30],
	}
	directory := newDirectory(store, c.now)
	require.NoError(t, directory.Refresh(t.Context()))

	caller, err := directory.Authenticate(good)
	require.NoError(t, err)
	require.Equal(t, "good", caller.Application.Name)
	require.Equal(t, good[4:16], caller.KeyID)
	require.Equal(t, []access.Scope{access.ScopeIngest}, caller.Scopes)

	_, err = directory.Authenticate(expiring)
	require.NoError(t, err)
	c.pass(time.Second)
	_, one := directory.Authenticate(expiring)
	requireUnauthorized(t, one)

	for name, text := range refused {
		caller, err := directory.Authenticate(text)
		require.Nil(t, caller, name)
		requireUnauthorized(t, err)
		require.Equal(t, one, err, "%s: an answer does not reveal the reason", name)
	}

	require.Equal(t, int64(0), store.versions.Load())
	require.Equal(t, int64(1), store.snapshots.Load(), "authenticating asks the store for nothing")
}

// A replica whose clock is wrong rejects no valid key, and accepts no expired one.
func TestKeysExpireByTheClockOfTheStore(t *testing.T) {
	t.Parallel()
	const years = 2 * 365 * 24 * time.Hour
	var c clock
	for _, off := range []time.Duration{-years, years} {
		store := &fakeStore{clock: c.now}
		soon, past := c.now().Add(time.Hour), c.now().Add(-time.Hour)
		good := store.add(t, access.Application{ID: 1, Name: "good"}, func(k *access.HashedKey) { k.ExpiresAt = &soon })
		bad := store.add(t, access.Application{ID: 2, Name: "bad"}, func(k *access.HashedKey) { k.ExpiresAt = &past })
		directory := newDirectory(store, func() time.Time { return c.now().Add(off) })
		require.NoError(t, directory.Refresh(t.Context()))
		_, err := directory.Authenticate(good)
		require.NoError(t, err, off)
		_, err = directory.Authenticate(bad)
		requireUnauthorized(t, err)
	}
}

func TestCallerMay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		caller                   access.Caller
		ingest, read, admin, all bool
	}{
		{access.Caller{Scopes: []access.Scope{"ingest"}}, true, false, false, false},
		{access.Caller{Scopes: []access.Scope{"read"}}, false, true, false, false},
		{access.Caller{Scopes: []access.Scope{"read"}, OrganisationWide: true}, false, true, false, true},
		{access.Caller{Scopes: []access.Scope{"ingest", "read"}}, true, true, false, false},
		{access.Caller{Scopes: []access.Scope{"admin"}}, true, true, true, true},
		{access.Caller{}, false, false, false, false},
	} {
		require.Equal(t, test.ingest, test.caller.HasScope(access.ScopeIngest))
		require.Equal(t, test.read, test.caller.HasScope(access.ScopeRead))
		require.Equal(t, test.admin, test.caller.HasScope(access.ScopeAdmin))
		require.Equal(t, test.all, test.caller.ReadsAll())
	}
}

func TestDirectoryFailsClosed(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{}
	text := store.add(t, access.Application{ID: 1, Name: "shop", AllowedOrigins: []string{"https://a"}}, nil)
	directory := newDirectory(store, c.now)

	_, err := directory.Authenticate(text)
	requireUnavailable(t, err)
	requireUnavailable(t, directory.Ready())
	_, known := directory.Age()
	require.False(t, known)
	require.False(t, directory.OriginAllowed("https://a"))
	_, err = directory.Authenticate("nonsense")
	requireUnauthorized(t, err) // not a key, whatever the store holds

	require.NoError(t, directory.Refresh(t.Context()))
	c.pass(access.DefaultMaxAge)
	_, err = directory.Authenticate(text)
	require.NoError(t, err)
	require.NoError(t, directory.Ready())

	c.pass(1)
	_, err = directory.Authenticate(text)
	requireUnavailable(t, err)
	_, err = directory.Authenticate(oldKey)
	requireUnavailable(t, err) // it may have been created since
	requireUnavailable(t, directory.Ready())
	age, known := directory.Age()
	require.True(t, known)
	require.Equal(t, access.DefaultMaxAge+1, age)
	require.True(t, directory.OriginAllowed("https://a"), "a preflight gives nothing away")

	store.goAway(errAway, false)
	require.ErrorIs(t, directory.Refresh(t.Context()), errAway)
	requireUnavailable(t, directory.Ready())
	store.comeBack()
	require.NoError(t, directory.Refresh(t.Context()))
	require.NoError(t, directory.Ready())
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{}
	shop := access.Application{ID: 1, Name: "shop", AllowedOrigins: []string{"https://a", "https://b:8443"}}
	off := access.Application{ID: 2, Name: "off", AllowedOrigins: []string{"https://c", "*"}, Disabled: true}
	store.add(t, shop, nil)
	store.add(t, off, nil)
	directory := newDirectory(store, c.now)
	require.NoError(t, directory.Refresh(t.Context()))
	for origin, allowed := range map[string]bool{
		"https://a": true, "https://b:8443": true,
		"": false, "*": false, "null": false, "http://a": false, "https://b": false, "https://c": false, "https://A": false,
	} {
		require.Equal(t, allowed, shop.AllowsOrigin(origin), origin)
		require.Equal(t, allowed, directory.OriginAllowed(origin), origin)
	}

	open := access.Application{ID: 3, Name: "open", AllowedOrigins: []string{access.AnyOrigin}}
	store.add(t, open, nil)
	require.NoError(t, directory.Refresh(t.Context()))
	require.True(t, open.AllowsOrigin("https://anything"))
	require.False(t, open.AllowsOrigin(""))
	require.True(t, directory.OriginAllowed("https://anything"))
	require.False(t, directory.OriginAllowed(""))
}

func TestALateRefreshDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	var c clock
	store := &fakeStore{entered: make(chan struct{}), leave: make(chan struct{})}
	text := store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
	directory := newDirectory(store, c.now)

	refresh := func() <-chan error {
		done := make(chan error, 1)
		go func() { done <- directory.Refresh(context.Background()) }()
		<-store.entered // it has read the store, and not answered yet
		return done
	}
	late := refresh()
	revoked := c.now()
	store.change(func(s *access.Snapshot) { s.Keys[0].RevokedAt = &revoked })
	c.pass(time.Millisecond)
	newer := refresh()
	// Whichever of the two continues first, the newer content stays.
	store.leave <- struct{}{}
	store.leave <- struct{}{}
	require.NoError(t, <-late)
	require.NoError(t, <-newer)
	_, err := directory.Authenticate(text)
	requireUnauthorized(t, err)
}

func TestDirectoryUnderConcurrency(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	text := store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
	directory := access.NewCache(access.Config{Refresh: time.Millisecond, MaxAge: time.Minute},
		access.Deps{Store: store, Logger: zap.NewNop(), Now: time.Now})
	require.NoError(t, directory.Refresh(t.Context()))
	directory.Start(t.Context())
	t.Cleanup(directory.Stop)
	var readers, writers sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}

				caller, err := directory.Authenticate(text)
				if err != nil || caller.Application.Name != "shop" {
					t.Errorf("a good key was refused: %v", err)
					return
				}

				directory.OriginAllowed("https://a")
			}
		})
	}

	for range 4 {
		writers.Go(func() {
			for range 50 {
				store.change(func(*access.Snapshot) {})
				if err := directory.Refresh(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}

	writers.Wait()
	close(stop)
	readers.Wait()
}

func BenchmarkAuthenticate(b *testing.B) {
	store := &fakeStore{}
	text := store.add(b, access.Application{ID: 1, Name: "shop"}, nil)
	directory := access.NewCache(access.Config{MaxAge: time.Hour},
		access.Deps{Store: store, Logger: zap.NewNop(), Now: time.Now})
	require.NoError(b, directory.RegisterMetrics(metrictest.New(b)))
	require.NoError(b, directory.Refresh(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := directory.Authenticate(text); err != nil {
			b.Fatal(err)
		}
	}
}
