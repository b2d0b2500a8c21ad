package eventtype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var errNoObject = errors.New("a payload is no object")

// decode reads a payload. Nearly all of them were checked before, and then reader takes
// half the time; what it does not take, the decoder of the library judges.
func decode(data []byte) (map[string]any, error) {
	r := reader{text: data}
	if value, ok := r.value(0); ok && r.next() == 0 {
		if payload, ok := value.(map[string]any); ok {
			return payload, nil
		}
		return nil, errNoObject
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read a payload: %w", err)
	}
	payload, ok := value.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	return payload, nil
}

// reader reads JSON that is valid; of what is not it takes nothing.
type reader struct {
	text []byte
	pos  int
}

// maxLevels bounds how deep it goes.
const maxLevels = 100

// next skips space and returns the byte that follows; 0 at the end.
func (r *reader) next() byte {
	for ; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\n', '\r':
		case 0:
			return 1 // which nothing begins with
		default:
			return c
		}
	}
	return 0
}

func (r *reader) value(level int) (any, bool) {
	switch c := r.next(); {
	case level > maxLevels:
		return nil, false
	case c == '{':
		return r.object(level)
	case c == '[':
		return r.array(level)
	case c == '"':
		return r.string()
	case c == '-' || (c >= '0' && c <= '9'):
		return r.number()
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

func (r *reader) object(level int) (any, bool) {
	object := map[string]any{}
	r.pos++
	if r.next() == '}' {
		r.pos++
		return object, true
	}
	for {
		if r.next() != '"' {
			return nil, false
		}
		name, ok := r.string()
		if !ok || r.next() != ':' {
			return nil, false
		}
		r.pos++
		value, ok := r.value(level + 1)
		if !ok {
			return nil, false
		}
		object[name] = value
		switch r.next() {
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

func (r *reader) array(level int) (any, bool) {
	array := []any{}
	r.pos++
	if r.next() == ']' {
		r.pos++
		return array, true
	}
	for {
		value, ok := r.value(level + 1)
		if !ok {
			return nil, false
		}
		array = append(array, value)
		switch r.next() {
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

// string reads a text of plain ASCII by itself.
func (r *reader) string() (string, bool) {
	start, plain := r.pos, true
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

func (r *reader) number() (any, bool) {
	start := r.pos
	for r.pos < len(r.text) && bytes.IndexByte([]byte("+-.0123456789Ee"), r.text[r.pos]) >= 0 {
		r.pos++
	}
	text := r.text[start:r.pos]
	return json.Number(text), json.Valid(text)
}
