package httpapi

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requests are well-formed, and end where the next one begins.
func requests() []string {
	return []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{\n}\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\ncontent-length:\t0 \r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n0a \r\n 123456789\r\n0\r\nX-T: v\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING:chunked\r\n\r\n0\r\n\r\n",
		"DELETE / HTTP/1.0\r\nX-Content-Length: 5\r\nContent-Length-X: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 19\r\n\r\nGET / HTTP/1.1\n\n\n\n\n",
	}
}

// Well-formed requests pass, wherever they are cut into parts.
func TestGoodRequestsPass(t *testing.T) {
	t.Parallel()
	stream := strings.Join(requests(), "") + "\r\n" + strings.Join(requests(), "")
	for size := 1; size < 200; size++ {
		var f framing
		for rest := []byte(stream); len(rest) > 0; {
			n := min(size, len(rest))
			pass, wrong := f.scan(rest[:n])
			require.Empty(t, wrong)
			require.Equal(t, n, pass)
			rest = rest[n:]
		}

		require.Equal(t, inHead, f.part)
		require.Empty(t, f.line)
	}
}

// Requests that proxies and servers read differently are found, wherever they are cut into
// parts, also after well-formed requests.
func TestAmbiguousRequestsAreFound(t *testing.T) {
	t.Parallel()
	const post = "POST / HTTP/1.1\r\nHost: a\r\n"
	for request, want := range map[string]string{
		post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":          "together",
		post + "transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n":          "together",
		post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc":                         "Content-Length is sent twice",
		post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "Transfer-Encoding is sent twice",
		post + "Content-Length: +3\r\n\r\nabc":                                             "is not a number",
		post + "Content-Length: 3, 3\r\n\r\nabc":                                           "is not a number",
		post + "Content-Length:\r\n\r\n":                                                   "is not a number",
		post + "X-A: b\r\n c\r\n\r\n":                                                      "folded",
		post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n":                           "folded",
		"POST / HTTP/1.1\r\n\tHost: a\r\n\r\n":                                             "folded",
		post + "X-A: b\nX-C: d\r\n\r\n":                                                    "line feed alone",
		post + "X-A: b\r\n\n":                                                              "line feed alone",
		"GET / HTTP/1.1\nHost: a\r\n\r\n":                                                  "line feed alone",
		"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n":                                              "line feed alone",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                   "not allowed in HTTP/1.0",
		post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n":                   "size of a chunk",
		post + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n":                       "line feed alone",
		post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n":                         "line feed alone",
		post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n":                 "folded",
	} {
		for _, before := range append(requests(), "") {
			for size := 1; size < len(before)+len(request); size += 3 {
				var f framing
				var passed []byte
				found := ""
				for rest := []byte(before + request); len(rest) > 0 && found == ""; {
					n := min(size, len(rest))
					pass, wrong := f.scan(rest[:n])
					passed, found = append(passed, rest[:pass]...), wrong
					rest = rest[n:]
				}

				require.Contains(t, found, want, "%q", request)
				require.True(t, bytes.HasPrefix(passed, []byte(before)), "%q", request)
				require.Less(t, len(passed), len(before)+len(request))
			}
		}
	}
}

// FuzzFraming requires that net/http reads the same requests from the bytes that pass: where it
// finds the end of one, the next head begins for both.
func FuzzFraming(f *testing.F) {
	f.Add([]byte(strings.Join(requests(), "")))
	for _, request := range requests() {
		f.Add([]byte(request + "G"))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		var fr framing
		if _, wrong := fr.scan(text); wrong != "" {
			t.Skip("refused")
		}

		reader := bufio.NewReader(bytes.NewReader(text))
		var again framing
		for {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return // net/http closes the connection
			}

			if _, err = io.Copy(io.Discard, request.Body); err != nil {
				return
			}

			rest, _ := io.ReadAll(reader)
			read := text[:len(text)-len(rest)]
			pass, wrong := again.scan(read)
			require.Empty(t, wrong)
			require.Equal(t, len(read), pass)
			require.Equal(t, inHead, again.part, "%q", read)
			require.False(t, again.started, "%q", read)
			text, reader, again = rest, bufio.NewReader(bytes.NewReader(rest)), framing{}
		}
	})
}

func BenchmarkFraming(b *testing.B) {
	request := []byte("POST /v1/events HTTP/1.1\r\nHost: eye.example\r\nUser-Agent: shop/1.0\r\nContent-Length: 200\r\nAccept: */*\r\nAuthorization: Bearer eye_0123456789_0123456789012345678901234567890123456789\r\n" +
		"Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n" + strings.Repeat("x", 200))
	var f framing
	b.ReportAllocs()
	for b.Loop() {
		if _, wrong := f.scan(request); wrong != "" {
			b.Fatal(wrong)
		}
	}
}
