package eventtype

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/the-eye-events/the-eye/internal/event"
)

// hashPrefix is the beginning of a hashed value. Such a value is not hashed again, so
// that an edit or a replay leaves it unchanged.
const hashPrefix = "hmac-sha256:"

// schemasHere returns the schemas that lead to marks and apply to one value, given some that do.
func (m *marks) schemasHere(some []*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	seen := map[*jsonschema.Schema]bool{}
	for queue := some; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if seen[s] || !m.leads[s] {
			continue
		}

		seen[s] = true
		all = append(all, s)
		for _, e := range m.edges[s] {
			if e.relation == sameValue {
				queue = append(queue, e.to)
			}
		}
	}

	return all
}

// strongestMark returns the strongest mark among schemas that apply to one value.
func (m *marks) strongestMark(schemas []*jsonschema.Schema) Mark {
	strongest := Mark("")
	for _, s := range schemas {
		strongest = strongerMark(strongest, m.of[s])
	}

	return strongest
}

// memberSchemas returns the schemas that apply or may apply to the member of a name. If
// only an array would lead to marks, an object in its place is treated as an item of
// that array, or as the array itself if its names are indexes.
func (m *marks) memberSchemas(schemas []*jsonschema.Schema, name string) []*jsonschema.Schema {
	if slices.ContainsFunc(schemas, describesMembers) || !slices.ContainsFunc(schemas, describesItems) {
		return m.describedMember(schemas, name)
	}

	items := m.throughArrays(schemas)
	if isIndex(name) {
		return items
	}

	return m.describedMember(items, name)
}

// itemSchemas returns the schemas that apply or may apply to the item at an index. If
// only an object would lead to marks, each item of an array in its place is treated as
// that object.
func (m *marks) itemSchemas(schemas []*jsonschema.Schema, index int) []*jsonschema.Schema {
	if slices.ContainsFunc(schemas, describesItems) {
		return m.describedItem(schemas, index)
	}

	return schemas
}

func describesMembers(s *jsonschema.Schema) bool {
	_, additional := s.AdditionalProperties.(*jsonschema.Schema)
	return len(s.Properties)+len(s.PatternProperties) > 0 || additional || s.UnevaluatedProperties != nil
}

func describesItems(s *jsonschema.Schema) bool {
	return len(s.PrefixItems) > 0 || s.Items2020 != nil || s.Contains != nil || s.UnevaluatedItems != nil
}

// throughArrays returns the schemas that apply or may apply to the items of arrays, at
// any index, and to their items in turn.
func (m *marks) throughArrays(schemas []*jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Clone(schemas)
	seen := map[*jsonschema.Schema]bool{}
	for _, s := range schemas {
		seen[s] = true
	}

	for i := 0; i < len(all); i++ {
		for _, e := range m.edges[all[i]] {
			if (e.relation == sameValue || e.relation == indexedItem || e.relation == anyItem) && m.leads[e.to] && !seen[e.to] {
				seen[e.to] = true
				all = append(all, e.to)
			}
		}
	}

	return all
}

func isIndex(name string) bool {
	return name != "" && strings.Trim(name, "0123456789") == ""
}

func (m *marks) describedMember(schemas []*jsonschema.Schema, name string) []*jsonschema.Schema {
	var some []*jsonschema.Schema
	for _, s := range schemas {
		named := s.Properties[name]
		if named != nil {
			some = append(some, named)
		}

		for expression, to := range s.PatternProperties {
			if expression.MatchString(name) {
				some = append(some, to)
				named = to
			}
		}

		if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && named == nil {
			some = append(some, additional)
		}

		if s.UnevaluatedProperties != nil && named == nil {
			some = append(some, s.UnevaluatedProperties)
		}
	}

	return m.schemasHere(some)
}

