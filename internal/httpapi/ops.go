package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"
)

// Check is one part of readiness.
type Check struct {
	Name string
	// Run returns what is wrong, or nil.
	Run func(ctx context.Context) error
	// Required tells that the service is not ready while the check fails. What is
	// not required is reported: taking every replica out because the database is away
	// would turn our clear answers into a proxy's.
	Required bool
}

// checkTimeout bounds one check.
const checkTimeout = time.Second

// NewOps makes the handler of the second port, which is for the platform and
// never exposed: /livez, which looks at nothing but the process, /readyz, and, where
// profiles are asked for, /debug/pprof/.
func NewOps(checks []Check, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		results, ready := runChecks(r.Context(), checks)
		status, word := http.StatusOK, "ok\n"
		if !ready {
			status, word = http.StatusServiceUnavailable, "not ready\n"
		}
		if !r.URL.Query().Has("verbose") {
			writeText(w, status, word)
			return
		}
		body, err := json.MarshalIndent(readiness{Ready: ready, Checks: results}, "", "  ")
		if err != nil {
			status = http.StatusInternalServerError
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(body, '\n')) // whoever asked is gone
	})
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// readiness is what /readyz?verbose tells.
type readiness struct {
	Ready  bool          `json:"ready"`
	Checks []checkResult `json:"checks"`
}

type checkResult struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Detail   string `json:"detail,omitempty"`
}

func runChecks(ctx context.Context, checks []Check) (results []checkResult, ready bool) {
	ready = true
	for _, check := range checks {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		err := check.Run(ctx)
		cancel()
		result := checkResult{Name: check.Name, OK: err == nil, Required: check.Required}
		if err != nil {
			result.Detail = err.Error()
			ready = ready && !check.Required
		}
		results = append(results, result)
	}
	return results, ready
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // whoever asked is gone
}
