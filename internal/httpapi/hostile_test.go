package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for _, id := range []string{"a", "0190163d-8694-739b-aea5-966c26f8ad91", "A.b_c:d/e+f=", strings.Repeat("x", 128)} {
		answer := s.Do(t, http.MethodGet, "/v1/events/x", "", "X-Request-Id", id)
		require.Equal(t, id, requireProblem(t, answer, http.StatusNotFound, "not_found")["request_id"])
		require.Equal(t, id, s.Do(t, http.MethodGet, "/v1/limits", "", "X-Request-Id", id).Header.Get("X-Request-Id"))
	}

	for _, id := range []string{"", " ", "a b", strings.Repeat("x", 129), `"}`, "é", "\xff", "a\tb", "<script>", "%0a", "a;b", "\x1b[31m"} {
		answer, err := s.Try(t.Context(), http.MethodGet, "/v1/events/x", nil, "X-Request-Id", id)
		if err != nil || answer.Status == http.StatusBadRequest {
			continue // no header that can be sent, or received
		}

		made := at[string](t, requireProblem(t, answer, http.StatusNotFound, "not_found"), "request_id")
		require.Equal(t, uuid.Version(7), uuid.MustParse(made).Version(), "%q", id)
	}

	require.Equal(t, "nosniff", s.Do(t, http.MethodGet, "/v1/limits", "").Header.Get("X-Content-Type-Options"))
}

// TestHostileText puts hostile text into every place of every route: it may be rejected, and
// must never be an error of the service.
func TestHostileText(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	hostile := []string{
		"\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "'; drop table event; --", "' or '1'='1", "1) or 1=1 --", "$1", "%s%n", `\`, `"`, "{}", "../../etc/passwd",
		strings.Repeat("x", 10_000), "\u202e", "\u2028", "\r\nSet-Cookie: a=b", "9223372036854775808", "-1", "NaN", "1e400", "infinity", "-infinity", "now", "epoch",
		"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0190163d-8694-739b-aea5-966c26f8ad9g", "0001-01-01", "9999-12-31T23:59:59.999999Z", "*", "null",
	}
	for _, route := range httpapi.Routes() {
		t.Run(route.Method+" "+route.Paths[0], func(t *testing.T) {
			t.Parallel()
			sane := strings.NewReplacer(":id", newID(), ":name", "shop").Replace(route.Paths[0])
			for _, text := range hostile {
				path := strings.NewReplacer(":id", url.PathEscape(text), ":name", url.PathEscape(text)).Replace(route.Paths[0])
				paths := []string{path}
				for _, name := range append([]string{"cursor", text}, route.Query...) {
					paths = append(paths, sane+"?"+url.QueryEscape(name)+"="+url.QueryEscape(text))
				}

				for _, path := range paths {
					answer := s.Do(t, route.Method, path, body(route.Method))
					require.Less(t, answer.Status, 500, "%.200s: %s", path, answer.Body)
					require.Empty(t, answer.Header.Get("Set-Cookie"))
					if answer.Status >= 400 {
						code := at[string](t, answer.JSON(t), "code")
						requireProblem(t, answer, answer.Status, code)
						require.Less(t, len(answer.Body), 4096, "the sent text is not sent back at length")
					}
				}
			}
		})
	}
}

