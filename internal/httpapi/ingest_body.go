package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/zstd"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// mediaType is the format of a body.
type mediaType int

const (
	jsonBody mediaType = iota
	ndjsonBody
	// textBody is one of the two; the body itself says which.
	textBody
)

const (
	// zstdWindow bounds the window that a zstd stream may ask for.
	zstdWindow = 8 << 20
	// maxWindows is how many zstd streams are decompressed at once.
	maxWindows = 4
	// gzipRoom is the memory of a gzip decoder.
	gzipRoom = 64 << 10
	// firstRoom is the memory that is reserved before the first byte of a body has arrived, and
	// moreRoom the factor by which it grows when that is full: most batches are read in two
	// parts.
	firstRoom = 8 << 10
	moreRoom  = 8
)

// bodyReader reads bodies within the limits. It is safe for concurrent use.
type bodyReader struct {
	limits event.Limits
	// held counts the bytes of the bodies of all requests that are being served,
	// which are bounded by memory.
	held   atomic.Int64
	memory int64
	// heldByPublic counts those of requests with a public key, which are bounded by half of
	// memory: everybody can send them, and others must still be served.
	heldByPublic atomic.Int64
	// pace is how fast bodies have to arrive, by the clock now.
	pace Pace
	now  func() time.Time
	// windows has a place for each zstd stream that is being decompressed.
	windows chan struct{}
}

// reserveBody reserves memory for a body, if there is enough. The memory is released when the
// request has been served.
func (b *bodyReader) reserveBody(c *gin.Context, n int64) error {
	const half = 2
	x := requestStateOf(c)
	held, heldByPublic := b.addHeld(x, n)
	if held > b.memory || heldByPublic > b.memory/half {
		b.addHeld(x, -n)
		return fault.NewUnavailable(nil, fault.CodeOverloaded, "too many bodies are being read; send the request again", time.Second)
	}

	return nil
}

// releaseBody gives back the memory that a request reserved.
func (b *bodyReader) releaseBody(c *gin.Context) {
	x := requestStateOf(c)
	b.addHeld(x, -x.bodyBytes)
}

// addHeld counts bytes of a request's body, and returns how many are held by all requests, and by
// those with a public key if this is one.
func (b *bodyReader) addHeld(x *requestState, n int64) (held, heldByPublic int64) {
	x.bodyBytes += n
	if x.usesPublicKey() {
		heldByPublic = b.heldByPublic.Add(n)
	}

	return b.held.Add(n), heldByPublic
}

// mediaTypeOf reads Content-Type.
func mediaTypeOf(header string) (mediaType, error) {
	if header == "application/json" {
		return jsonBody, nil
	}

	switch kind, _ := utf8MediaType(header); kind {
	case "application/json":
		return jsonBody, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines", "application/x-jsonlines":
		return ndjsonBody, nil
	}

	return 0, fault.New(fault.Unsupported, fault.CodeUnsupportedMediaType,
		"send Content-Type application/json (an event or an array) or application/x-ndjson (an event a line), in UTF-8")
}

// utf8MediaType reads a media type whose charset, if it names one, is UTF-8 or a part of it.
func utf8MediaType(header string) (kind string, ok bool) {
	kind, parameters, err := mime.ParseMediaType(header)
	charset, named := parameters["charset"]
	if err != nil || (named && !withinUTF8(charset)) {
		return "", false
	}

	return kind, true
}

// withinUTF8 reports whether every text in a charset is valid UTF-8 without a conversion. The
// names are those of IANA and of the Encoding Standard for UTF-8 and for US-ASCII.
func withinUTF8(charset string) bool {
	switch strings.ToLower(strings.Trim(charset, "'")) {
	case "utf-8", "utf8", "csutf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8",
		"us-ascii", "ascii", "us", "csascii", "ansi_x3.4-1968", "ansi_x3.4-1986", "iso646-us", "iso_646.irv:1991", "iso-ir-6", "ibm367", "cp367":
		return true
	}

	return false
}

// readBody reads the body, without the byte order mark that it may begin with. With a fault it
// returns the beginning of the body, so that it can be recorded. It reads no more than necessary
// to find that a body is too large.
func (b *bodyReader) readBody(c *gin.Context) ([]byte, error) {
	body, err := b.readLimited(c)
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if f, ok := fault.As(err); ok && f.Kind == fault.TooLarge {
		c.Writer.Header().Set("Connection", "close") // otherwise the rest would still be read
	}

	return body, err
}