func (m *marks) describedItem(schemas []*jsonschema.Schema, index int) []*jsonschema.Schema {
	var some []*jsonschema.Schema
	for _, s := range schemas {
		if index < len(s.PrefixItems) {
			some = append(some, s.PrefixItems[index])
		} else if s.Items2020 != nil {
			some = append(some, s.Items2020)
		}

		for _, to := range []*jsonschema.Schema{s.Contains, s.UnevaluatedItems} {
			if to != nil {
				some = append(some, to)
			}
		}
	}

	return m.schemasHere(some)
}

// markedStep returns the index of the first step of a path that leads to a marked
// value; -1 if none does.
func (m *marks) markedStep(path []string) int {
	if !m.hasMarks() {
		return -1
	}

	schemas := m.schemasHere([]*jsonschema.Schema{m.root})
	for i, token := range path {
		if schemas = m.stepSchemas(schemas, token); m.strongestMark(schemas) != "" {
			return i
		}
	}

	return -1
}

// stepSchemas returns the schemas for the member or the item that a step of a path
// leads to.
func (m *marks) stepSchemas(schemas []*jsonschema.Schema, token string) []*jsonschema.Schema {
	some := m.memberSchemas(schemas, token)
	if index, err := strconv.Atoi(token); err == nil {
		some = append(some, m.itemSchemas(schemas, index)...)
	}

	return some
}

// redactPayload applies the marks to a payload that fits the schema, in place.
func (m *marks) redactPayload(payload map[string]any, key []byte) {
	m.redactValue(payload, m.schemasHere([]*jsonschema.Schema{m.root}), key)
}

func (m *marks) redactValue(value any, schemas []*jsonschema.Schema, key []byte) any {
	if _, isArray := value.([]any); !isArray && len(schemas) > 0 && !slices.ContainsFunc(schemas, describesMembers) {
		schemas = m.throughArrays(schemas) // one value in the place of an array of values
	}

	switch m.strongestMark(schemas) {
	case Hash:
		return hashValue(value, key)
	case Mask:
		return maskValue(value)
	case Drop, Indexed: // its parent drops it; indexed values stay as they are
	}

	if len(schemas) == 0 {
		return value
	}

	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			applies := m.memberSchemas(schemas, name)
			if m.strongestMark(applies) == Drop {
				delete(v, name)
			} else if len(applies) > 0 {
				v[name] = m.redactValue(inner, applies, key)
			}
		}
	case []any:
		for i, inner := range v {
			applies := m.itemSchemas(schemas, i)
			if v[i] = m.redactValue(inner, applies, key); m.strongestMark(applies) == Drop {
				v[i] = nil // the other items keep their indexes
			}
		}
	}

	return value
}

// hashValue returns the HMAC (RFC 2104) with SHA-256 of a value's canonical text.
func hashValue(value any, key []byte) any {
	if text, ok := value.(string); ok && isHashed(text) {
		return value
	}

	text, err := json.Marshal(value)
	if err != nil {
		return nil // impossible, because the value was read from JSON; it is not stored
	}

	code := hmac.New(sha256.New, key)
	code.Write(event.Canonicalize(text))
	return hashPrefix + hex.EncodeToString(code.Sum(nil))
}

func isHashed(text string) bool {
	code, ok := strings.CutPrefix(text, hashPrefix)
	return ok && len(code) == hex.EncodedLen(sha256.Size) && strings.Trim(code, "0123456789abcdef") == ""
}

// maskValue keeps the shape of a value.
func maskValue(value any) any {
	switch v := value.(type) {
	case string:
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
				return '*'
			}

			return r
		}, v)
	case json.Number:
		return json.Number("0")
	case bool:
		return false
	case map[string]any:
		for name, inner := range v {
			v[name] = maskValue(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = maskValue(inner)
		}
	}

	return value
}

// encodeJSON writes a value without the escapes for HTML (\u0026 for &), which make payloads longer
// and messages unreadable.
func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err //nolint:wrapcheck // impossible, because the value was read from JSON
	}

	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
