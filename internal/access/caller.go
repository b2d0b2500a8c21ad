package access

import "slices"

// Caller is who made a request. It is shared between requests and must not be
// changed.
type Caller struct {
	// Application is the one that the key belongs to.
	Application *Application
	// KeyID is public and may stand in logs.
	KeyID            string
	Scopes           []Scope
	OrganisationWide bool
}

// HasScope tells whether the key has a scope. Admin has all of them.
func (c *Caller) HasScope(scope Scope) bool {
	return slices.Contains(c.Scopes, scope) || slices.Contains(c.Scopes, ScopeAdmin)
}

// ReadsAll tells whether the caller, if it may read at all, may read what every
// application sent, and not only its own.
func (c *Caller) ReadsAll() (all bool) {
	return c.OrganisationWide || slices.Contains(c.Scopes, ScopeAdmin)
}
