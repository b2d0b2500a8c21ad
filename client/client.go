package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// defaultTimeout is far above the five seconds in which the service answers, so that a slow
// network does not make an answer be lost that is on its way.
const defaultTimeout = 30 * time.Second

// defaultAgent names the client in the service's log.
const defaultAgent = "the-eye-go"

// Client sends events to a service and reads them. It keeps nothing between two calls apart
// from connections, makes one request in each call (or one for each page), and never retries:
// that is what a Buffer is for. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	key   string
	agent string
	http  *http.Client
}

// Option changes a Client when it is made.
type Option func(*Client)

// WithHTTPClient has requests sent by another HTTP client: for a proxy, certificates, or a
// transport that traces. It should have a timeout. Redirects are never followed, whatever it
// says: a redirected POST can become a GET, and the key would travel along.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) { c.http = h }
}

// WithUserAgent sets the User-Agent header, by which the service's operators distinguish senders.
func WithUserAgent(agent string) Option {
	return func(c *Client) { c.agent = agent }
}

// New returns a client of the service at a URL, such as "https://eye.example.com". The URL may
// have a path, behind which the service's own begins. The key is one of the service's, with the
// scope that the calls need: ingest for Send, read for all others. New sends nothing.
func New(serviceURL, key string, options ...Option) (*Client, error) {
	base, err := parseBase(serviceURL)
	if err != nil {
		return nil, err
	}

	if key == "" || strings.ContainsFunc(key, isNoKeyRune) {
		return nil, errors.New("client: the key is empty, or has spaces or other characters that no key has")
	}

	c := &Client{base: base, key: key, agent: defaultAgent, http: &http.Client{Timeout: defaultTimeout}}
	for _, apply := range options {
		apply(c)
	}

	if c.http == nil {
		return nil, errors.New("client: WithHTTPClient was given nil")
	}

	own := *c.http
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c, nil
}

func parseBase(serviceURL string) (*url.URL, error) {
	base, err := url.Parse(serviceURL)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}

	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("client: %q is not the URL of a service; it should look like https://eye.example.com", serviceURL)
	}

	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("client: the service's URL has a user, a query or a fragment; it may have a path only")
	}

	const call = "/v1/events"
	if strings.HasSuffix(strings.TrimRight(base.Path, "/"), call) {
		return nil, fmt.Errorf("client: %q has the path of a call; give the URL without %s", serviceURL, call)
	}

	return base, nil
}

// isNoKeyRune reports whether a character is outside the printable ones of ASCII, where a key
// that was cut out of a file or a mail gets its faults.
func isNoKeyRune(r rune) bool { return r <= ' ' || r > '~' }

// now is the one place where this package reads the clock.
func now() time.Time {
	return time.Now() //nolint:forbidigo // senders have no other clock; tests run in bubbles of testing/synctest
}
