package httpapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

func TestWelcomeForBrowsers(t *testing.T) {
	t.Parallel()
	client := apptest.Start(t, nil).WithKey("")
	answer := client.Do(t, http.MethodGet, "/", "", "Accept", browserAccept)
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, "text/html; charset=utf-8", answer.Header.Get("Content-Type"))
	require.Equal(t, "Accept", answer.Header.Get("Vary"))
	page := string(answer.Body)
	require.Contains(t, page, `href="/v1/openapi.json"`)
	require.Contains(t, page, `curl -sS "$THEEYE_URL/v1/events"`)

	// Nothing is loaded, nothing runs, and only this style applies.
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	require.Len(t, style, 2)
	digest := sha256.Sum256([]byte(style[1]))
	require.Equal(t, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", answer.Header.Get("Content-Security-Policy"))
	require.NotRegexp(t, `(?i)<script|<img|<link|\bon[a-z]+=|\bsrc=|style=|url\(`, page)

	head := client.Do(t, http.MethodHead, "/", "", "Accept", browserAccept)
	require.Equal(t, http.StatusOK, head.Status)
	require.Empty(t, head.Body)
	require.Equal(t, answer.Header.Get("Content-Length"), head.Header.Get("Content-Length"))
}

// The page shows an event that can be sent unchanged.
func TestWelcomeShowsAnEventThatIsStored(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	page := string(s.Do(t, http.MethodGet, "/", "", "Accept", browserAccept).Body)
	_, rest, found := strings.Cut(page, "-d '")
	require.True(t, found)
	document, _, found := strings.Cut(rest, "'</code>")
	require.True(t, found)
	mustPost(t, s.WithKey(s.Ingest), document)
}

func TestNoWelcomeForPrograms(t *testing.T) {
	t.Parallel()
	client := apptest.Start(t, nil).WithKey("")
	for _, accept := range []string{"*/*", "application/json", "text/*", "text/html;q=0, */*", "text/html;q=x", "text/htmlx", ""} {
		requireProblem(t, client.Do(t, http.MethodGet, "/", "", "Accept", accept), http.StatusNotFound, "not_found")
	}

	requireProblem(t, client.Do(t, http.MethodPost, "/", "{}", "Accept", browserAccept), http.StatusNotFound, "not_found")
	requireProblem(t, client.Do(t, http.MethodGet, "/index.html", "", "Accept", browserAccept), http.StatusNotFound, "not_found")
	requireProblem(t, client.Do(t, http.MethodGet, "//", "", "Accept", browserAccept), http.StatusNotFound, "not_found")
}
