package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Config holds the content and the clock of the ops port.
type Config struct {
	// Startup and Ready are the checks of /startupz and /readyz. /livez checks only that
	// the process answers.
	Startup, Ready []Check
	// Build is shown at /version.
	Build Build
	// Settings are shown at /debug/config; they have no secrets.
	Settings []Setting
	// Level is changed by /debug/log-level; with nil there is no such path.
	Level *Level
	// Metrics serves /metrics; with nil there is no such path.
	Metrics http.Handler
	// Profiles turns on Go's profiles at /debug/pprof/. They show the content of the
	// memory, and taking one slows the service down.
	Profiles bool
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
}

// Build describes the running program.
type Build struct {
	Version string `json:"version"`
	// Revision is the commit of the build, if known.
	Revision  string `json:"revision,omitempty"`
	GoVersion string `json:"goversion"`
}

// Setting is the value of one setting, and its source.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Port is the handler of the ops port. It is safe for concurrent use.
type Port struct {
	mux   *http.ServeMux
	ready *probe
}

// New makes the handler of the ops port.
func New(config Config) *Port {
	p := &Port{mux: http.NewServeMux(), ready: newProbe("readyz", config.Ready, config.Now)}
	alive := []Check{{Name: "process", Required: true, Run: func(context.Context) error { return nil }}}
	index := &index{}
	for _, probe := range []struct {
		*probe
		about string
	}{
		{newProbe("livez", alive, config.Now), "the process answers; checks nothing else"},
		{newProbe("startupz", config.Startup, config.Now), "the service has started, once"},
		{p.ready, "the service accepts requests; ?verbose, ?exclude=CHECK, /readyz/CHECK"},
	} {
		p.mux.HandleFunc("GET /"+probe.name, probe.serveAll)
		p.mux.HandleFunc("GET /"+probe.name+"/{check}", probe.serveOne)
		index.addPath("/"+probe.name, probe.about)
	}

	if config.Metrics != nil {
		p.mux.Handle("GET /metrics", config.Metrics)
		index.addPath("/metrics", "metrics, for Prometheus")
	}

	p.mux.HandleFunc("GET /version", serveDocument(config.Build))
	index.addPath("/version", "version of the running program")
	p.mux.HandleFunc("GET /debug/config", serveDocument(struct {
		Settings []Setting `json:"settings"`
	}{config.Settings}))
	index.addPath("/debug/config", "the settings in force and the source of each, without secrets")
	if config.Level != nil {
		p.mux.HandleFunc("GET /debug/log-level", config.Level.serveGet)
		p.mux.HandleFunc("PUT /debug/log-level", config.Level.servePut)
		p.mux.HandleFunc("DELETE /debug/log-level", config.Level.serveDelete)
		index.addPath("/debug/log-level", `the log level; PUT {"level":"debug","for":"10m"} changes it for a while, DELETE reverts it`)
	}

	if config.Profiles {
		for path, serve := range map[string]http.HandlerFunc{
			"":        pprof.Index,
			"profile": pprof.Profile,
			"symbol":  pprof.Symbol,
			"trace":   pprof.Trace,
		} {
			p.mux.HandleFunc("GET /debug/pprof/"+path, serve)
		}

		index.addPath("/debug/pprof/", "Go's profiles")
	}

	p.mux.HandleFunc("GET /{$}", index.serveIndex)
	return p
}

// ServeHTTP answers one request.
func (p *Port) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	p.mux.ServeHTTP(w, r)
}

// IsReady returns the answer of /readyz as far as it is known, for a metric: a scrape must
// not wait for a database that hangs. Checks that are only reported do not count.
func (p *Port) IsReady(ctx context.Context) bool {
	for _, check := range p.ready.checks {
		if check.Required && check.lastResult(ctx) != nil {
			return false
		}
	}

	return true
}

// The limits of the server. A probe is one line. Only a profile takes long; net/http/pprof
// rejects a profile that would take longer than writeTimeout.
const (
	readHeaderTimeout = 2 * time.Second
	readTimeout       = 5 * time.Second
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 8 << 10
)

// NewServer returns the server of the ops port. Errors of net/http are logged to logger.
func NewServer(handler http.Handler, logger *zap.Logger) *http.Server {
	errorLog, err := zap.NewStdLogAt(logger, zap.WarnLevel)
	if err != nil { // the level is a constant
		errorLog = zap.NewStdLog(logger)
	}

	return &http.Server{
		Handler:           handler,
		ErrorLog:          errorLog,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
	}
}

// index lists the paths of the port.
type index struct{ lines strings.Builder }

func (i *index) addPath(path, about string) { fmt.Fprintf(&i.lines, "%-18s %s\n", path, about) }

func (i *index) serveIndex(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, i.lines.String())
}

// serveDocument serves a document that never changes.
func serveDocument(content any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, content) }
}

func writeJSON(w http.ResponseWriter, status int, content any) {
	body, err := json.MarshalIndent(content, "", "  ")
	if err != nil { // cannot happen: the content is a plain struct
		status = http.StatusInternalServerError
		body = []byte("{}")
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) //nolint:gosec // plain text, and the client may be gone
}
