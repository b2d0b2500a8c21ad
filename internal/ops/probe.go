package ops

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// probe is a probe of the platform: several checks, and one answer.
type probe struct {
	name   string
	checks []*checker
}

func newProbe(name string, checks []Check, now func() time.Time) *probe {
	p := &probe{name: name}
	for _, check := range checks {
		p.checks = append(p.checks, newChecker(check, now))
	}

	return p
}

// report is the result of a probe.
type report struct {
	Probe  string        `json:"probe"`
	Ready  bool          `json:"ready"`
	Checks []checkReport `json:"checks"`
	// Unknown are the excluded names that no check has.
	Unknown []string `json:"unknown_excludes,omitempty"`
}

type checkReport struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Excluded bool   `json:"excluded,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// runChecks runs all checks that are not excluded, at the same time, so it takes as long as
// the slowest one.
func (p *probe) runChecks(ctx context.Context, exclude []string) report {
	r := report{Probe: p.name, Ready: true, Checks: make([]checkReport, len(p.checks)), Unknown: p.unknownChecks(exclude)}
	answers := make([]chan error, len(p.checks))
	for i, check := range p.checks {
		answers[i] = make(chan error, 1)
		if slices.Contains(exclude, check.Name) {
			continue
		}

		go func() { answers[i] <- check.awaitResult(ctx) }()
	}

	for i, check := range p.checks {
		r.Checks[i] = checkReport{Name: check.Name, OK: true, Required: check.Required}
		if slices.Contains(exclude, check.Name) {
			r.Checks[i].Excluded = true
			continue
		}

		if err := <-answers[i]; err != nil {
			r.Checks[i].OK = false
			r.Checks[i].Detail = err.Error()
			r.Ready = r.Ready && !check.Required
		}
	}

	return r
}

// unknownChecks returns the names that no check has. They come from an untrusted client, so
// their number is bounded, and a text that does not look like a name is not repeated.
func (p *probe) unknownChecks(exclude []string) []string {
	const most, longest = 8, 40
	var unknown []string
	for _, name := range exclude {
		if len(unknown) == most {
			break
		}

		if slices.ContainsFunc(p.checks, func(c *checker) bool { return c.Name == name }) {
			continue
		}

		if name == "" || len(name) > longest || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			name = "(not a valid name)"
		}

		unknown = append(unknown, name)
	}

	return unknown
}

// serveAll answers with all checks.
func (p *probe) serveAll(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p.writeReport(w, r, p.runChecks(r.Context(), query["exclude"]), query.Has("verbose"))
}

// serveOne answers with a single check, required or not.
func (p *probe) serveOne(w http.ResponseWriter, r *http.Request) {
	at := slices.IndexFunc(p.checks, func(c *checker) bool { return c.Name == r.PathValue("check") })
	if at < 0 {
		writeText(w, http.StatusNotFound, fmt.Sprintf("there is no such check; /%s?verbose lists them\n", p.name))
		return
	}

	one := &probe{name: p.name, checks: p.checks[at : at+1]}
	found := one.runChecks(r.Context(), nil)
	found.Ready = found.Checks[0].OK
	p.writeReport(w, r, found, r.URL.Query().Has("verbose"))
}

func (p *probe) writeReport(w http.ResponseWriter, r *http.Request, found report, verbose bool) {
	status := http.StatusOK
	if !found.Ready {
		status = http.StatusServiceUnavailable
	}

	w.Header().Set("Vary", "Accept")
	if acceptsJSON(r) {
		writeJSON(w, status, found)
		return
	}

	writeText(w, status, found.renderText(verbose))
}

// renderText renders the report like the Kubernetes API server. A failed report always has
// every line, because its reader needs them.
func (r *report) renderText(verbose bool) string {
	var b strings.Builder
	if verbose || !r.Ready {
		for _, check := range r.Checks {
			switch {
			case check.Excluded:
				fmt.Fprintf(&b, "[+]%s excluded: ok\n", check.Name)
			case check.OK:
				fmt.Fprintf(&b, "[+]%s ok\n", check.Name)
			case check.Required:
				fmt.Fprintf(&b, "[-]%s failed: %s\n", check.Name, check.Detail)
			default:
				fmt.Fprintf(&b, "[-]%s failed: %s (reported only)\n", check.Name, check.Detail)
			}
		}
	}

	for _, name := range r.Unknown {
		fmt.Fprintf(&b, "warning: no check to exclude has the name %s\n", name)
	}

	switch {
	case !r.Ready:
		fmt.Fprintf(&b, "%s check failed\n", r.Probe)
	case verbose:
		fmt.Fprintf(&b, "%s check passed\n", r.Probe)
	default:
		b.WriteString("ok\n")
	}

	return b.String()
}

// acceptsJSON reports whether a client accepts JSON explicitly. A wildcard does not count:
// curl and kubelets send one, and text suits them better.
func acceptsJSON(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			media, parameters, err := mime.ParseMediaType(part)
			if err != nil || media != "application/json" {
				continue
			}

			if q, weighed := parameters["q"]; !weighed || strings.Trim(q, "0.") != "" {
				return true
			}
		}
	}

	return false
}
