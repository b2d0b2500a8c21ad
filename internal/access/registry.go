package access

import (
	"context"
	"io"
	"time"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Refresher puts changes in force in this process. A Directory is one.
type Refresher interface {
	// Refresh reads what is stored now.
	Refresh(ctx context.Context) error
}

// RegistryDeps are what a Registry works with.
type RegistryDeps struct {
	Applications ApplicationStore
	Keys         KeyStore
	// Cache is told of every change. It is nil where no requests are served.
	Cache Refresher
	// Rand makes keys: crypto/rand's Reader, except in tests.
	Rand io.Reader
	Now  func() time.Time
}

// Registry administers applications and keys. A change is in force in this process
// when the call returns, and everywhere within the directories' refresh. It is safe
// for concurrent use.
type Registry struct {
	deps RegistryDeps
}

// NewRegistry makes a registry.
func NewRegistry(deps RegistryDeps) *Registry { return &Registry{deps: deps} }

// Names and ids that cannot exist are answered here: not everything that can stand
// in a path can be sent to the database.
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

// ListApplications returns all of them, by name.
func (r *Registry) ListApplications(ctx context.Context) ([]Application, error) {
	return r.deps.Applications.ListApplications(ctx)
}

// FindApplication returns a NotFound fault when there is none of this name.
func (r *Registry) FindApplication(ctx context.Context, name string) (Application, error) {
	if !isValidName(name) {
		return Application{}, errNoApplication
	}

	return r.deps.Applications.FindApplication(ctx, name)
}

// UpdateApplication changes what the patch sets and returns the whole. It returns
// an Invalid fault for a patch that is not valid and NotFound when there is no
// application of this name.
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

// CreateKey makes a key of an application; its text is in the answer and nowhere
// else. It returns an Invalid fault for a spec that is not valid and NotFound when
// there is no such application.
func (r *Registry) CreateKey(ctx context.Context, application string, spec KeySpec) (CreatedKey, error) {
	if !isValidName(application) {
		return CreatedKey{}, errNoApplication
	}

	spec, err := spec.Validate(r.deps.Now())
	if err != nil {
		return CreatedKey{}, err
	}

	text, id, hash, err := NewKey(r.deps.Rand)
	if err != nil {
		return CreatedKey{}, err
	}

	created, err := r.deps.Keys.CreateKey(ctx, HashedKey{
		Key: Key{
			ID: id, Application: application, Scopes: spec.Scopes, OrganisationWide: spec.OrganisationWide,
			Description: spec.Description, ExpiresAt: spec.ExpiresAt,
		},
		Hash: hash,
	})
	if err != nil {
		return CreatedKey{}, err
	}

	r.refreshCache(ctx)
	return CreatedKey{Key: created, Text: text}, nil
}

// ListKeys returns all keys of an application, from the oldest on, or a NotFound fault
// when there is no such application.
func (r *Registry) ListKeys(ctx context.Context, application string) ([]Key, error) {
	if !isValidName(application) {
		return nil, errNoApplication
	}

	return r.deps.Keys.ListKeys(ctx, application)
}

// RevokeKey ends a key for good. Revoking it again changes nothing. It returns a
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

// refreshCache puts a change in force at once. It is stored by now, so the call has
// succeeded even if this fails; then the directory finds it by itself and, if it
// cannot, says so in the log.
func (r *Registry) refreshCache(ctx context.Context) {
	if r.deps.Cache != nil {
		_ = r.deps.Cache.Refresh(ctx)
	}
}
