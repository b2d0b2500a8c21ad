package access

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// AnyOrigin among an application's allowed origins stands for all of them.
const AnyOrigin = "*"

// Application is a trusted client.
type Application struct {
	// ID is the store's short name; it is not shown.
	ID       event.ApplicationID `json:"-"`
	Name     string              `json:"name"`
	Disabled bool                `json:"disabled"`
	// RateLimit is in events a second; nil is none.
	RateLimit *int `json:"rate_limit"`
	// AllowedOrigins are the web origins whose browsers may call, or AnyOrigin.
	AllowedOrigins []string  `json:"allowed_origins"`
	CreatedAt      time.Time `json:"created_at"`
}

// AllowsOrigin tells whether a browser that sends this Origin header may call with
// a key of the application.
func (a *Application) AllowsOrigin(origin string) bool {
	if origin == "" {
		return false
	}

	return slices.Contains(a.AllowedOrigins, AnyOrigin) || slices.Contains(a.AllowedOrigins, origin)
}

// MarshalJSON renders the application as the contract has it: times in UTC with
// microseconds, and an array where there are no origins.
func (a Application) MarshalJSON() ([]byte, error) {
	type plain Application
	shown := struct {
		plain
		AllowedOrigins []string `json:"allowed_origins"`
		CreatedAt      string   `json:"created_at"`
	}{plain(a), emptyIfNil(a.AllowedOrigins), event.FormatTimestamp(a.CreatedAt)}
	return json.Marshal(shown) //nolint:wrapcheck // the encoder that called adds the type's name
}

// emptyIfNil gives an empty slice for none, which JSON shows as an array.
func emptyIfNil[T any](values []T) []T {
	if values == nil {
		return []T{}
	}

	return values
}

// ApplicationSpec is what an application is created from.
type ApplicationSpec struct {
	Name           string   `json:"name"`
	Disabled       bool     `json:"disabled"`
	RateLimit      *int     `json:"rate_limit"`
	AllowedOrigins []string `json:"allowed_origins"`
}

// ApplicationPatch is what changes of an application; what is not set stays.
type ApplicationPatch struct {
	Disabled Optional[bool] `json:"disabled"`
	// RateLimit set to null takes the limit away.
	RateLimit Optional[int] `json:"rate_limit"`
	// AllowedOrigins replace the ones before.
	AllowedOrigins Optional[[]string] `json:"allowed_origins"`
}

// IsEmpty tells whether the patch changes nothing.
func (p *ApplicationPatch) IsEmpty() bool {
	return !p.Disabled.Set && !p.RateLimit.Set && !p.AllowedOrigins.Set
}

// ApplyTo changes an application as a valid patch says.
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

// UnmarshalJSON notes that the member is present. A value of the wrong type is a
// *json.UnmarshalTypeError, as it would be without the Optional.
func (o *Optional[T]) UnmarshalJSON(text []byte) error {
	o.Set, o.Value = true, nil
	return json.Unmarshal(text, &o.Value) //nolint:wrapcheck // the decoder that called adds the member's name to it
}
