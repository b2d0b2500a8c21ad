package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// scanner reads JSON (RFC 8259) in one pass over the body. Its methods return
// false on a syntax error, after which nothing behind it can be delimited; all
// other violations are noted and scanning goes on, so that the neighbours of a
// refused event in a batch are still found.
type scanner struct {
	text []byte
	pos  int
	// before is how many lines of the body lie before the text.
	before int
	start  int // of the current event
	rules  *Rules
	// path leads from the event's root to the value being read: a number is an
	// array's index, or the complement of a member's place in names.
	path []int
	// names are the member names of the objects being read, the innermost last.
	names [][]byte
	// pathRoom and nameRoom spare most events further allocations.
	pathRoom [8]int
	nameRoom [16][]byte
	// current is the event being read.
	current Envelope
	// violations of the current event, at most MaxViolations; found counts the others, too.
	violations []fault.Violation
	found      int
	// told is how many bytes the pointers of all events have.
	told int
	// syntax describes the first syntax error of the current event, and where it is.
	syntax   string
	syntaxAt int
	// lines are those before a place in the text: a batch may have many syntax errors, and
	// its text is counted once.
	lines     int
	linesUpTo int
}

// linearNames is how many member names are compared one by one before a set is made.
const linearNames = 32

// newScanner reads a text by the given rules.
func newScanner(text []byte, rules *Rules) *scanner {
	s := &scanner{text: text, rules: rules}
	s.path, s.names = s.pathRoom[:0], s.nameRoom[:0]
	return s
}

// reset makes the scanner read another text.
func (s *scanner) reset(text []byte) {
	s.text, s.pos, s.syntax = text, 0, ""
	s.lines, s.linesUpTo = 0, 0
}

// report notes a violation at the current path.
func (s *scanner) report(code fault.Code, format string, args ...any) {
	s.found++
	if len(s.violations) < MaxViolations {
		s.violations = append(s.violations, fault.Violation{Pointer: s.pointer(), Code: code, Detail: fmt.Sprintf(format, args...)})
	}
}

// reportAt notes a violation at a top-level member.
func (s *scanner) reportAt(member string, code fault.Code, format string, args ...any) {
	s.enter([]byte(member))
	s.report(code, format, args...)
	s.leave()
}

// enter makes the path lead to a member of the object being read.
func (s *scanner) enter(name []byte) {
	s.path = append(s.path, ^len(s.names))
	s.names = append(s.names, name)
}

// leave makes the path lead to where it led before.
func (s *scanner) leave() { s.path = s.path[:len(s.path)-1] }

// pointer renders the current path as a JSON Pointer (RFC 6901). It is kept with
// the event, so what cannot be stored is replaced; and names may fill an event, once for
// each violation, so it is cut.
func (s *scanner) pointer() string {
	longest := LongestPointer(s.told)
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
	s.told += len(pointer)
	return pointer
}

// appendToken appends a member's name to a pointer.
func appendToken(b, name []byte) []byte {
	for _, r := range string(name) { // what is not UTF-8 comes as U+FFFD
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

// fail notes the syntax error that ends scanning.
func (s *scanner) fail(what string) bool {
	if s.syntax == "" {
		s.syntax, s.syntaxAt = what, s.pos
	}
	return false
}

// syntaxDetail says what is wrong with the JSON and where.
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

// tooLarge tells whether the current event is past the limit already, however it is counted.
func (s *scanner) tooLarge() bool { return s.pos-s.start > maxGrowth*s.rules.EventBytes }

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// value reads any JSON value strictly.
func (s *scanner) value() bool {
	switch c := s.peek(); {
	case c == '"':
		_, ok := s.quoted()
		return ok
	case c == '{' || c == '[':
		// The container lies one level below the path that leads to it.
		if len(s.path)+1 > s.rules.Depth {
			s.report(fault.CodeTooDeep, "nested deeper than %d levels", s.rules.Depth)
			return s.skip()
		}
		if c == '{' {
			return s.members((*scanner).value)
		}
		return s.array()
	case c == '-' || (c >= '0' && c <= '9'):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.fail("expected a value")
}

func (s *scanner) literal(word string) bool {
	if len(s.text)-s.pos < len(word) || string(s.text[s.pos:s.pos+len(word)]) != word {
		return s.fail("expected " + word)
	}
	s.pos += len(word)
	return true
}

// members reads an object and calls read for each member, which has to consume
// the value that the path then leads to. A name that came before is noted here.
func (s *scanner) members(read func(s *scanner) bool) bool {
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return true
	}
	first := len(s.names)
	var many map[string]struct{}
	for {
		name, ok := s.memberName()
		if !ok {
			return false
		}
		if len(s.names)-first >= linearNames && many == nil {
			many = make(map[string]struct{}, 2*linearNames)
			for _, other := range s.names[first:] {
				many[string(other)] = struct{}{}
			}
		}
		again := !s.tooLarge() && seen(s.names[first:], many, name) // past the limit nothing else is told
		s.enter(name)
		if again {
			s.report(fault.CodeDuplicateMember, "this member is given more than once; send it once")
		}
		ok = read(s)
		s.leave()
		if !ok {
			return false
		}
		if many != nil {
			s.names = s.names[:first+linearNames] // the set has the others
		}
		if more, ok := s.separator('}'); !ok || !more {
			s.names = s.names[:first]
			return ok
		}
	}
}

// memberName reads a member's name up to its value.
func (s *scanner) memberName() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.fail("expected a member name in double quotes")
	}
	name, ok := s.str()
	if !ok {
		return nil, false
	}
	s.space()
	if s.peek() != ':' {
		return nil, s.fail("expected a colon after the member name")
	}
	s.pos++
	s.space()
	return name, true
}

// seen tells whether a name was given before in the same object. Few names are
// compared one by one, many by a set: an object of a hundred thousand members must
// not cost the square of that.
func seen(names [][]byte, many map[string]struct{}, name []byte) bool {
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

func (s *scanner) array() bool {
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return true
	}
	for i := 0; ; i++ {
		s.path = append(s.path, i)
		ok := s.value()
		s.leave()
		if !ok {
			return false
		}
		if more, ok := s.separator(']'); !ok || !more {
			return ok
		}
	}
}

// separator reads the comma before a further element, or the closing bracket.
func (s *scanner) separator(closing byte) (more, ok bool) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		return true, true
	case closing:
		if s.pos < len(s.text) {
			s.pos++
			return false, true
		}
	}
	return false, s.fail(fmt.Sprintf("expected a comma or %q", closing))
}

// skip passes over a container without looking into it, in memory bounded by
// one byte a level. Only brackets and strings are checked: the event is refused anyway.
func (s *scanner) skip() bool {
	var open []byte
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case '{', '[':
			open = append(open, c+2) // in ASCII, '}' is '{'+2 and ']' is '['+2
		case '}', ']':
			if open[len(open)-1] != c {
				return s.fail(fmt.Sprintf("expected %q", open[len(open)-1]))
			}
			open = open[:len(open)-1]
			if len(open) == 0 {
				s.pos++
				return true
			}
		case '"':
			if _, ok := s.quoted(); !ok {
				return false
			}
			continue
		}
		s.pos++
	}
	return s.fail("expected the end of the nested value")
}

// unescape turns the text of a string with its quotes into its content. The text
// was scanned before, so it cannot fail.
func unescape(quoted []byte) []byte {
	var content string
	if json.Unmarshal(quoted, &content) != nil {
		return quoted[1 : len(quoted)-1]
	}
	return []byte(content)
}
