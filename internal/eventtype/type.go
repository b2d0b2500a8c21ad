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

// Mode says what becomes of an event that violates the schema of its type.
type Mode string

// The modes.
const (
	// Enforce refuses it.
	Enforce Mode = "enforce"
	// Observe stores it with its violations.
	Observe Mode = "observe"
)

// Key names a type.
type Key struct {
	Category string `json:"category"`
	Name     string `json:"name"`
}

// Path is the key as it stands in a URL and in audit entries: category and name, each
// escaped, with a slash between.
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

// Spec is what a version of a type is made from.
type Spec struct {
	// Schema is the text of a JSON Schema; nil accepts every payload.
	Schema json.RawMessage `json:"schema"`
	// Mode is Enforce unless set.
	Mode        Mode   `json:"mode"`
	Description string `json:"description"`
}

// MaxDescription bounds a description, in characters.
const MaxDescription = 2000

// Validate returns the spec with what was left out filled in, and its schema compiled,
// or an Invalid fault that says where it is wrong.
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

// Equal reports whether two specs say the same, whatever the order of members.
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

// ETag names this version, as a strong entity tag (RFC 9110). A type that is not there has
// none.
func (t *Type) ETag() string {
	if t == nil {
		return ""
	}

	digest := sha256.New()
	// A text cannot be taken for two: each stands behind its length.
	for _, text := range []string{t.Category, t.Name, string(t.Mode), t.Description, string(event.Canonicalize(t.Schema))} {
		_, _ = fmt.Fprintf(digest, "%d %s", len(text), text)
	}

	const enough = 8
	return fmt.Sprintf(`"%d-%x"`, t.Version, digest.Sum(nil)[:enough])
}

// Change is what is to become of a type.
type Change struct {
	Key Key
	// Spec is what the type is to be; nil deletes it.
	Spec *Spec
	// Precondition is what is asked of the type as it is; nil asks for nothing.
	Precondition *event.Precondition
}

// Outcome is what became of a type by a change.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Deleted   Outcome = "deleted"
	Unchanged Outcome = "unchanged"
)

// Result is what a change did.
type Result struct {
	Outcome Outcome
	// Before is what the type was; nil when there was none.
	Before *Type
	// After is what the type is; nil when there is none.
	After *Type
}
