package access

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// AnyOrigin among an application's allowed origins allows every origin.
const AnyOrigin = "*"

// Application is a trusted client.
type Application struct {
	// ID is the store's short name; it is not shown.
	ID       event.ApplicationID `json:"-"`
	Name     string              `json:"name"`
	Disabled bool                `json:"disabled"`
	// RateLimit is in events a second; nil means no limit.
	RateLimit *int `json:"rate_limit"`
	// AllowedOrigins are the web origins from which browsers may call, or AnyOrigin.
	AllowedOrigins []string  `json:"allowed_origins"`
	CreatedAt      time.Time `json:"created_at"`
}

// AllowsOrigin reports whether a browser that sends this Origin header may call with
// a key of the application.
func (a *Application) AllowsOrigin(origin string) bool {
	if origin == "" {
		return false
	}

	return slices.Contains(a.AllowedOrigins, AnyOrigin) || slices.Contains(a.AllowedOrigins, origin)
}

// MarshalJSON renders the application as the contract defines it: times in UTC with
// microseconds, and an empty array if there are no origins.
func (a Application) MarshalJSON() ([]byte, error) {
	type plain Application
	shown := struct {
		plain
		AllowedOrigins []string `json:"allowed_origins"`
		CreatedAt      string   `json:"created_at"`
	}{plain(a), emptyIfNil(a.AllowedOrigins), event.FormatTimestamp(a.CreatedAt)}
	return json.Marshal(shown) //nolint:wrapcheck // the calling encoder adds the type's name
}

// emptyIfNil returns an empty slice for nil, so that JSON shows an array.
func emptyIfNil[T any](values []T) []T {
	if values == nil {
		return []T{}
	}

	return values
}

// ApplicationSpec describes an application to create.
type ApplicationSpec struct {
	Name           string   `json:"name"`
	Disabled       bool     `json:"disabled"`
	RateLimit      *int     `json:"rate_limit"`
	AllowedOrigins []string `json:"allowed_origins"`
}

// ApplicationPatch is a change of an application; members that are not set stay as they
// are.
type ApplicationPatch struct {
	Disabled Optional[bool] `json:"disabled"`
	// RateLimit set to null removes the limit.
	RateLimit Optional[int] `json:"rate_limit"`
	// AllowedOrigins replace the previous ones.
	AllowedOrigins Optional[[]string] `json:"allowed_origins"`
}

// IsEmpty reports whether the patch changes nothing.
func (p *ApplicationPatch) IsEmpty() bool {
	return !p.Disabled.Set && !p.RateLimit.Set && !p.AllowedOrigins.Set
}

// ApplyTo applies a valid patch to an application.
func (p *ApplicationPatch) ApplyTo(application *Application) {
	if p.Disabled.Set {
		application.Disabled = *p.Disabled.Value
	}

	if p.RateLimit.Set {
		application.RateLimit = p.RateLimit.Value
	}

	if p.AllowedOrigins.Set {
		application.AllowedOrigins = *p.AllowedOrigins.Value
	}
}

// Optional is a member of a document that may be absent (not set), null (set, but
// without a value), or a value. The zero Optional is absent.
type Optional[T any] struct {
	Set   bool
	Value *T
}

// Some makes an Optional that holds a value.
func Some[T any](value T) Optional[T] { return Optional[T]{Set: true, Value: &value} }

// Null makes an Optional that was set to null.
func Null[T any]() Optional[T] { return Optional[T]{Set: true} }

// UnmarshalJSON records that the member is present. A value of the wrong type is a
// *json.UnmarshalTypeError, as it would be without the Optional.
func (o *Optional[T]) UnmarshalJSON(text []byte) error {
	o.Set = true
	o.Value = nil
	return json.Unmarshal(text, &o.Value) //nolint:wrapcheck // the calling decoder adds the member's name
}
