package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Client speaks HTTP with a key. It is safe for concurrent use.
type Client struct {
	URL  string
	Key  string
	HTTP *http.Client
}

// NewClient returns a client with its own connections.
func NewClient(url, key string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	return &Client{URL: url, Key: key, HTTP: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// WithKey returns the same client with another key.
func (c *Client) WithKey(key string) *Client { return &Client{URL: c.URL, Key: key, HTTP: c.HTTP} }

// Answer is a response that was read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Close means that the server asked to close the connection.
	Close bool
}

// JSON decodes the body into a map, with numbers as text.
func (a *Answer) JSON(t testing.TB) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(a.Body))
	decoder.UseNumber()
	document := map[string]any{}
	require.NoError(t, decoder.Decode(&document), "%s", a.Body)
	return document
}

// Do sends a request. header holds pairs of names and values; a body without a
// Content-Type is JSON. It fails the test when there is no response.
func (c *Client) Do(t testing.TB, method, path, body string, header ...string) *Answer {
	t.Helper()
	answer, err := c.Try(context.Background(), method, path, []byte(body), header...)
	require.NoError(t, err)
	return answer
}

// Try is Do for tests in which a request may fail without a response.
func (c *Client) Try(ctx context.Context, method, path string, body []byte, header ...string) (*Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}

	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}

	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}

	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}

	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read

	read, err := io.ReadAll(response.Body)
	return &Answer{Status: response.StatusCode, Header: response.Header, Body: read, Close: response.Close}, err
}
