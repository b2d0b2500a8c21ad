package event

import (
	"bytes"
	"strconv"

	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	// maxExponent bounds a number's exponent: numbers beyond it are infinite or zero in a
	// float64, and Postgres refuses scales past 16,383 even for zeros.
	maxExponent = 400
	// plainLength is the length up to which a number is returned without an exponent: 40 digits
	// and a point. So numbers that were sent digit by digit are returned digit by digit.
	plainLength = 41
)

// readNumber reads a number and checks that the store and every reader can hold it. The value of
// the number counts and not its notation: the store writes all digits of 1e308.
func (s *scanner) readNumber() bool {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}

	digits := 0
	if s.peek() == '0' {
		s.pos++
		digits++
	} else if n := s.skipDigits(); n > 0 {
		digits += n
	} else {
		return s.failSyntax("expected a digit")
	}

	if s.peek() == '.' {
		s.pos++
		n := s.skipDigits()
		if n == 0 {
			return s.failSyntax("expected a digit after the decimal point")
		}

		digits += n
	}

	mantissa := s.pos
	exponent := 0
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}

		if exponent = s.skipDigits(); exponent == 0 {
			return s.failSyntax("expected a digit in the exponent")
		}
	}

	if exponent > 0 || digits > s.rules.NumberDigits {
		s.checkNumber(s.text[start:mantissa], s.text[mantissa:s.pos])
	}

	return true
}

func (s *scanner) skipDigits() (n int) {
	for s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9' {
		s.pos++
		n++
	}

	return n
}

// checkNumber reports a number that is too long or does not fit a float64. Its exponent includes
// the letter e, or is empty.
func (s *scanner) checkNumber(mantissa, exponent []byte) {
	limit := s.rules.NumberDigits
	switch {
	case len(mantissa)+len(exponent) > limit+maxExponent:
		s.report(fault.CodeNumberOutOfRange, "a number is written with at most %d characters; send longer ones as strings", limit+maxExponent)
	case significantDigits(mantissa) > limit:
		s.report(fault.CodeNumberOutOfRange, "a number has at most %d significant digits; send longer ones as strings", limit)
	case !isRepresentable(mantissa, exponent):
		s.report(fault.CodeNumberOutOfRange, "the number does not fit a 64-bit float; send it as a string")
	}
}

// significantDigits counts the digits of a number without an exponent, from the first to
// the last that is not zero.
func significantDigits(plain []byte) int {
	significant := bytes.Trim(plain, "-0.")
	n := len(significant)
	if bytes.IndexByte(significant, '.') >= 0 {
		n--
	}

	return n
}

// isRepresentable reports whether a number is finite in a float64 and not rounded to zero. It
// compares digits: strconv takes 50 µs for a number next to zero, and a body may hold a million
// of them.
func isRepresentable(mantissa, exponent []byte) bool {
	power := 0
	if len(exponent) > 0 {
		var err error
		if power, err = strconv.Atoi(string(exponent[1:])); err != nil || power > maxExponent || power < -maxExponent {
			return false
		}
	}

	unsigned := bytes.TrimPrefix(mantissa, []byte("-"))
	first := bytes.IndexAny(unsigned, "123456789")
	if first < 0 {
		return true
	}

	point := bytes.IndexByte(unsigned, '.')
	if point < 0 {
		point = len(unsigned)
	}

	if power += point - first; first < point {
		power--
	}

	switch power { // of the first significant digit
	case 308:
		return compareDigits(unsigned[first:], tooLargeDigits) < 0
	case -324:
		return compareDigits(unsigned[first:], tooSmallDigits) > 0
	}

	return power > -324 && power < 308
}

// The leading digits of the numbers of the order of 1e308 and of 1e-324 from which on a number
// is rounded to infinity (2^1024 - 2^970), and up to which to zero (2^-1075).
const (
	tooLargeDigits = "179769313486231580793728971405303415079934132710037826936173"
	tooSmallDigits = "247032822920623272088284396434110686182529901307162382212792"
)

