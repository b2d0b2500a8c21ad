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

	"github.com/klauspost/compress/zstd"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// mediaType is how a body is to be read.
type mediaType int

const (
	jsonBody mediaType = iota
	ndjsonBody
)

// zstdWindow bounds what a zstd stream may ask us to keep.
const zstdWindow = 8 << 20

// bodyReader reads bodies within the limits.
type bodyReader struct {
	limits event.Limits
}

// mediaTypeOf reads Content-Type.
func mediaTypeOf(header string) (mediaType, error) {
	if header == "application/json" {
		return jsonBody, nil
	}
	switch kind, _ := utf8MediaType(header); kind {
	case "application/json":
		return jsonBody, nil
	case "application/x-ndjson", "application/ndjson":
		return ndjsonBody, nil
	}
	return 0, fault.New(fault.Unsupported, fault.CodeUnsupportedMediaType,
		"send Content-Type application/json (an event or an array) or application/x-ndjson (an event a line), in UTF-8")
}

// utf8MediaType reads a media type whose charset, if it names one, is UTF-8.
func utf8MediaType(header string) (kind string, ok bool) {
	kind, parameters, err := mime.ParseMediaType(header)
	charset, named := parameters["charset"]
	if err != nil || (named && !strings.EqualFold(charset, "utf-8")) {
		return "", false
	}
	return kind, true
}

// read reads the body. With a fault it returns the beginning of what was read, so
// that it can be kept. No more is read than is needed to know that it is too large.
func (b *bodyReader) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := b.readWithin(w, r)
	if f, ok := fault.As(err); ok && f.Kind == fault.TooLarge {
		w.Header().Set("Connection", "close") // or the rest would be read after all
	}
	return body, err
}

func (b *bodyReader) readWithin(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := b.limits.BodyBytes
	if r.ContentLength > limit {
		return nil, b.tooLarge(limit)
	}
	wire := http.MaxBytesReader(w, r.Body, limit)
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))); encoding {
	case "", "identity":
		body, err := readSized(wire, r.ContentLength)
		return body, b.readFault(err, limit)
	case "gzip", "zstd":
		return b.inflate(wire, encoding)
	default:
		w.Header().Set("Accept-Encoding", "gzip, zstd")
		return nil, fault.New(fault.Unsupported, fault.CodeUnsupportedEncoding, "the body's Content-Encoding is not understood; send gzip, zstd or none")
	}
}

// readSized reads into one allocation when the length is known.
func readSized(from io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		body, err := io.ReadAll(from)
		if err != nil {
			err = fmt.Errorf("read a body: %w", err)
		}
		return body, err
	}
	body := make([]byte, length)
	n, err := io.ReadFull(from, body)
	if errors.Is(err, io.EOF) && length == 0 {
		err = nil
	}
	return body[:n], err
}

// inflate decompresses within the limit of the inflated size.
func (b *bodyReader) inflate(wire io.Reader, encoding string) ([]byte, error) {
	limit := b.limits.InflatedBytes
	inflater, err := newInflater(wire, encoding)
	if err != nil {
		return nil, b.inflateFault(err)
	}
	defer inflater.Close() //nolint:errcheck // everything of interest was read
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(inflater, limit+1))
	if err != nil {
		return body.Bytes(), b.inflateFault(err)
	}
	if n > limit {
		return body.Bytes()[:limit], b.tooLarge(limit)
	}
	return body.Bytes(), nil
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

func (b *bodyReader) tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, fault.CodeBodyTooLarge, fmt.Sprintf("the body has more than %d bytes; send fewer events a request", limit))
}

// readFault says what is wrong with a body that could not be read.
func (b *bodyReader) readFault(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return b.tooLarge(limit)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fault.Wrap(err, fault.SlowRequest, fault.CodeRequestTimeout, "the body did not arrive in time")
	}
	return fault.Wrap(err, fault.Invalid, fault.CodeInvalidRequest, "the body ended before its announced length")
}

func (b *bodyReader) inflateFault(err error) error {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	if errors.As(err, &tooLarge) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return b.readFault(err, b.limits.BodyBytes)
	}
	return fault.Wrap(err, fault.Invalid, fault.CodeInvalidEncoding, "the body is not valid in the encoding that Content-Encoding names")
}
