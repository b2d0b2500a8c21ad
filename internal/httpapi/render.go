package httpapi

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// jsonType is the media type of responses other than problems.
const jsonType = "application/json"

// sendBody sends a body with its length. JSON ends with a newline, and is indented if the client
// asks for it.
func sendBody(c *gin.Context, status int, media string, body []byte) {
	if media == jsonType || media == problemType {
		if isPretty(c.Request) {
			sendIndented(c, status, media, body)
			return
		}

		if !bytes.HasSuffix(body, []byte{'\n'}) {
			body = append(body, '\n')
		}
	}

	x := requestStateOf(c)
	header := c.Writer.Header()
	x.setHeader(header, "Content-Type", media)
	x.setHeader(header, "Content-Length", strconv.Itoa(len(body)))
	c.Status(status)
	_, _ = c.Writer.Write(body) // the client may have disconnected, which needs no action
}

func isNil(id uuid.UUID) bool { return id == uuid.Nil }

// appendEvent renders a stored event.
func appendEvent(b []byte, e *event.Stored) []byte {
	b = appendID(append(b, `{"event_id":`...), e.ID)
	b = appendID(append(b, `,"session_id":`...), e.SessionID)
	b = strconv.AppendInt(append(b, `,"sequence":`...), e.Sequence, 10)
	b = appendString(append(b, `,"category":`...), e.Category)
	b = appendString(append(b, `,"name":`...), e.Name)
	b = append(append(b, `,"data":`...), e.Data...)
	b = append(event.AppendTimestamp(append(b, `,"timestamp":"`...), e.Timestamp), '"')
	b = append(event.AppendTimestamp(append(b, `,"received_at":"`...), e.ReceivedAt), '"')
	b = appendString(append(b, `,"application":`...), e.Application)
	if e.TypeVersion != nil {
		b = strconv.AppendInt(append(b, `,"event_type_version":`...), int64(*e.TypeVersion), 10)
	}

	if e.Violations != nil {
		b = append(append(b, `,"violations":`...), e.Violations...)
	}

	return append(b, '}')
}

// appendID renders an id as a JSON string.
func appendID(b []byte, id uuid.UUID) []byte {
	return append(appendUUID(append(b, '"'), id), '"')
}

// appendUUID renders an id's text.
func appendUUID(b []byte, id uuid.UUID) []byte {
	b = append(b, "00000000-0000-0000-0000-000000000000"...)
	text := b[len(b)-36:]
	const digits = "0123456789abcdef"
	at := 0
	for _, octet := range id {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			at++
		}

		text[at] = digits[octet>>4]
		text[at+1] = digits[octet&0xf]
		at += 2
	}

	return b
}

// appendString renders a JSON string with no more escapes than JSON requires: a returned event
// must not be longer than the sent one.
func appendString(b []byte, text string) []byte {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}

	b = append(b, '"')
	done := 0
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			b = appendEscape(append(b, text[done:i]...), c)
			done = i + 1
		}
	}

	return append(append(b, text[done:]...), '"')
}

// appendEscape renders a character that is not allowed in a JSON string, in its shortest form.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}

	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// EventJSON renders a stored event as lists do, for commands.
func EventJSON(e *event.Stored) []byte { return appendEvent(nil, e) }