func (b *bodyReader) readLimited(c *gin.Context) ([]byte, error) {
	limit := b.limits.BodyBytes
	r := c.Request
	if r.ContentLength > limit {
		return nil, b.tooLargeFault(limit)
	}

	wire := b.withPace(c)
	if r.ContentLength < 0 { // otherwise its length bounds the read
		wire = http.MaxBytesReader(c.Writer, wire, limit)
	}

	switch encoding := codingOf(r.Header.Values("Content-Encoding")); encoding {
	case "":
		return b.receiveBody(c, wire)
	case "gzip":
		if err := b.reserveBody(c, gzipRoom); err != nil {
			return nil, err
		}

		return b.inflateBody(c, wire, encoding)
	case "zstd":
		// A decoder holds a window of megabytes, so it is created only when the whole body has
		// arrived, and only a few exist at once.
		sent, err := b.receiveBody(c, wire)
		if err != nil {
			return nil, err
		}

		b.windows <- struct{}{}
		defer func() { <-b.windows }()

		return b.inflateBody(c, bytes.NewReader(sent), encoding)
	default:
		c.Header("Accept-Encoding", "gzip, zstd")
		return nil, fault.New(fault.Unsupported, fault.CodeUnsupportedEncoding, "the body's Content-Encoding is not understood; send gzip, zstd or none, and one of them only")
	}
}

// codingOf reads Content-Encoding (RFC 9110, section 8.4): the one coding other than identity,
// or "". If there are several it returns them all, which is not a coding: a body that was
// compressed twice would have to be checked against its limit twice.
func codingOf(headers []string) string {
	var codings []string
	for coding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "", "identity":
		case "x-gzip":
			codings = append(codings, "gzip")
		default:
			codings = append(codings, coding)
		}
	}

	return strings.Join(codings, ",")
}

// receiveBody reads a body. Memory is reserved as it arrives: a client that announces much and
// sends nothing must not hold memory that others need.
func (b *bodyReader) receiveBody(c *gin.Context, from io.Reader) ([]byte, error) {
	length := c.Request.ContentLength
	most := length
	end := 0
	if length < 0 {
		most = b.limits.BodyBytes
		end = 1 // room for one byte too many
	}

	var body []byte
	var reserved int64
	for int64(len(body)) != length {
		if len(body) == cap(body) {
			room := min(max(moreRoom*reserved, firstRoom), most)
			if err := b.reserveBody(c, room-reserved); err != nil {
				return body, err
			}

			reserved = room
			body = append(make([]byte, 0, int(room)+end), body...)
		}

		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF) && length < 0:
			return body, nil
		case err != nil && int64(len(body)) != length:
			return body, b.readFault(err, b.limits.BodyBytes)
		}
	}

	return body, nil
}

// inflateBody decompresses within the limit of the inflated size.
func (b *bodyReader) inflateBody(c *gin.Context, wire io.Reader, encoding string) ([]byte, error) {
	limit := b.limits.InflatedBytes
	inflater, err := newInflater(wire, encoding)
	if err != nil {
		return nil, b.inflateFault(err)
	}
	defer inflater.Close() //nolint:errcheck // everything of interest was read

	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(&reservingReader{from: inflater, reserve: func(n int64) error { return b.reserveBody(c, n) }}, limit+1))
	if err != nil {
		return body.Bytes(), b.inflateFault(err)
	}

	if n > limit {
		return body.Bytes()[:limit], b.tooLargeFault(limit)
	}

	return body.Bytes(), nil
}

// reservingReader reserves memory for what is read from a body of unknown size.
type reservingReader struct {
	from    io.Reader
	reserve func(n int64) error
}

// Read implements io.Reader.
func (m *reservingReader) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	if full := m.reserve(int64(n)); full != nil {
		return 0, full
	}

	return n, err
}

func newInflater(wire io.Reader, encoding string) (io.ReadCloser, error) {
	if encoding == "gzip" {
		decoder, err := gzip.NewReader(wire)
		if err != nil {
			return nil, fmt.Errorf("make a gzip decoder: %w", err)
		}

		return decoder, nil
	}

	decoder, err := zstd.NewReader(wire, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make a zstd decoder: %w", err)
	}

	return decoder.IOReadCloser(), nil
}

func (b *bodyReader) tooLargeFault(limit int64) error {
	return fault.New(fault.TooLarge, fault.CodeBodyTooLarge, fmt.Sprintf("the body has more than %d bytes; send fewer events a request", limit))
}

// readFault says what is wrong with a body that could not be read.
func (b *bodyReader) readFault(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLarge):
		return b.tooLargeFault(limit)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fault.Wrap(err, fault.SlowRequest, fault.CodeRequestTimeout, "the body did not arrive in time")
	}

	return fault.Wrap(err, fault.Invalid, fault.CodeInvalidRequest, "the body ended before its announced length")
}

func (b *bodyReader) inflateFault(err error) error {
	if f, ok := fault.As(err); ok { // there is not enough memory
		return f
	}

	var tooLarge *http.MaxBytesError
	var timeout net.Error
	if errors.As(err, &tooLarge) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return b.readFault(err, b.limits.BodyBytes)
	}

	return fault.Wrap(err, fault.Invalid, fault.CodeInvalidEncoding, "the body is not valid in the encoding that Content-Encoding names")
}
