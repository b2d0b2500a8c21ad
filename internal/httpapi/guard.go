package httpapi

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Guard sits between net/http and the connections of a public port. It rejects requests that
// net/http would accept and proxies read differently, and turns the plain-text rejections of
// net/http into problems like every other. It is safe for concurrent use, and for HTTP/1 on
// connections that are not hijacked.
type Guard struct {
	// Now and the generators of ids are those of Deps.
	Now          func() time.Time
	NewRequestID func() string
	NewTraceID   func() trace.TraceID
	// Metrics counts the problems. Nil counts none.
	Metrics *Metrics
}

// WrapListener wraps a listener. The server of its connections uses TrackState.
func (g *Guard) WrapListener(l net.Listener) net.Listener { return &guardedListener{l, g} }

// TrackState is a http.Server's ConnState.
func (g *Guard) TrackState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*guardedConn); ok && state == http.StateActive {
		c.responding = false
	}
}

// RenderProblem renders a complete response that holds a problem and closes the connection.
func (g *Guard) RenderProblem(status int, f *fault.Error) []byte {
	id := g.NewRequestID()
	traceID := g.NewTraceID()
	body, _ := json.Marshal(problem{ // texts and numbers cannot fail
		Type:      problemURI(f.Code),
		Title:     http.StatusText(status),
		Status:    status,
		Code:      f.Code,
		Detail:    f.Detail,
		RequestID: id,
		TraceID:   hex.EncodeToString(traceID[:]),
	})
	g.Metrics.recordProblem(context.Background(), f.Code)
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\nDate: %s\r\n",
		status, http.StatusText(status), problemType, len(body)+1, g.Now().UTC().Format(http.TimeFormat))
	if f.RetryAfter > 0 {
		fmt.Fprintf(&b, "Retry-After: %d\r\n", wholeSeconds(f.RetryAfter))
	}

	fmt.Fprintf(&b, "%s: %s\r\n", requestIDHeader, id)
	for _, header := range fixedHeaders() {
		fmt.Fprintf(&b, "%s: %s\r\n", header[0], header[1])
	}

	// The request may not have been read, so its origin is unknown. Every page may read that it
	// was rejected: nothing here is about a key or an event.
	fmt.Fprintf(&b, "%s: *\r\n%s: %s\r\n", allowOriginHeader, exposeHeadersHeader, collectExposedHeaders)
	fmt.Fprintf(&b, "\r\n%s\n", body)
	return b.Bytes()
}

type guardedListener struct {
	net.Listener

	guard *Guard
}

// Accept implements net.Listener.
func (l *guardedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http looks at what kind of error it is
	}

	return &guardedConn{Conn: conn, guard: l.guard}, nil
}

// guardedConn is a connection. net/http reads from one goroutine at a time, and writes from the
// goroutine that serves the connection.
type guardedConn struct {
	net.Conn

	guard   *Guard
	framing framing
	// violation is the reason why a request may not pass; pending is the text that net/http
	// reads instead.
	violation string
	pending   []byte
	// responding means that the response to the request has begun. Anything written before is
	// net/http's own rejection, or the head of a response.
	responding bool
	// rejected means that the last response was a rejection.
	rejected bool
}

// malformedLine is a line that makes net/http reject a request when its turn comes: after the
// responses to the earlier requests on the same connection.
const malformedLine = "?\r\n\r\n"

// Read implements net.Conn.
func (c *guardedConn) Read(p []byte) (int, error) {
	if c.violation != "" {
		return c.readPending(p)
	}

	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err //nolint:wrapcheck // it is the connection's
	}

	pass, wrong := c.framing.scan(p[:n])
	if wrong == "" {
		return n, err //nolint:wrapcheck // it is the connection's
	}

	c.violation = wrong
	c.pending = []byte(malformedLine)
	if c.framing.endsMidLine(p[:pass]) {
		c.pending = []byte("\r\n" + malformedLine)
	}

	if pass == 0 {
		return c.readPending(p)
	}

	return pass, nil
}

func (c *guardedConn) readPending(p []byte) (int, error) {
	if len(c.pending) == 0 {
		return 0, io.EOF
	}

	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// Write implements net.Conn.
func (c *guardedConn) Write(p []byte) (int, error) {
	if c.responding || bytes.HasPrefix(p, []byte("HTTP/1.1 100 ")) {
		return c.Conn.Write(p) //nolint:wrapcheck // it is the connection's
	}

	c.responding = true
	status, f := c.parseServerError(p)
	if f == nil {
		return c.Conn.Write(p) //nolint:wrapcheck // it is the connection's
	}

	c.rejected = true
	if _, err := c.Conn.Write(c.guard.RenderProblem(status, f)); err != nil {
		return 0, err //nolint:wrapcheck // it is the connection's
	}

	return len(p), nil
}

// parseServerError recognises the responses that net/http sends without a handler.
func (c *guardedConn) parseServerError(p []byte) (status int, f *fault.Error) {
	const statusAt = len("HTTP/1.1 ")
	if len(p) <= statusAt || p[statusAt] < '4' { // most responses are not errors
		return 0, nil
	}

	const plain = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	line, _, found := strings.Cut(string(p[:min(len(p), 1<<10)]), plain)
	text, isHTTP := strings.CutPrefix(line, "HTTP/1.1 ")
	code, text, _ := strings.Cut(text, " ")
	status, _ = strconv.Atoi(code) // 0 is none of the statuses below
	switch {
	case !isHTTP || status == 0:
		return 0, nil
	case status == http.StatusExpectationFailed:
		return status, fault.New(fault.Invalid, fault.CodeExpectationFailed, "Expect is 100-continue, or is left out")
	case !found:
		return 0, nil
	}

	_, detail, _ := strings.Cut(text, ": ")
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return status, fault.New(fault.Invalid, fault.CodeHeadersTooLarge, "the headers are larger than http.max_header_bytes; send fewer, or shorter ones")
	case http.StatusHTTPVersionNotSupported:
		return status, fault.New(fault.HTTPVersion, fault.CodeHTTPVersionNotSupported, "this is HTTP/1.1 and HTTP/1.0 in clear text; a proxy before it may speak others")
	case http.StatusNotImplemented:
		return status, fault.New(fault.Invalid, fault.CodeUnsupportedEncoding, "the only Transfer-Encoding is chunked; or send Content-Length")
	}

	switch {
	case c.violation != "":
		detail = c.violation + ": proxies and servers read this differently, so it is rejected"
	case detail == "":
		detail = "this is not an HTTP/1.1 request, or one of its headers is malformed"
	}

	return status, fault.New(fault.Invalid, fault.CodeInvalidHeader, detail)
}

// CloseWrite lets net/http close its half of the connection.
func (c *guardedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}

	return nil
}

// Close implements net.Conn. A connection that is closed while unread bytes are left is reset,
// and the client may lose the rejection that was just sent: so the rest is read for a moment.
func (c *guardedConn) Close() error {
	if c.rejected {
		const moment, enough = 200 * time.Millisecond, 256 << 10
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(c.guard.Now().Add(moment))
		_, _ = io.CopyN(io.Discard, c.Conn, enough)
	}

	return c.Conn.Close() //nolint:wrapcheck // it is the connection's
}
