package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds an answer: a page of a thousand events of 64 KiB, twice over.
const maxAnswer = 128 << 20

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// exchange sends a request and reads the answer, whatever its status. path begins with a slash
// and is escaped.
func (c *Client) exchange(ctx context.Context, method, path string, query url.Values, body []byte) (*answer, error) {
	target := *c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}

	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.agent)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read

	read, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("client: the answer to %s %s broke off: %w", method, path, err)
	case len(read) > maxAnswer:
		return nil, fmt.Errorf("client: the answer to %s %s has more than %d bytes", method, path, maxAnswer)
	}

	return &answer{status: response.StatusCode, header: response.Header, body: read}, nil
}

// get reads a document of the service into a value.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	a, err := c.exchange(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}

	if a.status != http.StatusOK {
		return a.toError()
	}

	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("client: the answer to GET %s cannot be read: %w", path, err)
	}

	return nil
}

// wasNotSent reports whether an error proves that no byte of the request left this machine.
func wasNotSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// wireProblem is a problem document of RFC 9457 with the service's members. Those of a verdict
// are there when it is about events.
type wireProblem struct {
	Title     string       `json:"title"`
	Code      string       `json:"code"`
	Detail    string       `json:"detail"`
	RequestID string       `json:"request_id"`
	TraceID   string       `json:"trace_id"`
	Results   []wireResult `json:"results"`
	wireVerdict
}

// readProblem returns the problem of an answer; an empty one if it is none of the service's.
func (a *answer) readProblem() (p wireProblem) {
	if !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(a.body, &p) != nil {
		return wireProblem{}
	}

	return p
}

func (a *answer) toError() *Error {
	p := a.readProblem()
	e := &Error{
		Status:     a.status,
		Code:       p.Code,
		Title:      p.Title,
		Detail:     p.Detail,
		Violations: p.Violations,
		RequestID:  p.RequestID,
		TraceID:    p.TraceID,
		RetryAfter: readRetryAfter(a.header),
	}
	if e.RequestID == "" {
		e.RequestID = a.header.Get("X-Request-Id")
	}

	if location := a.header.Get("Location"); e.Detail == "" && location != "" {
		e.Detail = "redirects are not followed; use the URL that this one leads to, " + location
	}

	return e
}

// readRetryAfter reads a number of seconds, or a time, which is compared with the clock of the
// machine that sent it if there is one.
func readRetryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}

	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}

	from, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		from = now()
	}

	return max(0, until.Sub(from))
}
