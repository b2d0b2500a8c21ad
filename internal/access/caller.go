package access

import "slices"

// Caller is the authenticated sender of a request. It is shared between requests and
// must not be changed.
type Caller struct {
	// Application is the application that the key belongs to.
	Application *Application
	// KeyID is public and may appear in logs.
	KeyID            string
	Scopes           []Scope
	OrganisationWide bool
	PublicUse
}

// HasScope reports whether the key has a scope. Admin has all of them.
func (c *Caller) HasScope(scope Scope) bool {
	return slices.Contains(c.Scopes, scope) || slices.Contains(c.Scopes, ScopeAdmin)
}

// ReadsAll reports whether the caller, if it has a scope that reads, may read the
// events of every application and not only its own.
func (c *Caller) ReadsAll() (all bool) {
	return c.OrganisationWide || slices.Contains(c.Scopes, ScopeAdmin)
}

// MayCollectFrom reports whether a public key may be used by a request that has this Origin
// header; "" means that it has none.
func (c *Caller) MayCollectFrom(origin string) bool {
	return c.AnyOrigin || c.Application.AllowsOrigin(origin)
}
