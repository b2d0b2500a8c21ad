package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// scanner reads JSON (RFC 8259) in one pass over the body. Its methods return false on a syntax
// error, after which the rest of the text cannot be delimited; all other violations are recorded
// and scanning continues, so that the neighbours of a rejected event in a batch are still found.
type scanner struct {
	text []byte
	pos  int
	// before is the number of lines of the body before the text.
	before int
	start  int // of the current event
	rules  *Rules
	// path leads from the event's root to the value being read: a number is the index in an
	// array, or the complement of a member's index in names.
	path []int
	// names are the member names of the objects being read, the innermost last.
	names [][]byte
	// pathRoom and nameRoom save most events further allocations.
	pathRoom [8]int
	nameRoom [16][]byte
	// current is the event being read.
	current Envelope
	// violations of the current event, at most MaxViolations; found also counts the others.
	violations []fault.Violation
	found      int
	// pointerBytes is the total length of the pointers of all events.
	pointerBytes int
	// syntax describes the first syntax error of the current event; syntaxAt is its position.
	syntax   string
	syntaxAt int
	// lines is the number of lines before linesUpTo: a batch may have many syntax errors, and
	// its text is counted once.
	lines     int
	linesUpTo int
}

// linearNames is the number of member names that are compared one by one before a set is built.
const linearNames = 32

// newScanner reads a text by the given rules.
func newScanner(text []byte, rules *Rules) *scanner {
	s := &scanner{text: text, rules: rules}
	s.path = s.pathRoom[:0]
	s.names = s.nameRoom[:0]
	return s
}

// reset makes the scanner read another text.
func (s *scanner) reset(text []byte) {
	s.text = text
	s.pos = 0
	s.syntax = ""
	s.lines = 0
	s.linesUpTo = 0
}

// report records a violation at the current path.
func (s *scanner) report(code fault.Code, format string, args ...any) {
	s.found++
	if len(s.violations) < MaxViolations {
		s.violations = append(s.violations, fault.Violation{Pointer: s.pointer(), Code: code, Detail: fmt.Sprintf(format, args...)})
	}
}

// reportAt records a violation at a top-level member.
func (s *scanner) reportAt(member string, code fault.Code, format string, args ...any) {
	s.enterMember([]byte(member))
	s.report(code, format, args...)
	s.leaveMember()
}

// enterMember extends the path to a member of the object being read.
func (s *scanner) enterMember(name []byte) {
	s.path = append(s.path, ^len(s.names))
	s.names = append(s.names, name)
}

// leaveMember removes the last step of the path.
func (s *scanner) leaveMember() { s.path = s.path[:len(s.path)-1] }

// pointer renders the current path as a JSON Pointer (RFC 6901). It is stored with the event, so
// characters that cannot be stored are replaced; and since names may fill an event, once for
// each violation, it is cut.
func (s *scanner) pointer() string {
	longest := LongestPointer(s.pointerBytes)
	var b []byte
	for _, step := range s.path {
		b = append(b, '/')
		if step >= 0 {
			b = strconv.AppendInt(b, int64(step), 10)
		} else {
			b = appendToken(b, s.names[^step])
		}

		if len(b) > longest {
			break
		}
	}

	pointer := CutPointer(string(b), longest)
	s.pointerBytes += len(pointer)
	return pointer
}

// appendToken appends a member's name to a pointer.
func appendToken(b, name []byte) []byte {
	for _, r := range string(name) { // invalid UTF-8 is read as U+FFFD
		switch r {
		case '~':
			b = append(b, "~0"...)
		case '/':
			b = append(b, "~1"...)
		case 0:
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = utf8.AppendRune(b, r)
		}
	}

	return b
}

// failSyntax records the syntax error that ends scanning.
func (s *scanner) failSyntax(expected string) bool {
	if s.syntax == "" {
		s.syntax = expected
		s.syntaxAt = s.pos
	}

	return false
}

// syntaxDetail describes the syntax error and its position.
func (s *scanner) syntaxDetail() string {
	found := "the end of the text"
	if s.syntaxAt < len(s.text) {
		found = strconv.QuoteToASCII(string(s.text[s.syntaxAt : s.syntaxAt+1]))
	}

	at := max(s.linesUpTo, min(s.syntaxAt, len(s.text)))
	s.lines += bytes.Count(s.text[s.linesUpTo:at], []byte{'\n'})
	s.linesUpTo = at
	return fmt.Sprintf("not valid JSON: %s, found %s at byte %d (line %d)", s.syntax, found, s.syntaxAt, s.before+1+s.lines)
}

