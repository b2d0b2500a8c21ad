package access

import (
	"context"
	"io"
	"time"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Refresher puts changes in force in this process. A Cache is one.
type Refresher interface {
	// Refresh reads the present state of the store.
	Refresh(ctx context.Context) error
}

// RegistryDeps are the dependencies of a Registry.
type RegistryDeps struct {
	Applications ApplicationStore
	Keys         KeyStore
	// Cache is refreshed after every change. It is nil where no requests are served.
	Cache Refresher
	// Rand is the source of keys: crypto/rand's Reader, except in tests.
	Rand io.Reader
	Now  func() time.Time
}

// Registry administers applications and keys. A change is in force in this process when
// the call returns, and on every replica within the refresh interval of its cache. It
// is safe for concurrent use.
type Registry struct {
	deps RegistryDeps
}

// NewRegistry makes a registry.
func NewRegistry(deps RegistryDeps) *Registry { return &Registry{deps: deps} }

// Names and ids that cannot exist are answered here, because not every text in a path
// can be sent to the database.
var (
	errNoApplication = fault.New(fault.NotFound, fault.CodeNotFound, "there is no application of this name")
	errNoKey         = fault.New(fault.NotFound, fault.CodeNotFound, "the application has no key with this id")
)

// CreateApplication returns an Invalid fault for a spec that is not valid, and a
// Conflict when the name is taken.
func (r *Registry) CreateApplication(ctx context.Context, spec ApplicationSpec) (Application, error) {
	spec, err := spec.Validate()
	if err != nil {
		return Application{}, err
	}

	created, err := r.deps.Applications.CreateApplication(ctx, spec)
	if err != nil {
		return Application{}, err
	}

	r.refreshCache(ctx)
	return created, nil
}

// ListApplications returns all applications, by name.
func (r *Registry) ListApplications(ctx context.Context) ([]Application, error) {
	return r.deps.Applications.ListApplications(ctx)
}

// FindApplication returns a NotFound fault when there is no application of this name.
func (r *Registry) FindApplication(ctx context.Context, name string) (Application, error) {
	if !isValidName(name) {
		return Application{}, errNoApplication
	}

	return r.deps.Applications.FindApplication(ctx, name)
}

// UpdateApplication applies the patch and returns the whole application. It returns an
// Invalid fault for a patch that is not valid and NotFound when there is no application
// of this name.
func (r *Registry) UpdateApplication(ctx context.Context, name string, patch ApplicationPatch) (Application, error) {
	if !isValidName(name) {
		return Application{}, errNoApplication
	}

	patch, err := patch.Validate()
	if err != nil {
		return Application{}, err
	}

	if patch.IsEmpty() {
		return r.deps.Applications.FindApplication(ctx, name)
	}

	updated, err := r.deps.Applications.UpdateApplication(ctx, name, patch)
	if err != nil {
		return Application{}, err
	}

	r.refreshCache(ctx)
	return updated, nil
}

// CreateKey makes a key of an application; only the answer contains its text. It
// returns an Invalid fault for a spec that is not valid and NotFound when there is no
// such application.
func (r *Registry) CreateKey(ctx context.Context, application string, spec KeySpec) (CreatedKey, error) {
	if !isValidName(application) {
		return CreatedKey{}, errNoApplication
	}

	spec, err := spec.Validate(r.deps.Now())
	if err != nil {
		return CreatedKey{}, err
	}

	text, id, hash, err := NewKey(r.deps.Rand, spec.Public)
	if err != nil {
		return CreatedKey{}, err
	}

	created, err := r.deps.Keys.CreateKey(ctx, HashedKey{
		Key: Key{
			ID:               id,
			Application:      application,
			Scopes:           spec.Scopes,
			OrganisationWide: spec.OrganisationWide,
			Description:      spec.Description,
			ExpiresAt:        spec.ExpiresAt,
			PublicUse:        spec.PublicUse,
		},
		Hash: hash,
	})
	if err != nil {
		return CreatedKey{}, err
	}

	r.refreshCache(ctx)
	return CreatedKey{Key: created, Text: text}, nil
}

// ListKeys returns all keys of an application, oldest first, or a NotFound fault when
// there is no such application.
func (r *Registry) ListKeys(ctx context.Context, application string) ([]Key, error) {
	if !isValidName(application) {
		return nil, errNoApplication
	}

	return r.deps.Keys.ListKeys(ctx, application)
}

// RevokeKey revokes a key for good. Revoking it again changes nothing. It returns a
// NotFound fault when the application has no such key.
func (r *Registry) RevokeKey(ctx context.Context, application, id string) error {
	if !isValidName(application) || len(id) != keyIDLength || !isBase62(id) {
		return errNoKey
	}

	if err := r.deps.Keys.RevokeKey(ctx, application, id); err != nil {
		return err
	}

	r.refreshCache(ctx)
	return nil
}

// refreshCache puts a change in force at once. The change is stored by now, so the call
// has succeeded even if this fails; then the cache's follower finds the change and, if
// it cannot, logs a warning.
func (r *Registry) refreshCache(ctx context.Context) {
	if r.deps.Cache != nil {
		_ = r.deps.Cache.Refresh(ctx)
	}
}
