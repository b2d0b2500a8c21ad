package httpapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func gzipped(t testing.TB, text io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.Copy(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func zstandard(t testing.TB, text io.Reader, options ...zstd.EOption) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, append(options, zstd.WithEncoderConcurrency(1))...)
	require.NoError(t, err)
	_, err = io.Copy(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func zeros(n int) io.Reader { return bytes.NewReader(make([]byte, n)) }

// compressedBomb is 100 MiB of zeros. Streams of both formats may be concatenated, so that
// little has to be compressed.
func compressedBomb(mebibyte string) string { return strings.Repeat(mebibyte, 100) }

func TestEncodings(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	good := newEvent(t, newID())
	text := func() io.Reader { return strings.NewReader(good) }
	large := func() io.Reader { return strings.NewReader(batchOf(strings.Repeat(good+",", 900) + good)) }
	zip := gzipped(t, text())
	flipped := []byte(zip)
	flipped[len(flipped)-6] ^= 1
	for name, c := range map[string]struct {
		encoding, body string
		status         int
		code           string
	}{
		"none":                  {"", good, 201, ""},
		"identity":              {"identity", good, 201, ""},
		"gzip":                  {"gzip", zip, 201, ""},
		"gzip in capitals":      {" GZIP ", zip, 201, ""},
		"gzip of a large batch": {"gzip", gzipped(t, large()), 201, ""},
		"gzip in two members":   {"gzip", gzipped(t, strings.NewReader(good[:9])) + gzipped(t, strings.NewReader(good[9:])), 201, ""},
		"zstd":                  {"zstd", zstandard(t, text()), 201, ""},
		"zstd of a large batch": {"zstd", zstandard(t, large()), 201, ""},
		"gzip truncated":        {"gzip", zip[:len(zip)-4], 400, "invalid_encoding"},
		"gzip header alone":     {"gzip", zip[:10], 400, "invalid_encoding"},
		"gzip altered":          {"gzip", string(flipped), 400, "invalid_encoding"},
		"gzip and garbage":      {"gzip", zip + "garbage behind the end", 400, "invalid_encoding"},
		"gzip of nothing":       {"gzip", gzipped(t, strings.NewReader("")), 400, "invalid_json"},
		"gzip announced":        {"gzip", good, 400, "invalid_encoding"},
		"gzip not announced":    {"", zip, 400, "invalid_json"},
		"gzip twice over":       {"gzip", gzipped(t, strings.NewReader(zip)), 400, "invalid_json"},
		"zstd truncated":        {"zstd", zstandard(t, large())[:40], 400, "invalid_encoding"},
		"zstd and garbage":      {"zstd", zstandard(t, text()) + "garbage", 400, "invalid_encoding"},
		"zstd announced":        {"zstd", good, 400, "invalid_encoding"},
		"zstd, a huge window":   {"zstd", zstandard(t, zeros(17<<20), zstd.WithWindowSize(16<<20)), 400, "invalid_encoding"},
		"gzip bomb":             {"gzip", compressedBomb(gzipped(t, zeros(1<<20))), 413, "body_too_large"},
		"zstd bomb":             {"zstd", compressedBomb(zstandard(t, zeros(1<<20))), 413, "body_too_large"},
		"bomb in a bomb":        {"gzip", gzipped(t, strings.NewReader(compressedBomb(gzipped(t, zeros(1<<20))))), 400, "invalid_json"},
		"one over the limit":    {"gzip", gzipped(t, zeros(10<<20+1)), 413, "body_too_large"},
		"at the limit":          {"gzip", gzipped(t, strings.NewReader(good+strings.Repeat(" ", 10<<20-len(good)))), 201, ""},
		"deflate":               {"deflate", good, 415, "unsupported_encoding"},
		"br":                    {"br", good, 415, "unsupported_encoding"},
		"several":               {"gzip, gzip", gzipped(t, strings.NewReader(zip)), 415, "unsupported_encoding"},
		"x-gzip":                {"x-gzip", zip, 201, ""},
		"X-GZIP":                {"X-GZIP", zip, 201, ""},
		"gzip and identity":     {"identity, gzip", zip, 201, ""},
		"identity twice":        {"identity,, identity", good, 201, ""},
		"gzip and zstd":         {"gzip, zstd", zip, 415, "unsupported_encoding"},
		"many":                  {strings.Repeat("gzip,", 1000), zip, 415, "unsupported_encoding"},
		"a byte order mark":     {"gzip", gzipped(t, strings.NewReader("\ufeff"+good)), 201, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", c.body, "Content-Encoding", c.encoding)
			if c.code == "" {
				require.Equal(t, c.status, answer.Status, "%s", answer.Body)
				return
			}

			problem := requireProblem(t, answer, c.status, c.code)
			mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			if c.status == http.StatusUnsupportedMediaType {
				require.Equal(t, "gzip, zstd", answer.Header.Get("Accept-Encoding"))
			}
		})
	}

	t.Run("in two header lines", func(t *testing.T) {
		t.Parallel()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/events", strings.NewReader(gzipped(t, strings.NewReader(zip))))
		require.NoError(t, err)
		request.Header = http.Header{
			"Authorization": {"Bearer " + s.Ingest}, "Content-Type": {"application/json"}, "Content-Encoding": {"gzip", "gzip"},
		}
		requireProblem(t, roundTrip(t, s, request), http.StatusUnsupportedMediaType, "unsupported_encoding")
	})
}

// roundTrip sends a request that Do cannot make.
func roundTrip(t testing.TB, s *apptest.Service, request *http.Request) *apptest.Answer {
	t.Helper()
	response, err := s.HTTP.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // it was read

	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return &apptest.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for kind, supported := range map[string]bool{
		"application/json":                     true,
		"Application/JSON":                     true,
		"application/json; charset=utf-8":      true,
		`application/json;charset="UTF-8"`:     true,
		"application/x-ndjson; charset=utf-8":  true,
		"application/ndjson":                   true,
		`application/json; charset=utf8`:       true,
		`application/json; Charset="UTF8";`:    true,
		`application/json; charset='utf-8'`:    true,
		"application/json; charset=us-ascii":   true,
		"application/json; charset=ASCII":      true,
		"application/json; charset=iso-8859-1": false,
		"application/json; charset=utf-8-sig":  false,
		"application/json; charset=":           false,
		"application/jsonl":                    true,
		"application/jsonl; charset=US-ASCII":  true,
		"application/x-jsonlines":              true,
		"application/json; charset=latin1":     false,
		"application/json; charset=utf-16":     false,
		"application/json; charset":            false,
		"text/plain":                           false,
		"text/json":                            false,
		"application/x-www-form-urlencoded":    false,
		"multipart/form-data; boundary=x":      false,
		"application/json, application/ndjson": false,
		"application":                          false,
		"*/*":                                  false,
		"":                                     false,
	} {
		for _, path := range []string{"/v1/events", "/v1/validate"} {
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, path, newEvent(t, newID()), "Content-Type", kind)
			if supported {
				require.Less(t, answer.Status, 300, "%s %s: %s", path, kind, answer.Body)
				continue
			}

			problem := requireProblem(t, answer, http.StatusUnsupportedMediaType, "unsupported_media_type")
			if path == "/v1/events" {
				require.Contains(t, mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))["raw"], "session_id")
			}
		}

		if strings.Contains(kind, "ndjson") || strings.Contains(kind, "jsonl") {
			supported = false // a patch is one document
		}

		answer := s.Do(t, http.MethodPatch, "/v1/events/"+newID(), `{}`, "Content-Type", kind)
		if supported {
			requireProblem(t, answer, http.StatusNotFound, "not_found")
		} else {
			requireProblem(t, answer, http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{
		"limits.body_bytes": "4096", "http.read_timeout": "1s", "http.read_header_timeout": "1s", // after which the rest of a body is not awaited
	})
	pad := func(n int) string {
		good := newEvent(t, newID())
		return good + strings.Repeat(" ", n-len(good))
	}
	for _, chunked := range []bool{false, true} {
		for size, status := range map[int]int{4095: 201, 4096: 201, 4097: 413} {
			reader := io.Reader(strings.NewReader(pad(size)))
			if chunked {
				reader = io.MultiReader(reader) // hides the length
			}

			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/events", reader)
			require.NoError(t, err)
			request.Header = http.Header{"Authorization": {"Bearer " + s.Ingest}, "Content-Type": {"application/json"}}
			require.Equal(t, status, roundTrip(t, s, request).Status, "%d bytes, chunked: %t", size, chunked)
		}
	}

	// The response is sent even if the body never ends: only as much is read as needed.
	for name, head := range map[string]string{
		"announced": "Content-Length: 4097\r\n\r\n",
		"sent":      "Content-Length: 4097\r\n\r\n" + strings.Repeat(" ", 4097),
		"in chunks": "Transfer-Encoding: chunked\r\n\r\n1100\r\n" + strings.Repeat(" ", 0x1100) + "\r\n0\r\n\r\n",
		"huge":      "Content-Length: 9223372036854775807\r\n\r\n",
		"chunked":   "Transfer-Encoding: chunked\r\n\r\n2000\r\n" + strings.Repeat(" ", 5000),
		"gzip":      "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n20000\r\n" + compressedBomb(gzipped(t, zeros(1<<20)))[:11_000],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, closed := sendRest(t, s, head)
			problem := requireProblem(t, answer, http.StatusRequestEntityTooLarge, "body_too_large")
			require.True(t, closed)
			kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
			require.Equal(t, "body_too_large", kept["code"])
		})
	}
}

