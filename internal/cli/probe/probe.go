package probe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

const (
	// callTimeout bounds each call.
	callTimeout = 10 * time.Second
	// maxResponseBytes bounds the length of an answer.
	maxResponseBytes = 8 << 20
)

// Config holds the addresses of the service. An empty URL is not called.
type Config struct {
	// URL is the address of the API for clients.
	URL string
	// OpsURL is the address of the ops port.
	OpsURL string
}

// Deps are the dependencies of a prober.
type Deps struct {
	// Transport sends the requests; nil means the prober's own.
	Transport http.RoundTripper
	// Now is this machine's clock.
	Now func() time.Time
}

// Prober calls one service. It implements doctor.Prober.
type Prober struct {
	public *url.URL
	ops    *url.URL
	client *http.Client
	now    func() time.Time
}

var _ doctor.Prober = (*Prober)(nil)

// New returns a prober, or an error that names the unusable URL.
func New(config Config, deps Deps) (*Prober, error) {
	p := &Prober{now: deps.Now}
	for _, one := range []struct {
		name string
		text string
		at   **url.URL
	}{{"url", config.URL, &p.public}, {"ops-url", config.OpsURL, &p.ops}} {
		if one.text == "" {
			continue
		}

		parsed, err := url.Parse(one.text)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			// The text is not repeated: it may hold a password.
			return nil, fmt.Errorf("--%s must be an http or https URL, such as http://host:8080", one.name)
		}

		parsed.RawQuery = ""
		parsed.Fragment = ""
		*one.at = parsed
	}

	transport := deps.Transport
	if transport == nil {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}

	p.client = &http.Client{
		Transport: transport,
		Timeout:   callTimeout,
		// A redirect is an answer: its target is not the probed service.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p, nil
}

// ProbeService implements doctor.Prober.
func (p *Prober) ProbeService(ctx context.Context) (seen doctor.ServiceFacts) {
	if p.public != nil {
		seen.Public = p.callPublic(ctx)
	}

	if p.ops != nil {
		seen.Ops = p.callOps(ctx)
	}

	return seen
}

// response is the answer to a call.
type response struct {
	status int
	header http.Header
	body   []byte
	tls    *tls.ConnectionState
	begin  time.Time
	took   time.Duration
}

func (p *Prober) getPath(ctx context.Context, base *url.URL, path string) (response, error) {
	path, query, _ := strings.Cut(path, "?")
	at := base.JoinPath(path)
	at.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return response{}, errors.New("the URL cannot be used")
	}

	request.Header.Set("User-Agent", "theeye-doctor")
	request.Header.Set("Accept", "application/json, */*;q=0.1") // without it, the probes answer with text
	a := response{begin: p.now()}
	response, err := p.client.Do(request)
	if err != nil {
		return a, failureReason(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read, or the call failed

	a.took = p.now().Sub(a.begin)
	a.status = response.StatusCode
	a.header = response.Header
	a.tls = response.TLS
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, maxResponseBytes)); err != nil {
		return a, failureReason(err)
	}

	return a, nil
}

// failureReason returns the reason why a call failed, without the URL.
func failureReason(err error) error {
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return fmt.Errorf("no answer within %s", callTimeout)
	}

	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}

	return err
}

func (p *Prober) callPublic(ctx context.Context) *doctor.Public {
	const id = "X-Request-Id"
	seen := &doctor.Public{URL: withoutCredentials(p.public), Now: p.now()}
	a, err := p.getPath(ctx, p.public, "/v1/limits")
	if err != nil {
		_, seen.Untrusted = errors.AsType[*tls.CertificateVerificationError](err)
		seen.Err = err
		return seen
	}

	var limits map[string]any
	seen.Limits = json.Unmarshal(a.body, &limits) == nil && limits["timestamp_max_ahead_seconds"] != nil
	seen.Status = a.status
	seen.Took = a.took
	seen.RequestID = a.header.Get(id) != ""
	if a.tls != nil {
		for _, certificate := range a.tls.PeerCertificates {
			if seen.Expires.IsZero() || certificate.NotAfter.Before(seen.Expires) {
				seen.Expires = certificate.NotAfter
			}
		}
	}

	seen.Clock = readClock(a)
	for _, path := range []string{"/metrics", "/livez", "/startupz", "/readyz", "/version", "/debug/config", "/debug/log-level", "/debug/pprof/"} {
		a, err := p.getPath(ctx, p.public, path)
		seen.Hidden = append(seen.Hidden, doctor.Exposure{Path: path, Status: a.status, Err: err})
	}

	return seen
}

// readClock reads the service's clock from an answer. The header is truncated to the second,
// so half a second is added; the answer was made at some time during the call.
func readClock(a response) doctor.Fact[doctor.Clock] {
	at, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return doctor.Fact[doctor.Clock]{Err: errors.New("the answer has no Date header")}
	}

	half := a.took / 2
	return doctor.Fact[doctor.Clock]{Value: doctor.Clock{
		Ahead: at.Add(time.Second / 2).Sub(a.begin.Add(half)), Uncertainty: time.Second/2 + half,
	}}
}

func (p *Prober) callOps(ctx context.Context) *doctor.Ops {
	seen := &doctor.Ops{URL: withoutCredentials(p.ops)}
	live, err := p.getPath(ctx, p.ops, "/livez")
	if err != nil {
		seen.Err = err
		return seen
	}

	seen.Live = live.status
	ready, err := p.getPath(ctx, p.ops, "/readyz?verbose")
	if err == nil {
		seen.Ready.Value, err = readReadiness(ready)
	}

	seen.Ready.Err = err
	profiles, err := p.getPath(ctx, p.ops, "/debug/pprof/")
	seen.Profiles = doctor.Fact[int]{Value: profiles.status, Err: err}
	metrics, err := p.getPath(ctx, p.ops, "/metrics")
	seen.Version = doctor.Fact[string]{Value: readVersion(metrics), Err: err}
	return seen
}

// readReadiness reads the failed checks. An unreadable answer is an error, because otherwise
// it would look as if no check had failed.
func readReadiness(a response) (doctor.Readiness, error) {
	r := doctor.Readiness{Status: a.status}
	var answer struct {
		Checks []struct {
			Name     string `json:"name"`
			OK       bool   `json:"ok"`
			Required bool   `json:"required"`
			Detail   string `json:"detail"`
		} `json:"checks"`
	}
	if json.Unmarshal(a.body, &answer) != nil && a.status == http.StatusOK { // any other status speaks for itself
		return r, errors.New("the answer of /readyz?verbose is not a list of checks")
	}

	for _, c := range answer.Checks {
		if !c.OK {
			r.Failed = append(r.Failed, doctor.ReadyCheck{Name: c.Name, Required: c.Required, Detail: c.Detail})
		}
	}

	return r, nil
}

// readVersion reads the service's version from its metrics; empty if it is not there.
func readVersion(a response) string {
	if a.status != http.StatusOK {
		return ""
	}

	found := regexp.MustCompile(`(?m)^theeye_build_info\{(?:[^}\n]*,)?version="([^"\n]*)"`).FindSubmatch(a.body)
	if found == nil {
		return ""
	}

	return string(found[1])
}

// withoutCredentials returns a URL as text, without credentials.
func withoutCredentials(u *url.URL) string {
	without := *u
	without.User = nil
	return without.String()
}
