package event

import (
	"bytes"
	"time"
)

// jsonSpace is the whitespace of JSON, which is less than that of Unicode.
const jsonSpace = " \t\r\n"

// ParseText reads a body that may be any of what ParseJSON and ParseNDJSON read, for senders
// whose Content-Type does not say which: an array, one event, or one event a line. Two lines
// that are objects are never one JSON text, so a valid body is never mistaken.
func ParseText(body []byte, rules *Rules, now time.Time) (envelopes []Envelope, single bool, err error) {
	if startsObjectPerLine(body) {
		envelopes, err = ParseNDJSON(body, rules, now)
		return envelopes, false, err
	}

	return ParseJSON(body, rules, now)
}

// startsObjectPerLine reports whether the first line looks like an object, and the next like the
// beginning of another.
func startsObjectPerLine(body []byte) bool {
	first, rest, found := bytes.Cut(bytes.TrimLeft(body, jsonSpace), []byte("\n"))
	if !found || !bytes.HasPrefix(first, []byte("{")) || !bytes.HasSuffix(bytes.TrimRight(first, jsonSpace), []byte("}")) {
		return false
	}

	return bytes.HasPrefix(bytes.TrimLeft(rest, jsonSpace), []byte("{"))
}
