package httpapi

import (
	"bytes"
	"strconv"
)

// framing follows the requests that arrive on a connection of HTTP/1, and finds requests that
// proxies and servers read differently (RFC 9112, sections 2.2, 5.2 and 6.3): net/http accepts
// some of these, and a proxy in front might see other requests than the service. Everything that
// framing lets pass it reads as net/http does, so that it always knows where the next head
// begins.
type framing struct {
	part part
	// left is the number of bytes left of a body or a chunk.
	left uint64
	// line is the beginning of a line whose end has not arrived. net/http bounds it, because it
	// stops reading when the headers are too large.
	line []byte

	// The state of the head that is being read.
	started bool // its request line has been read
	http10  bool
	lengths int
	codings int
	chunked bool
	length  uint64
}

// part is the part of a request to which the next byte belongs.
type part int

const (
	inHead part = iota
	inBody
	inChunkSize
	inChunk
	inTrailer
	// inRejected follows a request that net/http rejects and closes by itself.
	inRejected
)

// scan reads bytes that have arrived. It returns how many of them may pass, and the error after
// those, if there is one; then it must not be called again.
func (f *framing) scan(p []byte) (pass int, wrong string) {
	for pass < len(p) {
		switch f.part {
		case inRejected:
			return len(p), ""
		case inBody, inChunk:
			n := min(f.left, uint64(len(p)-pass))
			f.left -= n
			pass += int(n) //nolint:gosec // n is at most the length of p
			if f.left == 0 {
				f.endData()
			}
		case inHead, inChunkSize, inTrailer:
			n, wrong := f.scanLine(p[pass:])
			pass += n
			if wrong != "" {
				return pass, wrong
			}
		}
	}

	return pass, ""
}

// endsMidLine reports whether the bytes that have passed, of which p is the last part, end
// within a line.
func (f *framing) endsMidLine(p []byte) bool {
	if len(p) == 0 {
		return len(f.line) > 0
	}

	return p[len(p)-1] != '\n'
}

// endData continues after a body or a chunk.
func (f *framing) endData() {
	if f.part == inBody {
		*f = framing{line: f.line[:0]}
		return
	}

	f.part = inChunkSize
}

// scanLine reads a line, or as much of it as has arrived.
func (f *framing) scanLine(p []byte) (pass int, wrong string) {
	folds := f.part == inTrailer || f.part == inHead && f.started
	if len(f.line) == 0 && folds && (p[0] == ' ' || p[0] == '\t') {
		return 0, "a header is folded over several lines"
	}

	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		f.line = append(f.line, p...)
		return len(p), ""
	}

	line := p[:end]
	if len(f.line) > 0 {
		f.line = append(f.line, line...)
		line = f.line
	}

	line, found := bytes.CutSuffix(line, []byte{'\r'})
	if !found {
		return end, "a line ends with a line feed alone"
	}

	wrong = f.endLine(line)
	if wrong != "" {
		return max(end-1, 0), wrong // without its line end
	}

	f.line = f.line[:0]
	return end + 1, ""
}

// endLine processes a complete line, without its end.
func (f *framing) endLine(line []byte) (wrong string) {
	switch {
	case f.part == inChunkSize:
		return f.endChunkSize(line)
	case f.part == inTrailer && len(line) > 0:
		return ""
	case f.part == inTrailer:
		*f = framing{line: f.line}
		return ""
	case !f.started:
		f.started = len(line) > 0 // an empty line before a request has no meaning
		f.http10 = bytes.HasSuffix(line, []byte("HTTP/1.0"))
		return ""
	case len(line) == 0:
		f.endHead()
		return ""
	}

	return f.scanHeader(line)
}

// scanHeader processes a line of the head, and records the headers that determine where the body
// ends.
func (f *framing) scanHeader(line []byte) (wrong string) {
	const length, coding = "Content-Length", "Transfer-Encoding"
	name, value, _ := bytes.Cut(line, []byte{':'})
	switch {
	case len(name) == len(length) && bytes.EqualFold(name, []byte(length)):
		var ok bool
		if f.length, ok = parseDigits(string(bytes.Trim(value, " \t")), 10); !ok {
			return length + " is not a number"
		}

		f.lengths++
	case len(name) == len(coding) && bytes.EqualFold(name, []byte(coding)):
		f.chunked = bytes.EqualFold(bytes.Trim(value, " \t"), []byte("chunked"))
		f.codings++
	default:
		return ""
	}

	switch {
	case f.lengths > 0 && f.codings > 0:
		return length + " is sent together with " + coding
	case f.lengths > 1:
		return length + " is sent twice"
	case f.codings > 1:
		return coding + " is sent twice"
	case f.codings > 0 && f.http10:
		return coding + " is not allowed in HTTP/1.0"
	}

	return ""
}

// endHead continues with the body, or with the next request if there is none.
func (f *framing) endHead() {
	switch {
	case f.chunked:
		f.part = inChunkSize
	case f.codings > 0:
		f.part = inRejected
	case f.length > 0:
		f.part = inBody
		f.left = f.length
	default:
		*f = framing{line: f.line}
	}
}

// endChunkSize processes the line before a chunk.
func (f *framing) endChunkSize(line []byte) (wrong string) {
	text, _, _ := bytes.Cut(line, []byte{';'}) // extensions have no meaning
	size, ok := parseDigits(string(bytes.TrimRight(text, " \t")), 16)
	const lineEnd, most = 2, 1 << 62
	switch {
	case !ok || size > most:
		return "the size of a chunk is not a number"
	case size == 0:
		f.part = inTrailer
	default:
		f.part = inChunk
		f.left = size + lineEnd
	}

	return ""
}

// parseDigits reads a number that consists of digits only.
func parseDigits(text string, base int) (uint64, bool) {
	number, err := strconv.ParseUint(text, base, 63)
	return number, err == nil
}
