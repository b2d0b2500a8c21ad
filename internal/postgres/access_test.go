package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// replica is the access part of one process: a store, a cache that follows it, and a registry.
type replica struct {
	store    *postgres.AccessStore
	cache    *access.Cache
	registry *access.Registry
}

func newReplica(t *testing.T, database *pgtest.Database, pooled bool) *replica {
	t.Helper()
	db, err := postgres.Open(context.Background(), postgres.Config{
		URL: database.DSN(), Pooled: pooled, WriteConnections: 4, ReadConnections: 4,
		ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	store := postgres.NewAccessStore(db)
	cache := access.NewCache(access.Config{Refresh: 20 * time.Millisecond},
		access.Deps{Store: store, Logger: zap.NewNop(), Now: time.Now})
	t.Cleanup(cache.Stop)
	return &replica{store, cache, access.NewRegistry(access.RegistryDeps{
		Applications: store, Keys: store, Cache: cache, Rand: rand.Reader, Now: time.Now,
	})}
}

// version reads the number by which caches detect changes.
func (r *replica) version(t *testing.T) int64 {
	t.Helper()
	version, _, err := r.store.ReadVersion(t.Context())
	require.NoError(t, err)
	return version
}

func (r *replica) create(t *testing.T, name string) access.Application {
	t.Helper()
	created, err := r.registry.CreateApplication(t.Context(), access.ApplicationSpec{Name: name})
	require.NoError(t, err)
	return created
}

func (r *replica) key(t *testing.T, application string, scopes ...access.Scope) access.CreatedKey {
	t.Helper()
	created, err := r.registry.CreateKey(t.Context(), application, access.KeySpec{Scopes: scopes})
	require.NoError(t, err)
	return created
}

func requireCode(t *testing.T, err error, kind fault.Kind, code fault.Code) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, kind, f.Kind, "%v", err)
	require.Equal(t, code, f.Code)
}

func TestAccessApplications(t *testing.T) {
	t.Parallel()
	for name, pooled := range map[string]bool{"direct": false, "pooled": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			r := newReplica(t, pgtest.New(t), pooled)
			none, err := r.registry.ListApplications(ctx)
			require.NoError(t, err)
			require.NotNil(t, none)
			require.Empty(t, none)

			limit := 50
			shop, err := r.registry.CreateApplication(ctx, access.ApplicationSpec{
				Name: "shop", RateLimit: &limit, AllowedOrigins: []string{"https://shop.example", "*"},
			})
			require.NoError(t, err)
			require.NotZero(t, shop.ID)
			require.WithinDuration(t, time.Now(), shop.CreatedAt, time.Minute)
			shop.ID, shop.CreatedAt = 0, time.Time{}
			require.Equal(t, access.Application{
				Name: "shop", RateLimit: &limit, AllowedOrigins: []string{"https://shop.example", "*"},
			}, shop)
			blog := r.create(t, "blog")
			require.Equal(t, []string{}, blog.AllowedOrigins)
			require.Nil(t, blog.RateLimit)

			_, err = r.registry.CreateApplication(ctx, access.ApplicationSpec{Name: "blog"})
			requireCode(t, err, fault.Conflict, fault.CodeAlreadyExists)

			read, err := r.registry.FindApplication(ctx, "blog")
			require.NoError(t, err)
			require.Equal(t, blog, read)
			_, err = r.registry.FindApplication(ctx, "nobody")
			requireCode(t, err, fault.NotFound, fault.CodeNotFound)

			all, err := r.registry.ListApplications(ctx)
			require.NoError(t, err)
			require.Len(t, all, 2)
			require.Equal(t, "blog", all[0].Name)
			require.Equal(t, "shop", all[1].Name)
		})
	}
}

func TestAccessUpdateApplication(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newReplica(t, pgtest.New(t), false)
	_, err := r.registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{Disabled: access.Some(true)})
	requireCode(t, err, fault.NotFound, fault.CodeNotFound)

	want := r.create(t, "shop")
	for _, step := range []struct {
		patch access.ApplicationPatch
		then  func()
	}{
		{access.ApplicationPatch{RateLimit: access.Some(5)}, func() { five := 5; want.RateLimit = &five }},
		{access.ApplicationPatch{Disabled: access.Some(true)}, func() { want.Disabled = true }},
		{access.ApplicationPatch{AllowedOrigins: access.Some([]string{"*"})}, func() { want.AllowedOrigins = []string{"*"} }},
		{access.ApplicationPatch{}, func() {}},
		{
			access.ApplicationPatch{
				RateLimit: access.Null[int](), Disabled: access.Some(false), AllowedOrigins: access.Some([]string{}),
			},
			func() { want.RateLimit, want.Disabled, want.AllowedOrigins = nil, false, []string{} },
		},
	} {
		step.then()
		answered, err := r.registry.UpdateApplication(ctx, "shop", step.patch)
		require.NoError(t, err)
		require.Equal(t, want, answered)
		stored, err := r.registry.FindApplication(ctx, "shop")
		require.NoError(t, err)
		require.Equal(t, want, stored)
	}
}

func TestAccessPatchesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	r := newReplica(t, pgtest.New(t), false)
	for round := range 20 {
		name := fmt.Sprintf("shop%d", round)
		r.create(t, name)
		var group sync.WaitGroup
		for _, patch := range []access.ApplicationPatch{
			{Disabled: access.Some(true)}, {RateLimit: access.Some(7)}, {AllowedOrigins: access.Some([]string{"*"})},
		} {
			group.Go(func() {
				if _, err := r.store.UpdateApplication(context.Background(), name, patch); err != nil {
					t.Error(err)
				}
			})
		}

		group.Wait()
		stored, err := r.store.FindApplication(t.Context(), name)
		require.NoError(t, err)
		require.True(t, stored.Disabled)
		require.NotNil(t, stored.RateLimit)
		require.Equal(t, []string{"*"}, stored.AllowedOrigins)
	}
}

func TestAccessOneOfManyCreatesAnApplication(t *testing.T) {
	t.Parallel()
	r := newReplica(t, pgtest.New(t), false)
	before := r.version(t)
	const attempts = 16
	errs := make([]error, attempts)
	var group sync.WaitGroup
	for i := range attempts {
		group.Go(func() {
			_, errs[i] = r.store.CreateApplication(context.Background(), access.ApplicationSpec{Name: "shop"})
		})
	}

	group.Wait()
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
			continue
		}

		requireCode(t, err, fault.Conflict, fault.CodeAlreadyExists)
	}

	require.Equal(t, 1, created)
	require.Equal(t, before+1, r.version(t), "a rejected change does not count")
}

func TestAccessKeys(t *testing.T) {
	t.Parallel()
	for name, pooled := range map[string]bool{"direct": false, "pooled": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			r := newReplica(t, pgtest.New(t), pooled)
			spec := access.KeySpec{Scopes: []access.Scope{access.ScopeRead, access.ScopeIngest}}
			_, err := r.registry.CreateKey(ctx, "shop", spec)
			requireCode(t, err, fault.NotFound, fault.CodeNotFound)
			_, err = r.registry.ListKeys(ctx, "shop")
			requireCode(t, err, fault.NotFound, fault.CodeNotFound)

			shop := r.create(t, "shop")
			r.create(t, "blog")
			none, err := r.registry.ListKeys(ctx, "shop")
			require.NoError(t, err)
			require.NotNil(t, none)
			require.Empty(t, none)

			expires := time.Now().Add(time.Hour).Truncate(time.Microsecond)
			spec.OrganisationWide, spec.Description, spec.ExpiresAt = true, "reports ü", &expires
			first, err := r.registry.CreateKey(ctx, "shop", spec)
			require.NoError(t, err)
			second := r.key(t, "shop", access.ScopeAdmin)
			r.key(t, "blog", access.ScopeIngest)

			keys, err := r.registry.ListKeys(ctx, "shop")
			require.NoError(t, err)
			require.Len(t, keys, 2)
			require.Equal(t, first.ID, keys[0].ID)
			require.Equal(t, second.ID, keys[1].ID)
			require.Equal(t, "shop", keys[0].Application)
			require.Equal(t, spec.Scopes, keys[0].Scopes)
			require.True(t, keys[0].OrganisationWide)
			require.Equal(t, "reports ü", keys[0].Description)
			require.True(t, first.CreatedAt.Equal(keys[0].CreatedAt))
			require.True(t, expires.Equal(*keys[0].ExpiresAt))
			require.Nil(t, keys[0].RevokedAt)
			require.Nil(t, keys[1].ExpiresAt)

			snapshot, err := r.store.ReadSnapshot(ctx)
			require.NoError(t, err)
			require.Equal(t, r.version(t), snapshot.Version)
			require.Len(t, snapshot.Applications, 2)
			require.Len(t, snapshot.Keys, 3)
			id, hash, _ := access.ParseKey(first.Text)
			for _, k := range snapshot.Keys {
				if k.ID == id {
					require.Equal(t, shop.ID, k.ApplicationID)
					require.Equal(t, hash, k.Hash)
				}
			}
		})
	}
}