// TestSmuggling sends requests that a proxy and a server might read in two ways.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	const key = "Authorization: Bearer x\r\n"
	for name, request := range map[string]string{
		"a folded encoding":    "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		"chunks and length":    "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"a length twice":       "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"chunks in HTTP/1.0":   "POST /v1/events HTTP/1.0\r\nHost: a\r\n" + key + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"line feeds alone":     "GET /v1/limits HTTP/1.1\nHost: a\n\n",
		"a line feed alone":    "GET /v1/limits HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
		"an expectation":       "GET /v1/limits HTTP/1.1\r\nHost: a\r\nExpect: the moon\r\n\r\n",
		"another version":      "GET /v1/limits HTTP/3.0\r\nHost: a\r\n\r\n",
		"length and chunks":    "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":          "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  ",
		"a negative length":    "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Content-Length: -1\r\n\r\n{}",
		"two hosts":            "GET /v1/limits HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"no host":              "GET /v1/limits HTTP/1.1\r\n\r\n",
		"a folded header":      "GET /v1/limits HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n: d\r\n\r\n",
		"space before a colon": "GET /v1/limits HTTP/1.1\r\nHost : a\r\n\r\n",
		"another encoding":     "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + key + "Transfer-Encoding: gzip\r\n\r\n{}",
		"headers too large":    "GET /v1/limits HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"headers too many":     "GET /v1/limits HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-A: b\r\n", 8<<10) + "\r\n",
		"no HTTP":              "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
			require.NoError(t, err)
			defer conn.Close() //nolint:errcheck // the test is done with it

			_, err = io.WriteString(conn, request)
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer response.Body.Close() //nolint:errcheck // it was read

			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.True(t, response.Close)
			problem := (&apptest.Answer{Body: text}).JSON(t)
			requireProblem(t, &apptest.Answer{Status: response.StatusCode, Header: response.Header, Body: text}, expectedRejection(name), at[string](t, problem, "code"))
			require.NotEmpty(t, response.Header.Get("Date"))
			require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
			_, err = conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF, "the connection is closed, and in order")
		})
	}
}

// expectedRejection is the status for a request of TestSmuggling.
func expectedRejection(name string) int {
	switch name {
	case "another encoding":
		return http.StatusNotImplemented
	case "an expectation":
		return http.StatusExpectationFailed
	case "another version":
		return http.StatusHTTPVersionNotSupported
	case "headers too large", "headers too many":
		return http.StatusRequestHeaderFieldsTooLarge
	}

	return http.StatusBadRequest
}

// A request that is rejected below the handlers is rejected in its turn: earlier requests on the
// same connection get their responses, in their order, and later ones get none.
func TestRefusalsComeInTheirTurn(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for range 20 {
		event := newEvent(t, newID())
		good := fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.Ingest, len(event), event)
		chunked := fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", s.Ingest, len(event), event)
		bad := "GET /v1/limits HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
		conn := dial(t, s)
		_, err := io.WriteString(conn, good+chunked+bad+good)
		require.NoError(t, err)
		var statuses []int
		for reader := bufio.NewReader(conn); ; {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				break
			}

			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			statuses = append(statuses, response.StatusCode)
		}

		require.Equal(t, []int{201, 201, 400}, statuses)
	}

	require.InDelta(t, 20, s.Scrape(t).SumSeries("theeye_http_problems_total", "code", "invalid_header"), 0)
}

func TestProblems(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	// One of each status that a client can cause: requireProblem checks the rest.
	path, _ := postStored(t, s, newEvent(t, newID()))
	for _, c := range []struct {
		answer *apptest.Answer
		status int
		code   string
	}{
		{s.Do(t, http.MethodPost, "/v1/events", `{}`), 400, "invalid_event"},
		{s.WithKey("").Do(t, http.MethodPost, "/v1/events", `{}`), 401, "unauthorized"},
		{s.WithKey(s.Read).Do(t, http.MethodPost, "/v1/events", `{}`), 403, "forbidden"},
		{s.Do(t, http.MethodGet, "/nothing", ""), 404, "not_found"},
		{s.Do(t, http.MethodPut, "/v1/events", ""), 405, "method_not_allowed"},
		{s.Do(t, http.MethodGet, "/v1/events", "", "Accept", "image/png"), 406, "not_acceptable"},
		{s.Do(t, http.MethodPost, "/v1/applications", `{"name":"shop"}`), 409, "already_exists"},
		{s.Do(t, http.MethodDelete, path, "", "If-Match", `"x"`), 412, "precondition_failed"},
		{s.Do(t, http.MethodPost, "/v1/events", strings.Repeat(" ", 1<<20+1)), 413, "body_too_large"},
		{s.Do(t, http.MethodPost, "/v1/events", `x`, "Content-Type", "text/plain"), 415, "unsupported_media_type"},
	} {
		problem := requireProblem(t, c.answer, c.status, c.code)
		for member := range problem {
			require.Contains(t, []string{"type", "title", "status", "code", "detail", "errors", "request_id", "trace_id", "error_id"}, member)
		}
	}
}
