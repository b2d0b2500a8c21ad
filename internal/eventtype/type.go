package eventtype

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Mode is the policy for an event that violates the schema of its type.
type Mode string

// The modes.
const (
	// Enforce rejects the event.
	Enforce Mode = "enforce"
	// Observe stores the event with its violations.
	Observe Mode = "observe"
)

// Key names a type.
type Key struct {
	Category string `json:"category"`
	Name     string `json:"name"`
}

// Path returns the key as it appears in a URL and in audit entries: category and name,
// each escaped, with a slash between.
func (k Key) Path() string { return escapeStep(k.Category) + "/" + escapeStep(k.Name) }

// escapeStep escapes a step of a path. Dots alone would be a step up, or none.
func escapeStep(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}

	return url.PathEscape(text)
}

// Compare orders keys by category, then by name.
func (k Key) Compare(other Key) int {
	if c := strings.Compare(k.Category, other.Category); c != 0 {
		return c
	}

	return strings.Compare(k.Name, other.Name)
}

// CheckNames returns an Invalid fault when no event could have these names.
func (k Key) CheckNames() error {
	for pointer, text := range map[string]string{"/category": k.Category, "/name": k.Name} {
		if n := utf8.RuneCountInString(text); n < 1 || n > event.MaxNameLength || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fault.InvalidAt(fault.CodeInvalidLength, pointer, "category and name are texts of 1 to 128 characters, without NUL")
		}
	}

	return nil
}

// Spec describes a version of a type.
type Spec struct {
	// Schema is the text of a JSON Schema; nil accepts every payload.
	Schema json.RawMessage `json:"schema"`
	// Mode is Enforce unless set.
	Mode        Mode   `json:"mode"`
	Description string `json:"description"`
}

// MaxDescription bounds a description, in characters.
const MaxDescription = 2000

// Validate returns the spec with defaults for the members left out, and its compiled
// schema, or an Invalid fault with the places of its errors.
func (s Spec) Validate() (Spec, *Schema, error) {
	if s.Mode == "" {
		s.Mode = Enforce
	}

	if s.Mode != Enforce && s.Mode != Observe {
		return s, nil, fault.InvalidAt(fault.CodeInvalidRequest, "/mode", "mode is enforce or observe")
	}

	if utf8.RuneCountInString(s.Description) > MaxDescription {
		return s, nil, fault.InvalidAt(fault.CodeInvalidRequest, "/description", "a description has at most 2000 characters")
	}

	if string(s.Schema) == "null" {
		s.Schema = nil
	}

	schema, err := CompileSchema(s.Schema)
	return s, schema, err
}

// Equal reports whether two specs are the same, apart from the order of members.
func (s Spec) Equal(other Spec) bool {
	return s.Mode == other.Mode && s.Description == other.Description && (s.Schema == nil) == (other.Schema == nil) &&
		string(event.Canonicalize(s.Schema)) == string(event.Canonicalize(other.Schema))
}

// Type is a version of a registered type.
type Type struct {
	Key

	Version int32 `json:"version"`
	Spec

	CreatedAt time.Time `json:"created_at"`
}

// MarshalJSON renders the time of creation as every time of the API: in UTC, with microseconds.
func (t Type) MarshalJSON() ([]byte, error) {
	type plain Type
	shown := struct {
		plain

		CreatedAt string `json:"created_at"`
	}{plain(t), event.FormatTimestamp(t.CreatedAt)}

	return json.Marshal(shown) //nolint:wrapcheck // the calling encoder adds the name of the type
}

// ETag returns the strong entity tag (RFC 9110) of this version. A type that does not
// exist has none.
func (t *Type) ETag() string {
	if t == nil {
		return ""
	}

	digest := sha256.New()
	// Each text is preceded by its length, so that no text can be mistaken for two.
	for _, text := range []string{t.Category, t.Name, string(t.Mode), t.Description, string(event.Canonicalize(t.Schema))} {
		_, _ = fmt.Fprintf(digest, "%d %s", len(text), text)
	}

	const enough = 8
	return fmt.Sprintf(`"%d-%x"`, t.Version, digest.Sum(nil)[:enough])
}

// Change is a change of a type.
type Change struct {
	Key Key
	// Spec is the new version of the type; nil deletes the type.
	Spec *Spec
	// Precondition must hold for the present version of the type; nil always holds.
	Precondition *event.Precondition
}

// Outcome is the effect of a change on a type.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Deleted   Outcome = "deleted"
	Unchanged Outcome = "unchanged"
)

// Result is the result of a change.
type Result struct {
	Outcome Outcome
	// Before is the type before the change; nil if there was none.
	Before *Type
	// After is the type after the change; nil if there is none.
	After *Type
}