// TestSlowBody sends a body for longer than the budget, which applies to the service.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"http.budget": "1s"})
	sent := newEvent(t, newID())
	reader, writer := io.Pipe()
	slow, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	t.Cleanup(cancel)
	go func() {
		defer writer.Close() //nolint:errcheck // a pipe's does not fail

		_, _ = io.WriteString(writer, sent[:10])
		<-slow.Done()
		_, _ = io.WriteString(writer, sent[10:])
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/events", reader)
	require.NoError(t, err)
	request.Header = http.Header{"Authorization": {"Bearer " + s.Ingest}, "Content-Type": {"application/json"}}
	require.Equal(t, http.StatusCreated, roundTrip(t, s, request).Status)
}

// sendRest sends the rest of a request by hand, and reports whether the connection was closed
// after the response.
func sendRest(t testing.TB, s *apptest.Service, rest string) (answer *apptest.Answer, closed bool) {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // the test is done with it

	_, err = io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: eye\r\nAuthorization: Bearer "+s.Ingest+"\r\nContent-Type: application/json\r\n"+rest)
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // it was read

	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if closed = response.Close; closed {
		_, err = reader.ReadByte()
		closed = err != nil
	}

	return &apptest.Answer{Status: response.StatusCode, Header: response.Header, Body: body}, closed
}

