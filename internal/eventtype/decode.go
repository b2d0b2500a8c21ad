package eventtype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var errNotObject = errors.New("a payload is not an object")

// decodePayload decodes a payload. Nearly all payloads were checked before, and for
// them jsonReader takes half the time; payloads that it cannot read are decoded by the
// library.
func decodePayload(data []byte) (map[string]any, error) {
	r := jsonReader{text: data}
	if value, ok := r.readValue(0); ok && r.skipSpace() == 0 {
		if payload, ok := value.(map[string]any); ok {
			return payload, nil
		}

		return nil, errNotObject
	}

	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read a payload: %w", err)
	}

	payload, ok := value.(map[string]any)
	if !ok {
		return nil, errNotObject
	}

	return payload, nil
}

// jsonReader reads valid JSON; it fails for invalid JSON.
type jsonReader struct {
	text []byte
	pos  int
}

// maxReadDepth bounds the nesting that jsonReader reads.
const maxReadDepth = 100

// skipSpace skips space and returns the byte that follows; 0 at the end.
func (r *jsonReader) skipSpace() byte {
	for ; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\n', '\r':
		case 0:
			return 1 // no value begins with this byte
		default:
			return c
		}
	}

	return 0
}

func (r *jsonReader) readValue(level int) (any, bool) {
	switch c := r.skipSpace(); {
	case level > maxReadDepth:
		return nil, false
	case c == '{':
		return r.readObject(level)
	case c == '[':
		return r.readArray(level)
	case c == '"':
		return r.readString()
	case c == '-' || (c >= '0' && c <= '9'):
		return r.readNumber()
	}

	for _, literal := range []struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if bytes.HasPrefix(r.text[r.pos:], []byte(literal.text)) {
			r.pos += len(literal.text)
			return literal.value, true
		}
	}

	return nil, false
}

func (r *jsonReader) readObject(level int) (any, bool) {
	object := map[string]any{}
	r.pos++
	if r.skipSpace() == '}' {
		r.pos++
		return object, true
	}

	for {
		if r.skipSpace() != '"' {
			return nil, false
		}

		name, ok := r.readString()
		if !ok || r.skipSpace() != ':' {
			return nil, false
		}

		r.pos++
		value, ok := r.readValue(level + 1)
		if !ok {
			return nil, false
		}

		object[name] = value
		switch r.skipSpace() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return object, true
		default:
			return nil, false
		}
	}
}

func (r *jsonReader) readArray(level int) (any, bool) {
	array := []any{}
	r.pos++
	if r.skipSpace() == ']' {
		r.pos++
		return array, true
	}

	for {
		value, ok := r.readValue(level + 1)
		if !ok {
			return nil, false
		}

		array = append(array, value)
		switch r.skipSpace() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return array, true
		default:
			return nil, false
		}
	}
}

// readString reads a string; a string of plain ASCII it decodes itself.
func (r *jsonReader) readString() (string, bool) {
	start := r.pos
	plain := true
	for r.pos++; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			if plain {
				return string(r.text[start+1 : r.pos-1]), true
			}

			var text string
			err := json.Unmarshal(r.text[start:r.pos], &text)
			return text, err == nil
		case c == '\\':
			plain = false
			r.pos++
		case c < ' ':
			return "", false
		case c >= 0x80:
			plain = false
		}
	}

	return "", false
}

func (r *jsonReader) readNumber() (any, bool) {
	start := r.pos
	for r.pos < len(r.text) && bytes.IndexByte([]byte("+-.0123456789Ee"), r.text[r.pos]) >= 0 {
		r.pos++
	}

	text := r.text[start:r.pos]
	return json.Number(text), json.Valid(text)
}
