package httpapi

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// prettyParameter requests indented JSON. Every route accepts it.
const prettyParameter = "pretty"

// sendJSON sends a document as JSON.
func (a *api) sendJSON(c *gin.Context, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	sendBody(c, status, jsonType, body)
}

// isPretty reports whether a request asks for indented JSON. A value that is neither true nor
// false is rejected where the parameters are read.
func isPretty(r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, prettyParameter) {
		return false
	}

	values, found := r.URL.Query()[prettyParameter]
	return found && (values[0] == "" || values[0] == "true" || values[0] == "1")
}

// checkPretty rejects an invalid value of pretty.
func (p *parameters) checkPretty() {
	switch p.values.Get(prettyParameter) {
	case "", "true", "1", "false", "0":
	default:
		p.addViolation(prettyParameter, fault.CodeInvalidParameter, prettyParameter+" must be true or false")
	}
}

// sendIndented sends JSON that people can read. Indented, a page may have many times its size,
// so it is never held in memory: it is written twice, the first time only to determine its
// length.
func sendIndented(c *gin.Context, status int, media string, body []byte) {
	var length byteCounter
	_ = indentJSON(&length, body) // it cannot fail

	x := requestStateOf(c)
	header := c.Writer.Header()
	x.setHeader(header, "Content-Type", media)
	x.setHeader(header, "Content-Length", strconv.FormatInt(int64(length), 10))
	c.Status(status)
	_ = indentJSON(c.Writer, body) // the client may have disconnected, which needs no action
}

// byteCounter counts the bytes that are written to it.
type byteCounter int64

// Write implements io.Writer.
func (n *byteCounter) Write(p []byte) (int, error) {
	*n += byteCounter(len(p))
	return len(p), nil
}

// indentJSON writes valid JSON with a member or an element on each line, indented by two
// spaces a level, and a newline at its end.
func indentJSON(to io.Writer, text []byte) error {
	w := bufio.NewWriter(to)
	depth := 0
	quoted := false
	empty := false
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case quoted:
			_ = w.WriteByte(b)
			if b == '\\' {
				i++
				_ = w.WriteByte(text[i])
			}

			quoted = b != '"'
			continue
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			continue
		}

		if empty && b != '}' && b != ']' {
			breakLine(w, depth)
		}

		switch b {
		case '{', '[':
			depth++
			empty = true
			_ = w.WriteByte(b)
			continue
		case '}', ']':
			depth--
			if !empty {
				breakLine(w, depth)
			}

			_ = w.WriteByte(b)
		case ',':
			_ = w.WriteByte(b)
			breakLine(w, depth)
		case ':':
			_, _ = w.WriteString(": ")
		default:
			quoted = b == '"'
			_ = w.WriteByte(b)
		}

		empty = false
	}

	_ = w.WriteByte('\n')
	return w.Flush() //nolint:wrapcheck // the caller has nothing to add; a failed write is kept until here
}

// breakLine begins a line of a level.
func breakLine(w *bufio.Writer, depth int) {
	const indent = "  "
	_ = w.WriteByte('\n')
	for range depth {
		_, _ = w.WriteString(indent)
	}
}
