package access

import (
	"encoding/json"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Scope is a set of operations that a key allows.
type Scope string

// The scopes.
const (
	// ScopeIngest allows posting and validating events.
	ScopeIngest Scope = "ingest"
	// ScopeRead allows querying the events of the key's application, or of every
	// application when the key is organisation-wide.
	ScopeRead Scope = "read"
	// ScopeAdmin allows every operation, and reading everything.
	ScopeAdmin Scope = "admin"
)

func (s Scope) isKnown() bool {
	return s == ScopeIngest || s == ScopeRead || s == ScopeAdmin
}

// Key is a key without its secret.
type Key struct {
	// ID is public: it is part of the key's text and may appear in logs.
	ID string `json:"key_id"`
	// Application is the name of the application that the key belongs to.
	Application      string     `json:"application"`
	Scopes           []Scope    `json:"scopes"`
	OrganisationWide bool       `json:"organisation_wide"`
	Description      string     `json:"description"`
	CreatedAt        time.Time  `json:"created_at"`
	ExpiresAt        *time.Time `json:"expires_at"`
	RevokedAt        *time.Time `json:"revoked_at"`
	PublicUse
}

// PublicUse says whether a key is public, and what that allows. A public key stands in pages
// and apps, where everybody can read it. It has no scopes: all it may do is to collect events.
type PublicUse struct {
	Public bool `json:"public"`
	// AnyOrigin lets the key be used from every web origin, and from programs that have
	// none, instead of the allowed origins of its application.
	AnyOrigin bool `json:"any_origin"`
	// RegisteredOnly rejects events of unregistered types.
	RegisteredOnly bool `json:"registered_only"`
	// RateLimit is in events a second from one address. Only public keys have one.
	RateLimit *int `json:"rate_limit"`
}

// DefaultPublicRate is the rate limit of a public key that was created without one.
const DefaultPublicRate = 50

// KeySpec describes a key to create.
type KeySpec struct {
	// Scopes are absent from the spec of a public key.
	Scopes           []Scope    `json:"scopes"`
	OrganisationWide bool       `json:"organisation_wide"`
	Description      string     `json:"description"`
	ExpiresAt        *time.Time `json:"expires_at"`
	// PublicUse has a RateLimit of DefaultPublicRate unless one is given.
	PublicUse
}

// CreatedKey is a key together with its text, which cannot be retrieved again.
type CreatedKey struct {
	Key

	Text string `json:"key"`
}

// HashedKey is a key as it is stored.
type HashedKey struct {
	Key

	// ApplicationID is the application that the key belongs to.
	ApplicationID event.ApplicationID
	// Hash is the SHA-256 of the key's whole text.
	Hash [32]byte
}

type plainKey Key

// renderedKey is a key as the contract defines it: times in UTC with microseconds, and
// null for times that are not set.
type renderedKey struct {
	plainKey

	Scopes    []Scope `json:"scopes"`
	CreatedAt string  `json:"created_at"`
	ExpiresAt *string `json:"expires_at"`
	RevokedAt *string `json:"revoked_at"`
	Text      string  `json:"key,omitempty"`
}

func renderKey(k *Key, text string) renderedKey {
	return renderedKey{
		plainKey:  plainKey(*k),
		Scopes:    emptyIfNil(k.Scopes),
		CreatedAt: event.FormatTimestamp(k.CreatedAt),
		ExpiresAt: formatOptionalTime(k.ExpiresAt),
		RevokedAt: formatOptionalTime(k.RevokedAt),
		Text:      text,
	}
}

func formatOptionalTime(at *time.Time) *string {
	if at == nil {
		return nil
	}

	text := event.FormatTimestamp(*at)
	return &text
}

// MarshalJSON renders the key as the contract defines it.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(renderKey(&k, "")) //nolint:wrapcheck // the calling encoder adds the type's name
}

// MarshalJSON renders the key as the contract defines it, with its text.
func (k CreatedKey) MarshalJSON() ([]byte, error) {
	return json.Marshal(renderKey(&k.Key, k.Text)) //nolint:wrapcheck // the calling encoder adds the type's name
}