// tooLarge reports whether the current event already exceeds the limit, by either measure.
func (s *scanner) tooLarge() bool { return s.pos-s.start > maxGrowth*s.rules.EventBytes }

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}

	return 0
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// readValue reads any JSON value strictly.
func (s *scanner) readValue() bool {
	switch c := s.peek(); {
	case c == '"':
		_, ok := s.readQuoted()
		return ok
	case c == '{' || c == '[':
		// The container lies one level below the path that leads to it.
		if len(s.path)+1 > s.rules.Depth {
			s.report(fault.CodeTooDeep, "nested deeper than %d levels", s.rules.Depth)
			return s.skipValue()
		}

		if c == '{' {
			return s.readMembers((*scanner).readValue)
		}

		return s.readArray()
	case c == '-' || (c >= '0' && c <= '9'):
		return s.readNumber()
	case c == 't':
		return s.readLiteral("true")
	case c == 'f':
		return s.readLiteral("false")
	case c == 'n':
		return s.readLiteral("null")
	}

	return s.failSyntax("expected a value")
}

func (s *scanner) readLiteral(word string) bool {
	if len(s.text)-s.pos < len(word) || string(s.text[s.pos:s.pos+len(word)]) != word {
		return s.failSyntax("expected " + word)
	}

	s.pos += len(word)
	return true
}

// readMembers reads an object and calls read for each member, which has to consume the value at
// the path. Repeated names are reported here.
func (s *scanner) readMembers(read func(s *scanner) bool) bool {
	s.pos++
	s.skipSpace()
	if s.peek() == '}' {
		s.pos++
		return true
	}

	first := len(s.names)
	var many map[string]struct{}
	for {
		name, ok := s.readName()
		if !ok {
			return false
		}

		if len(s.names)-first >= linearNames && many == nil {
			many = make(map[string]struct{}, 2*linearNames)
			for _, other := range s.names[first:] {
				many[string(other)] = struct{}{}
			}
		}

		repeated := !s.tooLarge() && isRepeated(s.names[first:], many, name) // beyond the limit, no other violation is reported
		s.enterMember(name)
		if repeated {
			s.report(fault.CodeDuplicateMember, "this member is given more than once; send it once")
		}

		ok = read(s)
		s.leaveMember()
		if !ok {
			return false
		}

		if many != nil {
			s.names = s.names[:first+linearNames] // the set has the others
		}

		if more, ok := s.readSeparator('}'); !ok || !more {
			s.names = s.names[:first]
			return ok
		}
	}
}

// readName reads a member's name up to its value.
func (s *scanner) readName() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.failSyntax("expected a member name in double quotes")
	}

	name, ok := s.readString()
	if !ok {
		return nil, false
	}

	s.skipSpace()
	if s.peek() != ':' {
		return nil, s.failSyntax("expected a colon after the member name")
	}

	s.pos++
	s.skipSpace()
	return name, true
}

// isRepeated reports whether a name was given before in the same object. A few names are
// compared one by one, many by a set: the cost of an object with a hundred thousand members must
// not grow with the square of their number.
func isRepeated(names [][]byte, many map[string]struct{}, name []byte) bool {
	if many != nil {
		_, ok := many[string(name)]
		many[string(name)] = struct{}{}
		return ok
	}

	for _, other := range names {
		if bytes.Equal(other, name) {
			return true
		}
	}

	return false
}

func (s *scanner) readArray() bool {
	s.pos++
	s.skipSpace()
	if s.peek() == ']' {
		s.pos++
		return true
	}

	for i := 0; ; i++ {
		s.path = append(s.path, i)
		ok := s.readValue()
		s.leaveMember()
		if !ok {
			return false
		}

		if more, ok := s.readSeparator(']'); !ok || !more {
			return ok
		}
	}
}

// readSeparator reads the comma before a further element, or the closing bracket.
func (s *scanner) readSeparator(closing byte) (more, ok bool) {
	s.skipSpace()
	switch s.peek() {
	case ',':
		s.pos++
		s.skipSpace()
		return true, true
	case closing:
		if s.pos < len(s.text) {
			s.pos++
			return false, true
		}
	}

	return false, s.failSyntax(fmt.Sprintf("expected a comma or %q", closing))
}

// skipValue skips a container without reading it, in memory bounded by one byte a level. It
// checks only brackets and strings, since the event is rejected in any case.
func (s *scanner) skipValue() bool {
	var open []byte
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case '{', '[':
			open = append(open, c+2) // in ASCII, '}' is '{'+2 and ']' is '['+2
		case '}', ']':
			if open[len(open)-1] != c {
				return s.failSyntax(fmt.Sprintf("expected %q", open[len(open)-1]))
			}

			open = open[:len(open)-1]
			if len(open) == 0 {
				s.pos++
				return true
			}
		case '"':
			if _, ok := s.readQuoted(); !ok {
				return false
			}

			continue
		}

		s.pos++
	}

	return s.failSyntax("expected the end of the nested value")
}

// unescape converts a quoted string to its content. It cannot fail, because the text was scanned
// before.
func unescape(quoted []byte) []byte {
	var content string
	if json.Unmarshal(quoted, &content) != nil {
		return quoted[1 : len(quoted)-1]
	}

	return []byte(content)
}