// TestBombsAreNotInflated requires that the reader reads and keeps no more than it may.
func TestBombsAreNotInflated(t *testing.T) {
	t.Parallel()
	limits := event.DefaultRules().Limits
	for encoding, body := range map[string]string{"gzip": compressedBomb(gzipped(t, zeros(1<<20))), "zstd": compressedBomb(zstandard(t, zeros(1<<20)))} {
		wire := strings.NewReader(body)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", wire)
		r.Header.Set("Content-Encoding", encoding)
		kept, err := httpapi.ReadBody(limits, httptest.NewRecorder(), r)
		require.ErrorContains(t, err, "body_too_large")
		require.Len(t, kept, int(limits.InflatedBytes))
		require.LessOrEqual(t, cap(kept), 4*int(limits.InflatedBytes), strconv.Quote(encoding))
		if encoding == "gzip" {
			require.Greater(t, wire.Len(), len(body)*8/10, "most of the bomb was never read")
		}
	}
}

func TestBrokenOffBodies(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{"))
	r.ContentLength = 100
	kept, err := httpapi.ReadBody(event.DefaultRules().Limits, httptest.NewRecorder(), r)
	require.ErrorContains(t, err, "invalid_request")
	require.Equal(t, "{", string(kept))
}

// TestByteOrderMarks requires that the mark that some editors and languages put before their
// UTF-8 is not read as part of a body, whatever the body is for.
func TestByteOrderMarks(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	const mark = "\ufeff"
	session := newID()
	good := newEvent(t, session)
	for body, media := range map[string]string{
		mark + good: "application/json", mark + batchOf(good, good): "application/json", mark + good + "\n" + good: lineType, mark + "\n" + good + "\n": "application/jsonl",
	} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", body, "Content-Type", media)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	}

	path, _ := postStored(t, s, good)
	editEvent(t, s, http.MethodPut, path, mark+good)
	editEvent(t, s, http.MethodPatch, path, mark+`{"name":"x"}`)
	answer := s.Do(t, http.MethodPut, "/v1/event-types/page/view", mark+`{"mode":"observe"}`)
	require.Less(t, answer.Status, 300, "%s", answer.Body)
	batch := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batchOf(good, mark+good))
	require.Equal(t, http.StatusMultiStatus, batch.Status, "a byte order mark stands only at the beginning")
}

// TestTheNilUUIDNamesNothing sends the nil UUID in every place of an id.
func TestTheNilUUIDNamesNothing(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	none := uuid.Nil.String()
	for _, member := range []string{"session_id", "event_id"} {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, newID(), member, none))
		require.Equal(t, []string{"/" + member + " nil_uuid"}, reasons(t, requireProblem(t, answer, http.StatusBadRequest, "invalid_event")))
		path, _ := postStored(t, s, newEvent(t, newID()))
		answer = s.Do(t, http.MethodPatch, path, `{"`+member+`":"`+none+`"}`)
		require.Contains(t, reasons(t, requireProblem(t, answer, http.StatusBadRequest, "invalid_event")), "/"+member+" nil_uuid")
	}

	for _, path := range []string{
		"/v1/events?session_id=", "/v1/errors?session_id=", "/v1/errors/stats?session_id=", "/v1/stats?session_id=", "/v1/events/", "/v1/sessions/", "/v1/errors/",
	} {
		requireProblem(t, s.Do(t, http.MethodGet, path+none, ""), http.StatusBadRequest, "nil_uuid")
	}

	for body, want := range map[string]string{`{"session_id":"` + none + `"}`: "/session_id nil_uuid", `{"ids":["` + none + `"]}`: "/ids/0 nil_uuid"} {
		answer := s.Do(t, http.MethodPost, "/v1/errors/replay", body)
		require.Equal(t, []string{want}, reasons(t, requireProblem(t, answer, http.StatusBadRequest, "invalid_request")))
	}

	requireProblem(t, s.Do(t, http.MethodDelete, "/v1/events/"+none, ""), http.StatusNotFound, "not_found")
	// Earlier releases stored it: it can be erased, and with it the texts that name it.
	erased := s.Do(t, http.MethodDelete, "/v1/sessions/"+none, "").JSON(t)
	require.Equal(t, json.Number("0"), erased["events"])
	require.Equal(t, json.Number("2"), erased["errors"])
}
