package access

import (
	"encoding/json"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Scope is a set of things that a key may do.
type Scope string

// The scopes.
const (
	// ScopeIngest may post and validate events.
	ScopeIngest Scope = "ingest"
	// ScopeRead may query what its application sent, or, when the key is
	// organisation-wide, what any of them sent.
	ScopeRead Scope = "read"
	// ScopeAdmin may do everything, and read everything.
	ScopeAdmin Scope = "admin"
)

func (s Scope) isKnown() bool {
	return s == ScopeIngest || s == ScopeRead || s == ScopeAdmin
}

// Key is what is known of a key, its secret apart.
type Key struct {
	// ID is public: it stands in the key's text and may stand in logs.
	ID string `json:"key_id"`
	// Application is the name of the one it belongs to.
	Application      string     `json:"application"`
	Scopes           []Scope    `json:"scopes"`
	OrganisationWide bool       `json:"organisation_wide"`
	Description      string     `json:"description"`
	CreatedAt        time.Time  `json:"created_at"`
	ExpiresAt        *time.Time `json:"expires_at"`
	RevokedAt        *time.Time `json:"revoked_at"`
}

// KeySpec is what a key is created from.
type KeySpec struct {
	Scopes           []Scope    `json:"scopes"`
	OrganisationWide bool       `json:"organisation_wide"`
	Description      string     `json:"description"`
	ExpiresAt        *time.Time `json:"expires_at"`
}

// CreatedKey is a key together with its text, which cannot be had again.
type CreatedKey struct {
	Key

	Text string `json:"key"`
}

// HashedKey is a key as the store keeps it.
type HashedKey struct {
	Key

	// ApplicationID is the application it belongs to.
	ApplicationID event.ApplicationID
	// Hash is the SHA-256 of the key's whole text.
	Hash [32]byte
}

type plainKey Key

// renderedKey is a key as the contract has it: times in UTC with microseconds, null
// for those that are not set.
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
		plainKey: plainKey(*k), Scopes: emptyIfNil(k.Scopes), CreatedAt: event.FormatTimestamp(k.CreatedAt),
		ExpiresAt: formatOptionalTime(k.ExpiresAt), RevokedAt: formatOptionalTime(k.RevokedAt), Text: text,
	}
}

func formatOptionalTime(at *time.Time) *string {
	if at == nil {
		return nil
	}

	text := event.FormatTimestamp(*at)
	return &text
}

// MarshalJSON renders the key as the contract has it.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(renderKey(&k, "")) //nolint:wrapcheck // the encoder that called adds the type's name
}

// MarshalJSON renders the key as the contract has it, with its text.
func (k CreatedKey) MarshalJSON() ([]byte, error) {
	return json.Marshal(renderKey(&k.Key, k.Text)) //nolint:wrapcheck // the encoder that called adds the type's name
}