// compareDigits compares the digits of two numbers whose first digits have the same weight.
func compareDigits(digits []byte, other string) int {
	if bytes.IndexByte(digits, '.') >= 0 {
		digits = bytes.Replace(digits, []byte("."), nil, 1)
	}

	return bytes.Compare(bytes.TrimRight(digits, "0"), []byte(other))
}

// ShortenNumbers returns a JSON document in which numbers of more than 41 characters are written
// with an exponent, if that is shorter. The store writes all digits of a number: an event of 64
// KB could be read back as 3 MB. The document is valid JSON; it is returned unchanged, and not
// copied, unless it holds such a number.
func ShortenNumbers(document []byte) []byte {
	if !hasLongRun(document) {
		return document
	}

	var short []byte
	copied := 0
	for i := 0; i < len(document); {
		switch c := document[i]; {
		case c == '"':
			i = stringEnd(document, i)
		case c == '-' || isDigit(c):
			end := numberEnd(document, i)
			if number := document[i:end]; len(bytes.TrimPrefix(number, []byte("-"))) > plainLength {
				if shorter := shortNumber(number); len(shorter) < len(number) {
					short = append(append(short, document[copied:i]...), shorter...)
					copied = end
				}
			}

			i = end
		default:
			i++
		}
	}

	if copied == 0 {
		return document
	}

	return append(short, document[copied:]...)
}

// hasLongRun reports whether there is a run of more than plainLength digits and points. It reads
// one byte in each span of that length, and the others only if that byte is a digit.
func hasLongRun(text []byte) bool {
	for i := plainLength; i < len(text); i += plainLength + 1 {
		if !isDigit(text[i]) && text[i] != '.' {
			continue
		}

		first := i
		for first > 0 && (isDigit(text[first-1]) || text[first-1] == '.') {
			first--
		}

		last := i
		for last+1 < len(text) && (isDigit(text[last+1]) || text[last+1] == '.') {
			last++
		}

		if last-first >= plainLength {
			return true
		}

		i = last
	}

	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// stringEnd returns the end of the string that begins at start; 0 if it does not end.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}

	return 0
}

// numberEnd returns the end of the number of valid JSON that begins at start.
func numberEnd(text []byte, start int) int {
	end := start + 1
	for end < len(text) && (isDigit(text[end]) || text[end] == '.' || text[end] == 'e' || text[end] == 'E' || text[end] == '+' || text[end] == '-') {
		end++
	}

	return end
}

// shortNumber returns the shortest notation of a number: 12e5 for 1200000, and 12e-5 or 1.2e-4
// for 0.00012, whichever exponent has fewer digits. A text that is as short is kept.
func shortNumber(text []byte) []byte {
	unsigned := bytes.TrimPrefix(text, []byte("-"))
	mantissa := unsigned
	var exponentText []byte
	if e := bytes.IndexAny(unsigned, "eE"); e >= 0 {
		mantissa = unsigned[:e]
		exponentText = unsigned[e+1:]
	}

	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := bytes.TrimLeft(bytes.Join([][]byte{whole, fraction}, nil), "0")
	significant := bytes.TrimRight(digits, "0")
	if len(significant) == 0 {
		return []byte("0")
	}

	exponent, _ := strconv.Atoi(string(exponentText)) // none, or bounded by the decoder
	exponent += len(digits) - len(significant) - len(fraction)
	short := append(make([]byte, 0, len(significant)+8), text[:len(text)-len(unsigned)]...)
	point := exponent + len(significant) - 1
	if len(significant) > 1 && exponentLength(point) < exponentLength(exponent) {
		short = append(append(append(short, significant[0], '.'), significant[1:]...), 'e')
		short = strconv.AppendInt(short, int64(point), 10)
	} else {
		short = append(append(short, significant...), 'e')
		short = strconv.AppendInt(short, int64(exponent), 10)
	}

	if len(short) >= len(text) {
		return text
	}

	return short
}

// exponentLength returns the number of digits of an exponent.
func exponentLength(exponent int) int { return len(strconv.Itoa(max(exponent, -exponent))) }
