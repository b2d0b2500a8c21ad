package eventtype

import (
	"context"
	"slices"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Refresher puts changes in force in this process. A Cache is one.
type Refresher interface {
	// Refresh reads the present state of the store.
	Refresh(ctx context.Context) error
}

// Registry administers event types. A change is in force in this process when the call
// returns, and on every replica within 5 s. It is safe for concurrent use.
type Registry struct {
	store Store
	// cache is refreshed after every change; nil where no requests are served.
	cache Refresher
}

// NewRegistry makes a registry.
func NewRegistry(store Store, cache Refresher) *Registry {
	return &Registry{store: store, cache: cache}
}

// ListTypes returns all registered types by category and name.
func (r *Registry) ListTypes(ctx context.Context) ([]Type, error) { return r.store.ListTypes(ctx) }

// FindType returns a version of a type, the current one if version is 0, or a NotFound
// fault.
func (r *Registry) FindType(ctx context.Context, key Key, version int32) (Type, error) {
	if key.CheckNames() != nil {
		return Type{}, errNoType
	}

	return r.store.FindType(ctx, key, version)
}

// ListVersions returns all versions of a type, newest first, or a NotFound fault.
func (r *Registry) ListVersions(ctx context.Context, key Key) ([]Type, error) {
	if key.CheckNames() != nil {
		return nil, errNoType
	}

	return r.store.ListVersions(ctx, key)
}

var errNoType = fault.New(fault.NotFound, fault.CodeNotFound, "no event type is registered under this category and name")

// PutType registers a type, or makes a new version of it if the spec differs. It
// returns an Invalid fault for a spec that is not valid, and a PreconditionFailed fault
// if the precondition does not hold.
func (r *Registry) PutType(ctx context.Context, key Key, spec Spec, precondition *event.Precondition) (Result, error) {
	results, err := r.ApplyChanges(ctx, []Change{{Key: key, Spec: &spec, Precondition: precondition}}, false, false)
	if err != nil {
		return Result{}, err
	}

	return results[0], nil
}

// DeleteType removes a type from the registry; its versions can still be read. It
// returns a NotFound fault when there is no such type, and a PreconditionFailed fault
// if the precondition does not hold.
func (r *Registry) DeleteType(ctx context.Context, key Key, precondition *event.Precondition) error {
	if key.CheckNames() != nil {
		return errNoType
	}

	results, err := r.ApplyChanges(ctx, []Change{{Key: key, Precondition: precondition}}, false, false)
	if err == nil && results[0].Outcome == Unchanged {
		return errNoType
	}

	return err
}

// ApplyChanges makes all changes, or none if one is not valid: then the fault names the
// type. prune deletes types that are not among the changes. With dry it changes nothing
// and returns the results that the changes would have. The results are in the order of
// the keys.
func (r *Registry) ApplyChanges(ctx context.Context, changes []Change, prune, dry bool) ([]Result, error) {
	changes = slices.Clone(changes)
	for i := range changes {
		c := &changes[i]
		if err := c.Key.CheckNames(); err != nil {
			return nil, err
		}

		if c.Spec == nil {
			continue
		}

		spec, _, err := c.Spec.Validate()
		if err != nil {
			return nil, withTypeName(c.Key, err)
		}

		c.Spec = &spec
	}

	slices.SortFunc(changes, func(a, b Change) int { return a.Key.Compare(b.Key) })
	for i := 1; i < len(changes); i++ {
		if changes[i].Key == changes[i-1].Key {
			return nil, withTypeName(changes[i].Key, fault.New(fault.Invalid, fault.CodeInvalidRequest, "it is described twice"))
		}
	}

	results, err := r.store.ApplyChanges(ctx, changes, prune, dry)
	if err == nil && !dry && r.cache != nil {
		_ = r.cache.Refresh(ctx) // the change is stored; a cache that cannot read it now finds it later by itself
	}

	return results, err
}

// withTypeName adds the name of the type to a fault.
func withTypeName(key Key, err error) error {
	f, ok := fault.As(err)
	if !ok {
		return err
	}

	of := *f
	of.Detail = quoteText(key.Category) + " " + quoteText(key.Name) + ": " + f.Detail
	return &of
}

// AddDeletions adds to changes, which are in the order of their keys, the deletion of
// registered types that are not among them, if prune is set.
func AddDeletions(changes []Change, current []Type, prune bool) []Change {
	if !prune {
		return changes
	}

	all := slices.Clone(changes)
	for _, t := range current {
		if !slices.ContainsFunc(changes, func(c Change) bool { return c.Key == t.Key }) {
			all = append(all, Change{Key: t.Key})
		}
	}

	slices.SortFunc(all, func(a, b Change) int { return a.Key.Compare(b.Key) })
	return all
}
