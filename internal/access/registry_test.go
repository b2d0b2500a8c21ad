package access_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// notebook is a store that knows the application shop and records its calls.
type notebook struct {
	asked []string
	spec  access.ApplicationSpec
	patch access.ApplicationPatch
	key   access.HashedKey
	err   error
}

func (n *notebook) note(what string) error {
	n.asked = append(n.asked, what)
	return n.err
}

func (n *notebook) CreateApplication(_ context.Context, spec access.ApplicationSpec) (access.Application, error) {
	n.spec = spec
	return access.Application{Name: spec.Name}, n.note("create " + spec.Name)
}

func (n *notebook) ListApplications(context.Context) ([]access.Application, error) {
	return []access.Application{{Name: "shop"}}, n.note("list")
}

func (n *notebook) FindApplication(_ context.Context, name string) (access.Application, error) {
	return access.Application{Name: name}, n.note("read " + name)
}

func (n *notebook) UpdateApplication(_ context.Context, name string, patch access.ApplicationPatch) (access.Application, error) {
	n.patch = patch
	return access.Application{Name: name}, n.note("update " + name)
}

func (n *notebook) CreateKey(_ context.Context, key access.HashedKey) (access.Key, error) {
	n.key = key
	return key.Key, n.note("create key of " + key.Application)
}

func (n *notebook) ListKeys(_ context.Context, application string) ([]access.Key, error) {
	return nil, n.note("list keys of " + application)
}

func (n *notebook) RevokeKey(_ context.Context, application, id string) error {
	return n.note("revoke " + id + " of " + application)
}

// refreshes counts how often a cache was refreshed.
type refreshes struct {
	count int
	err   error
}

func (r *refreshes) Refresh(context.Context) error {
	r.count++
	return r.err
}

func newRegistry() (*access.Registry, *notebook, *refreshes) {
	book, told := &notebook{}, &refreshes{}
	return access.NewRegistry(access.RegistryDeps{
		Applications: book, Keys: book, Cache: told, Rand: chaos(), Now: new(clock).now,
	}), book, told
}

func TestRegistryTellsTheDirectoryOfEveryChange(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	registry, book, told := newRegistry()
	told.err = errors.New("the store is down") // the refresh is still attempted

	_, err := registry.CreateApplication(ctx, access.ApplicationSpec{Name: "shop", AllowedOrigins: []string{"HTTP://A"}})
	require.NoError(t, err)
	require.Equal(t, []string{"http://a"}, book.spec.AllowedOrigins)
	require.Equal(t, 1, told.count)
	_, err = registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{Disabled: access.Some(true)})
	require.NoError(t, err)
	require.Equal(t, 2, told.count)
	_, err = registry.CreateKey(ctx, "shop", access.KeySpec{Scopes: []access.Scope{"read"}})
	require.NoError(t, err)
	require.Equal(t, 3, told.count)
	require.NoError(t, registry.RevokeKey(ctx, "shop", oldID))
	require.Equal(t, 4, told.count)

	_, err = registry.ListApplications(ctx)
	require.NoError(t, err)
	_, err = registry.FindApplication(ctx, "shop")
	require.NoError(t, err)
	_, err = registry.ListKeys(ctx, "shop")
	require.NoError(t, err)
	_, err = registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{})
	require.NoError(t, err)
	require.Equal(t, 4, told.count)
	require.Equal(t, []string{
		"create shop", "update shop", "create key of shop", "revoke " + oldID + " of shop",
		"list", "read shop", "list keys of shop", "read shop",
	}, book.asked)
}

func TestRegistryMakesAKeyThatIsKeptAsAHash(t *testing.T) {
	t.Parallel()
	registry, book, _ := newRegistry()
	created, err := registry.CreateKey(t.Context(), "shop", access.KeySpec{
		Scopes: []access.Scope{"read"}, OrganisationWide: true, Description: "reports",
	})
	require.NoError(t, err)
	id, hash, ok := access.ParseKey(created.Text)
	require.True(t, ok)
	require.Equal(t, access.HashedKey{
		Key: access.Key{
			ID: id, Application: "shop", Scopes: []access.Scope{"read"}, OrganisationWide: true, Description: "reports",
		},
		Hash: hash,
	}, book.key)
	require.Equal(t, sha256.Sum256([]byte(created.Text)), hash)
}

func TestRegistryRefusesWithoutAskingTheStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	registry, book, told := newRegistry()
	_, err := registry.CreateApplication(ctx, access.ApplicationSpec{Name: "a b"})
	require.Contains(t, pointers(t, err), "/name")
	_, err = registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{RateLimit: access.Some(0)})
	require.Contains(t, pointers(t, err), "/rate_limit")
	_, err = registry.CreateKey(ctx, "shop", access.KeySpec{})
	require.Contains(t, pointers(t, err), "/scopes")

	for _, name := range []string{"", "a b", "a\x00", "\xff", strings.Repeat("a", 200)} {
		_, err = registry.FindApplication(ctx, name)
		require.True(t, fault.Is(err, fault.CodeNotFound), "%q", name)
		_, err = registry.UpdateApplication(ctx, name, access.ApplicationPatch{Disabled: access.Some(true)})
		require.True(t, fault.Is(err, fault.CodeNotFound), "%q", name)
		_, err = registry.ListKeys(ctx, name)
		require.True(t, fault.Is(err, fault.CodeNotFound), "%q", name)
		_, err = registry.CreateKey(ctx, name, access.KeySpec{Scopes: []access.Scope{"read"}})
		require.True(t, fault.Is(err, fault.CodeNotFound), "%q", name)
		require.True(t, fault.Is(registry.RevokeKey(ctx, name, oldID), fault.CodeNotFound), "%q", name)
		require.True(t, fault.Is(registry.RevokeKey(ctx, "shop", name), fault.CodeNotFound), "%q", name)
	}

	require.Empty(t, book.asked)
	require.Zero(t, told.count)
}

func TestRegistryPassesFaultsOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	registry, book, told := newRegistry()
	book.err = errAway
	_, err := registry.CreateApplication(ctx, access.ApplicationSpec{Name: "shop"})
	require.ErrorIs(t, err, errAway)
	_, err = registry.UpdateApplication(ctx, "shop", access.ApplicationPatch{Disabled: access.Some(true)})
	require.ErrorIs(t, err, errAway)
	created, err := registry.CreateKey(ctx, "shop", access.KeySpec{Scopes: []access.Scope{"read"}})
	require.ErrorIs(t, err, errAway)
	require.Empty(t, created.Text, "a key that may not exist is not shown")
	require.ErrorIs(t, registry.RevokeKey(ctx, "shop", oldID), errAway)
	require.Zero(t, told.count)

	broken := errors.New("no entropy")
	registry = access.NewRegistry(access.RegistryDeps{
		Applications: book, Keys: book, Rand: iotest.ErrReader(broken), Now: new(clock).now,
	})
	_, err = registry.CreateKey(ctx, "shop", access.KeySpec{Scopes: []access.Scope{"read"}})
	require.ErrorIs(t, err, broken)
}

func TestRegistryWithoutADirectory(t *testing.T) {
	t.Parallel()
	book := &notebook{}
	registry := access.NewRegistry(access.RegistryDeps{Applications: book, Keys: book, Rand: chaos(), Now: new(clock).now})
	_, err := registry.CreateApplication(t.Context(), access.ApplicationSpec{Name: "shop"})
	require.NoError(t, err)
}
