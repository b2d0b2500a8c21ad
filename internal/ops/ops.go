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

// Config is what the second port shows, and by which clock.
type Config struct {
	// Startup and Ready are the checks of /startupz and /readyz. /livez has none but
	// that the process answers.
	Startup, Ready []Check
	// Build is shown at /version.
	Build Build
	// Settings are shown at /debug/config; secrets have been taken out of them.
	Settings []Setting
	// Level is what /debug/log-level changes; with nil there is no such path.
	Level *Level
	// Metrics serves /metrics; with nil there is no such path.
	Metrics http.Handler
	// Profiles tells whether Go's profiles are served at /debug/pprof/. They show what
	// is in memory, and taking one slows the service down.
	Profiles bool
	// Now is the clock; its differences must not jump (time.Now's do not).
	Now func() time.Time
}

// Build tells which program runs.
type Build struct {
	Version string `json:"version"`
	// Revision is the commit it was built from, if that is known.
	Revision  string `json:"revision,omitempty"`
	GoVersion string `json:"goversion"`
}

// Setting is one setting as it stands, and where it came from.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Port is the handler of the second port. It is safe for concurrent use.
type Port struct {
	mux   *http.ServeMux
	ready *probe
}

// New makes the handler of the second port.
func New(config Config) *Port {
	p := &Port{mux: http.NewServeMux(), ready: newProbe("readyz", config.Ready, config.Now)}
	alive := []Check{{Name: "process", Required: true, Run: func(context.Context) error { return nil }}}
	index := &index{}
	for _, probe := range []struct {
		*probe
		about string
	}{
		{newProbe("livez", alive, config.Now), "the process answers; looks at nothing else"},
		{newProbe("startupz", config.Startup, config.Now), "the service has started, once"},
		{p.ready, "requests are welcome; ?verbose, ?exclude=CHECK, /readyz/CHECK"},
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
	index.addPath("/version", "which program runs")
	p.mux.HandleFunc("GET /debug/config", serveDocument(struct {
		Settings []Setting `json:"settings"`
	}{config.Settings}))
	index.addPath("/debug/config", "the settings as they stand and where each comes from, without secrets")
	if config.Level != nil {
		p.mux.HandleFunc("GET /debug/log-level", config.Level.serveGet)
		p.mux.HandleFunc("PUT /debug/log-level", config.Level.servePut)
		p.mux.HandleFunc("DELETE /debug/log-level", config.Level.serveDelete)
		index.addPath("/debug/log-level", `the level of the log; PUT {"level":"debug","for":"10m"} changes it for a while, DELETE changes it back`)
	}

	if config.Profiles {
		for path, serve := range map[string]http.HandlerFunc{
			"": pprof.Index, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
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

// IsReady tells what /readyz answers as far as that is known, for a metric: a scrape must
// not wait for a database that hangs. What is only reported is not looked at.
func (p *Port) IsReady(ctx context.Context) bool {
	for _, check := range p.ready.checks {
		if check.Required && check.lastResult(ctx) != nil {
			return false
		}
	}

	return true
}

// The bounds of the server. Probes send a line; what takes long is a profile, which
// net/http/pprof refuses when it would take longer than the answer may.
const (
	readHeaderTimeout = 2 * time.Second
	readTimeout       = 5 * time.Second
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 8 << 10
)

// NewServer makes the server of the second port. What net/http has to complain about
// goes to logger.
func NewServer(handler http.Handler, logger *zap.Logger) *http.Server {
	errorLog, err := zap.NewStdLogAt(logger, zap.WarnLevel)
	if err != nil { // the level is a constant
		errorLog = zap.NewStdLog(logger)
	}

	return &http.Server{
		Handler: handler, ErrorLog: errorLog, MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
}

// index is the list of what there is.
type index struct{ lines strings.Builder }

func (i *index) addPath(path, about string) { fmt.Fprintf(&i.lines, "%-18s %s\n", path, about) }

func (i *index) serveIndex(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, i.lines.String())
}

// serveDocument serves what never changes.
func serveDocument(content any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, content) }
}

func writeJSON(w http.ResponseWriter, status int, content any) {
	body, err := json.MarshalIndent(content, "", "  ")
	if err != nil { // all of it is plain structs of ours
		status, body = http.StatusInternalServerError, []byte("{}")
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // whoever asked is gone
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) //nolint:gosec // plain text, and whoever asked may be gone
}
