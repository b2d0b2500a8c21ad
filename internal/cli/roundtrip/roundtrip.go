package roundtrip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
)

const (
	// callTimeout bounds each call.
	callTimeout = 15 * time.Second
	// retryPause is the pause between two attempts.
	retryPause = 250 * time.Millisecond
	// maxResponseBytes bounds the length of an answer.
	maxResponseBytes = 1 << 20
)

// Client calls one service.
type Client struct {
	base *url.URL
	key  string
	http *http.Client
	now  func() time.Time
}

// New returns a client of the service at a URL, with a key that has all scopes.
func New(base, key string, now func() time.Time) (*Client, error) {
	parsed, err := url.Parse(base)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return nil, errors.New("it must begin with http:// or https://") // the text is not repeated: it may hold a password
	}

	// Without a proxy, even if the environment names one. Without keep-alive, each call may
	// reach another replica.
	transport := &http.Transport{DisableKeepAlives: true}
	return &Client{base: parsed, key: key, http: &http.Client{Transport: transport, Timeout: callTimeout}, now: now}, nil
}

// Run posts an event, reads it back and erases its session. After a temporary error (a key
// that not every replica knows yet, a busy service) it tries again until the context ends;
// that never stores the event twice.
func (c *Client) Run(ctx context.Context) error {
	session := uuid.NewString()
	id := uuid.NewString()
	event := map[string]any{
		"event_id":   id,
		"session_id": session,
		"category":   "check",
		"name":       "round trip",
		"data":       map[string]any{"by": "theeye check"},
		"timestamp":  c.now().UTC().Format(time.RFC3339Nano),
	}
	body, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("render the event: %w", err)
	}

	var verdict struct {
		EventID  string `json:"event_id"`
		Status   string `json:"status"`
		Sequence int64  `json:"sequence"`
	}
	if err := c.callWithRetry(ctx, http.MethodPost, "v1/events", body, &verdict); err != nil {
		return fmt.Errorf("post an event: %w", err)
	}

	if verdict.EventID != id || verdict.Sequence != 1 || verdict.Status != "stored" && verdict.Status != "duplicate" {
		return fmt.Errorf("post an event: the verdict is %+v", verdict)
	}

	readErr := c.verifyEvent(ctx, session, id)
	// The event is erased in any case.
	var erased struct{}
	if err := c.callWithRetry(ctx, http.MethodDelete, "v1/sessions/"+session, nil, &erased); err != nil {
		return errors.Join(readErr, fmt.Errorf("erase session %s: %w", session, err))
	}

	return readErr
}

// verifyEvent finds the event in the timeline of its session.
func (c *Client) verifyEvent(ctx context.Context, session, id string) error {
	var timeline struct {
		Events []struct {
			EventID  string         `json:"event_id"`
			Sequence int64          `json:"sequence"`
			Name     string         `json:"name"`
			Data     map[string]any `json:"data"`
		} `json:"events"`
	}
	if err := c.callWithRetry(ctx, http.MethodGet, "v1/sessions/"+session+"/events", nil, &timeline); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}

	if len(timeline.Events) != 1 {
		return fmt.Errorf("read the event: its session has %d events, not 1", len(timeline.Events))
	}

	if found := timeline.Events[0]; found.EventID != id || found.Sequence != 1 || found.Name != "round trip" || found.Data["by"] != "theeye check" {
		return fmt.Errorf("read the event: it differs from the posted one: %+v", found)
	}

	return nil
}

// errRetry marks an answer after which the same request is sent again.
var errRetry = errors.New("not yet")

// callWithRetry calls until it gets a success or a permanent error, or the context ends, when
// it returns the error of the last answer.
func (c *Client) callWithRetry(ctx context.Context, method, path string, body []byte, into any) error {
	ticker := time.NewTicker(retryPause)
	defer ticker.Stop()

	var last error
	for {
		err := c.callOnce(ctx, method, path, body, into)
		if err == nil || !errors.Is(err, errRetry) {
			return err
		}

		if last == nil || ctx.Err() == nil { // the error of an interrupted attempt says nothing about the service
			last = err
		}

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return last
		}
	}
}

func (c *Client) callOnce(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}

	request.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errRetry, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	if err != nil {
		return fmt.Errorf("%w: %w", errRetry, err)
	}

	switch status := response.StatusCode; {
	case status == http.StatusOK, status == http.StatusCreated:
	// The first attempt erased the session, but its answer was lost.
	case status == http.StatusNotFound && method == http.MethodDelete:
		return nil
	// A new key reaches the replicas one after the other.
	case status == http.StatusUnauthorized, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %s: %s", errRetry, response.Status, bytes.TrimSpace(text))
	default:
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(text))
	}

	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}

	return nil
}
