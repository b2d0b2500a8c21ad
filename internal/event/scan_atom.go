package event

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// readString reads a string and returns its content without escapes. The content shares
// memory with the text unless the string had escapes.
func (s *scanner) readString() (content []byte, ok bool) {
	start := s.pos
	escaped, ok := s.readQuoted()
	if !ok {
		return nil, false
	}

	quoted := s.text[start:s.pos]
	if escaped {
		return unescape(quoted), true
	}

	return quoted[1 : len(quoted)-1], true
}

// readQuoted skips a string, and reports whether it holds escapes.
func (s *scanner) readQuoted() (escaped, ok bool) {
	s.pos++
	invalid := false
	for {
		s.skipPlain()
		if s.pos == len(s.text) {
			return false, s.failSyntax("expected the closing quote of a string")
		}

		c := s.text[s.pos]
		switch {
		case c == '"':
			s.pos++
			return escaped, true
		case c == '\\':
			escaped = true
			if !s.readEscape() {
				return false, false
			}
		case c < 0x20:
			return false, s.failSyntax("expected a string without control characters (write them as escapes)")
		default:
			r, size := utf8.DecodeRune(s.text[s.pos:])
			if r == utf8.RuneError && size == 1 && !invalid {
				invalid = true
				s.report(fault.CodeInvalidUTF8, "byte %d of the text is not valid UTF-8", s.pos)
			}

			s.pos += size
		}
	}
}

// skipPlain skips the characters of a string that need no attention, eight at a time as long as
// possible. In a word with a character that needs attention, one of the high bits is or becomes
// set: the character is not ASCII, or the subtraction of 0x20 wraps around, or the subtraction
// of 1 from its difference to a quote or to a backslash does.
func (s *scanner) skipPlain() {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	text, i := s.text, s.pos
	for len(text)-i >= 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		if (w|(w-ones*0x20)|((w^ones*'"')-ones)|((w^ones*'\\')-ones))&high != 0 {
			break
		}

		i += 8
	}

	for i < len(text) {
		if c := text[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}

		i++
	}

	s.pos = i
}

// readEscape reads one escape sequence, a surrogate pair being one.
func (s *scanner) readEscape() bool {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
	default:
		return s.failSyntax("expected a valid escape sequence after the backslash")
	}

	unit, ok := s.readCodeUnit()
	if !ok {
		return false
	}

	switch {
	case unit == 0:
		s.report(fault.CodeNULCharacter, "the NUL character cannot be stored; remove it")
	case unit >= 0xDC00 && unit <= 0xDFFF:
		s.report(fault.CodeLoneSurrogate, "a low surrogate without the high one before it is not a character")
	case unit >= 0xD800 && unit <= 0xDBFF:
		return s.readLowSurrogate()
	}

	return true
}

// readLowSurrogate reads the second half of a surrogate pair, or reports its absence.
func (s *scanner) readLowSurrogate() bool {
	if bytes.HasPrefix(s.text[s.pos:], []byte(`\u`)) {
		before := s.pos
		s.pos++
		unit, ok := s.readCodeUnit()
		if !ok {
			return false
		}

		if unit >= 0xDC00 && unit <= 0xDFFF {
			return true
		}

		s.pos = before
	}

	s.report(fault.CodeLoneSurrogate, "a high surrogate without the low one after it is not a character")
	return true
}

// readCodeUnit reads the four hexadecimal digits after \u, from the position of the u.
func (s *scanner) readCodeUnit() (uint32, bool) {
	if len(s.text)-s.pos < 5 {
		s.pos = len(s.text)
		return 0, s.failSyntax(`expected four hexadecimal digits after \u`)
	}

	var unit uint32
	for i := 1; i <= 4; i++ {
		digit, ok := hexDigit(s.text[s.pos+i])
		if !ok {
			s.pos += i
			return 0, s.failSyntax(`expected four hexadecimal digits after \u`)
		}

		unit = unit<<4 | uint32(digit)
	}

	s.pos += 5
	return unit, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}

	return 0, false
}
