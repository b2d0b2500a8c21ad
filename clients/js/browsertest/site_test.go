//go:build browser

package browsertest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// sdkFolder is where make sdk writes the SDK. EYE_SDK names another one, so that a broken SDK can be
// shown to be found.
func sdkFolder() string {
	if other := os.Getenv("EYE_SDK"); other != "" { //nolint:forbidigo // of the test alone
		return other
	}

	return filepath.Join("..", "dist")
}

// site serves pages that use the SDK, under as many origins as a test wants: every name below
// localhost leads to it. It also keeps notes, which pages leave when no driver may touch them. It
// is safe for concurrent use.
type site struct {
	*httptest.Server

	mu    sync.Mutex
	notes map[string][]string
}

// startSite starts a site until the test ends.
func startSite(t testing.TB) *site {
	t.Helper()
	require.FileExists(t, filepath.Join(sdkFolder(), "index.js"), "the SDK was not built: run make sdk")

	s := &site{notes: map[string][]string{}}
	routes := http.NewServeMux()
	routes.Handle("GET /sdk/", http.StripPrefix("/sdk/", http.FileServer(http.Dir(sdkFolder()))))
	routes.HandleFunc("POST /notes/{about}", s.takeNote)
	routes.HandleFunc("GET /notes/{about}", s.listNotes)
	routes.HandleFunc("GET /strict/{page}", servePageStrictly)
	routes.HandleFunc("GET /timed/{page}", servePageInTrace)
	routes.Handle("GET /", http.FileServer(http.Dir("site")))
	s.Server = httptest.NewServer(routes)
	t.Cleanup(s.Close)

	return s
}

// origin returns the origin of the site under a name.
func (s *site) origin(name string) string {
	return strings.Replace(s.URL, "127.0.0.1", name, 1)
}

// origins returns every origin that may send events.
func (s *site) origins() []string {
	return []string{s.origin("site.localhost"), s.origin("other.localhost"), s.origin("plain.test")}
}

func (s *site) takeNote(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the page is gone
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	about := r.PathValue("about")
	s.notes[about] = append(s.notes[about], string(text))
	w.WriteHeader(http.StatusNoContent)
}

func (s *site) listNotes(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	notes := slices.Clone(s.notes[r.PathValue("about")])
	s.mu.Unlock()

	io.WriteString(w, strings.Join(notes, "\n")) //nolint:errcheck // the driver is gone
}

// servePageStrictly serves a page that may run the scripts of its origin, and connect to the service
// alone.
func servePageStrictly(w http.ResponseWriter, r *http.Request) {
	eye := r.URL.Query().Get("eye")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' "+eye+"; connect-src "+eye)
	http.ServeFile(w, r, filepath.Join("site", filepath.Base(r.PathValue("page"))))
}

// pageTrace is the trace of the pages that are in one; traced.html has it, too.
const pageTrace = "0af7651916cd43dd8448eb211c80319c"

// servePageInTrace serves a page with the trace of its request.
func servePageInTrace(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server-Timing", `traceparent;desc="00-`+pageTrace+`-b7ad6b7169203331-01"`)
	http.ServeFile(w, r, filepath.Join("site", filepath.Base(r.PathValue("page"))))
}
