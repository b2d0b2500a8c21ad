package erasure

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/the-eye-events/the-eye/internal/event"
)

const (
	// maxNestedStrings is how many levels of JSON inside strings are searched.
	maxNestedStrings = 2
	// maxArraysOnPath is how many arrays a path may lead through without naming their
	// indexes: each node is visited no more often than a path has steps and arrays.
	maxArraysOnPath = 4
	// maxDepth is how deep a text may be nested to be read as JSON: a rejected text is
	// untrusted and must not exhaust the stack.
	maxDepth = 512
)

var errTooDeep = errors.New("the text is nested too deeply")

// node is a JSON value that keeps duplicate members.
type node struct {
	members []member
	items   []node
	// text is the JSON text of a scalar; nil for other values.
	text []byte
	// str is the content of a string.
	str      string
	isString bool
}

type member struct {
	name string
	node
}

// parseDocuments parses the JSON documents of a text. It fails if a part of the text is
// not JSON.
func parseDocuments(raw []byte) (documents []node, ok bool) {
	if !utf8.Valid(raw) {
		return nil, false
	}

	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	for {
		one, err := readValue(decoder, maxDepth)
		if errors.Is(err, io.EOF) && len(documents) > 0 {
			return documents, true
		}

		if err != nil {
			return nil, false
		}

		documents = append(documents, one)
	}
}

// readValue reads the next value. io.EOF means that there is none. The decoder returns
// an error for a token in the wrong place.
func readValue(decoder *json.Decoder, levels int) (node, error) {
	token, err := decoder.Token()
	if err != nil {
		return node{}, err //nolint:wrapcheck // parseDocuments checks for io.EOF
	}

	switch token := token.(type) {
	case json.Delim:
		if levels == 0 {
			return node{}, errTooDeep
		}

		return readContainer(decoder, token, levels-1)
	case string:
		return node{text: []byte(strconv.Quote(token)), str: token, isString: true}, nil
	case json.Number:
		return node{text: []byte(token), str: string(token)}, nil
	case bool:
		return node{text: strconv.AppendBool(nil, token), str: strconv.FormatBool(token)}, nil
	}

	return node{text: []byte("null")}, nil
}

func readContainer(decoder *json.Decoder, opening json.Delim, levels int) (n node, err error) {
	for decoder.More() {
		if opening == '[' {
			item, err := readValue(decoder, levels)
			if err != nil {
				return n, unexpectedEOF(err)
			}

			n.items = append(n.items, item)
			continue
		}

		token, err := decoder.Token()
		if err != nil {
			return n, unexpectedEOF(err)
		}

		name, _ := token.(string)
		value, err := readValue(decoder, levels)
		if err != nil {
			return n, unexpectedEOF(err)
		}

		n.members = append(n.members, member{name, value})
	}

	_, err = decoder.Token() // the closing bracket
	return n, unexpectedEOF(err)
}

// unexpectedEOF turns the end of the text inside a value into an error.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}

	return err
}

// containsValue reports whether the path leads to the value from this node or from a
// node in it: an event may be in a member of the wrong name, in an array, or in a
// string.
func (n *node) containsValue(w *SearchValue, levels int) bool {
	if n.matchesPath(w, w.Steps, maxArraysOnPath) {
		return true
	}

	for i := range n.members {
		if n.members[i].containsValue(w, levels) {
			return true
		}
	}

	for i := range n.items {
		if n.items[i].containsValue(w, levels) {
			return true
		}
	}

	if !n.isString || levels == 0 || !strings.ContainsAny(n.str, "{[") {
		return false
	}

	documents, _ := parseDocuments([]byte(n.str))
	for i := range documents {
		if documents[i].containsValue(w, levels-1) {
			return true
		}
	}

	return false
}

// matchesPath reports whether steps lead to the value. An array on the path that no
// step addresses matches with any of its items, at most this many arrays deep: a
// rejected text may have the wrong shape.
func (n *node) matchesPath(w *SearchValue, steps []string, arrays int) bool {
	if len(steps) == 0 && n.text != nil {
		return n.equalsValue(w)
	}

	for i := range n.members {
		m := &n.members[i]
		switch {
		case len(steps) == 0:
		case m.name == steps[0] && m.matchesPath(w, steps[1:], arrays),
			len(steps) > 1 && m.name == strings.Join(steps, ".") && m.matchesPath(w, nil, arrays):
			return true
		}
	}

	if arrays == 0 {
		return false
	}

	for i := range n.items {
		if n.items[i].matchesPath(w, steps, arrays-1) || (len(steps) > 0 && steps[0] == strconv.Itoa(i) && n.items[i].matchesPath(w, steps[1:], arrays-1)) {
			return true
		}
	}

	return false
}

// equalsValue reports whether a scalar equals the value, whatever the notation of a
// number.
func (n *node) equalsValue(w *SearchValue) bool {
	for _, text := range w.Texts {
		if n.str == text || !n.isString && string(event.Canonicalize(n.text)) == string(canonicalNumber(text)) {
			return true
		}
	}

	return false
}

// canonicalNumber returns the canonical text of a number, or the text itself.
func canonicalNumber(text string) []byte {
	var number json.Number
	if json.Unmarshal([]byte(text), &number) != nil || string(number) != text {
		return []byte(text)
	}

	return event.Canonicalize([]byte(text))
}

// unescapeText replaces JSON's escapes in a text that need not be JSON.
func unescapeText(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}

	plain := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			plain = append(plain, raw[i])
			continue
		}

		i++
		switch c := raw[i]; c {
		case 'n', 't', 'r', 'b', 'f':
			plain = append(plain, ' ')
		case 'u':
			r, read := escapedRune(raw[i+1:])
			if read == 0 {
				plain = append(plain, '\\', c)
				continue
			}

			plain = utf8.AppendRune(plain, r)
			i += read
		default:
			plain = append(plain, c)
		}
	}

	return plain
}

// escapedRune reads the text after \u: four digits, or ten with the second half of a
// surrogate pair. read is 0 if the text is not valid.
func escapedRune(text []byte) (r rune, read int) {
	unit := func(text []byte) (rune, bool) {
		const digits = 4
		if len(text) < digits {
			return 0, false
		}

		n, err := strconv.ParseUint(string(text[:digits]), 16, 16)
		return rune(n), err == nil
	}
	const short, long = 4, 10
	first, ok := unit(text)
	if !ok {
		return 0, 0
	}

	if utf16.IsSurrogate(first) && len(text) >= long && text[short] == '\\' && text[short+1] == 'u' {
		if second, ok := unit(text[short+2:]); ok {
			if both := utf16.DecodeRune(first, second); both != utf8.RuneError {
				return both, long
			}
		}
	}

	return first, short
}
