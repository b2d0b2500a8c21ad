package event

import (
	"bytes"
	"time"
)

// jsonSpace is the whitespace of JSON, which is less than that of Unicode.
const jsonSpace = " \t\r\n"

// ParseText reads a body that may be any of what ParseJSON and ParseNDJSON read, for senders
// whose Content-Type does not say which: an array, one event, or one event a line. Two lines
// that are objects are never one JSON text, so a valid body is never mistaken. A line that is no
// event does not make the others unreadable.
func ParseText(body []byte, rules *Rules, now time.Time) (envelopes []Envelope, single bool, err error) {
	if startsObjectPerLine(body) {
		envelopes, err = ParseNDJSON(body, rules, now)
		return envelopes, false, err
	}

	envelopes, single, err = ParseJSON(body, rules, now)
	unreadable := err != nil || single && envelopes[0].IsWholeBody
	if unreadable && holdsObjectLine(body) {
		envelopes, err = ParseNDJSON(body, rules, now)
		return envelopes, false, err
	}

	return envelopes, single, err
}

// startsObjectPerLine reports whether the first line looks like an object, and the next like the
// beginning of another.
func startsObjectPerLine(body []byte) bool {
	first, rest, found := bytes.Cut(bytes.TrimLeft(body, jsonSpace), []byte("\n"))
	return found && isObjectLine(first) && bytes.HasPrefix(bytes.TrimLeft(rest, jsonSpace), []byte("{"))
}

// holdsObjectLine reports whether a body that is not JSON has several lines, and one of them looks
// like an object. The lines of an event that is spread over several are indented.
func holdsObjectLine(body []byte) bool {
	body = bytes.Trim(body, jsonSpace)
	if bytes.HasPrefix(body, []byte("[")) || !bytes.Contains(body, []byte("\n")) {
		return false
	}

	for line := range bytes.Lines(body) {
		if isObjectLine(line) {
			return true
		}
	}

	return false
}

func isObjectLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("{")) && bytes.HasSuffix(bytes.TrimRight(line, jsonSpace), []byte("}"))
}