func TestAccessRevokeKey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newReplica(t, pgtest.New(t), false)
	r.create(t, "shop")
	r.create(t, "blog")
	key := r.key(t, "shop", access.ScopeIngest)
	_, err := r.cache.Authenticate(key.Text)
	require.NoError(t, err, "its creator can use it at once")

	for application, id := range map[string]string{"blog": key.ID, "nobody": key.ID, "shop": "000000000000"} {
		requireCode(t, r.registry.RevokeKey(ctx, application, id), fault.NotFound, fault.CodeNotFound)
	}

	_, err = r.cache.Authenticate(key.Text)
	require.NoError(t, err)

	require.NoError(t, r.registry.RevokeKey(ctx, "shop", key.ID))
	_, err = r.cache.Authenticate(key.Text)
	requireCode(t, err, fault.Unauthenticated, fault.CodeUnauthorized)
	keys, err := r.registry.ListKeys(ctx, "shop")
	require.NoError(t, err)
	require.NotNil(t, keys[0].RevokedAt)
	version := r.version(t)

	require.NoError(t, r.registry.RevokeKey(ctx, "shop", key.ID), "revoking again succeeds")
	again, err := r.registry.ListKeys(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, keys, again, "and changes nothing")
	require.Equal(t, version, r.version(t))

	snapshot, err := r.store.ReadSnapshot(ctx)
	require.NoError(t, err)
	require.Empty(t, snapshot.Keys)
}

// Two replicas on one database: each follows the changes of the other.
func TestAccessReplicasFollowOneAnother(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := pgtest.New(t)
	here, there := newReplica(t, database, false), newReplica(t, database, false)
	here.cache.Start(t.Context())
	there.cache.Start(t.Context())
	// seen waits until the other replica answers as the first one does.
	seen := func(text string, code fault.Code) {
		t.Helper()
		_, err := here.cache.Authenticate(text)
		require.Equal(t, code, codeOf(err), "in force at once where it was made")
		require.Eventually(t, func() bool {
			_, err := there.cache.Authenticate(text)
			return codeOf(err) == code
		}, 5*time.Second, 5*time.Millisecond, "and everywhere within 5 s")
	}
	here.create(t, "shop")
	one, two := here.key(t, "shop", access.ScopeIngest), here.key(t, "shop", access.ScopeRead)
	seen(one.Text, "")
	seen(two.Text, "")

	require.NoError(t, here.registry.RevokeKey(ctx, "shop", one.ID))
	seen(one.Text, fault.CodeUnauthorized)
	seen(two.Text, "")

	_, err := here.registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{Disabled: access.Some(true)})
	require.NoError(t, err)
	seen(two.Text, fault.CodeUnauthorized)

	_, err = here.registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{
		Disabled: access.Some(false), RateLimit: access.Some(7), AllowedOrigins: access.Some([]string{"https://shop.example"}),
	})
	require.NoError(t, err)
	seen(two.Text, "")
	caller, err := there.cache.Authenticate(two.Text)
	require.NoError(t, err)
	require.Equal(t, 7, *caller.Application.RateLimit)
	require.True(t, there.cache.OriginAllowed("https://shop.example"))
}

func codeOf(err error) fault.Code {
	if f, ok := fault.As(err); ok {
		return f.Code
	}

	return ""
}

func TestAccessStoreSaysThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	db := openDB(t, "postgres://nobody@127.0.0.1:1/nowhere?sslmode=disable")
	store := postgres.NewAccessStore(db)
	ctx := t.Context()
	_, _, version := store.ReadVersion(ctx)
	_, snapshot := store.ReadSnapshot(ctx)
	_, create := store.CreateApplication(ctx, access.ApplicationSpec{Name: "shop"})
	_, list := store.ListApplications(ctx)
	_, read := store.FindApplication(ctx, "shop")
	_, update := store.UpdateApplication(ctx, "shop", access.ApplicationPatch{})
	_, key := store.CreateKey(ctx, access.HashedKey{})
	_, keys := store.ListKeys(ctx, "shop")
	revoke := store.RevokeKey(ctx, "shop", "x")
	for _, err := range []error{version, snapshot, create, list, read, update, key, keys, revoke} {
		requireCode(t, err, fault.Unavailable, fault.CodeUnavailable)
	}

	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err := store.ReadVersion(ended)
	require.ErrorIs(t, err, context.Canceled)
}
