package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/event"
)

// probeService checks before the attack that there is a service that accepts the events, so
// that a mistyped key does not cost a run. It stores nothing.
func (r *run) probeService(ctx context.Context) error {
	client := r.newClient(r.transport, r.Timeout)
	status, text, err := sendRequest(ctx, client, http.MethodGet, r.URL+"/v1/limits", "", nil)
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, r.URL, err)
	}

	var limits event.Limits
	if json.Unmarshal(text, &limits) == nil && status == http.StatusOK && r.Batch > limits.BatchEvents {
		return fmt.Errorf("%w: the service accepts at most %d events in a request", ErrOptions, limits.BatchEvents)
	}

	e := r.source.MakeEvent(0, r.started, nil)
	status, text, err = sendRequest(ctx, client, http.MethodPost, r.URL+"/v1/validate", r.IngestKey, traffic.AppendEvent(nil, &e))
	if err := checkAccepted(status, text, err, "the ingest key"); err != nil {
		return err
	}

	if !r.Reconcile {
		return nil
	}

	empty := url.Values{"limit": {"1"}, "from": {event.FormatTimestamp(r.started.Add(time.Hour))}}
	status, text, err = sendRequest(ctx, client, http.MethodGet, r.URL+"/v1/events?"+empty.Encode(), r.ReadKey, nil)

	return checkAccepted(status, text, err, "the read key")
}

func checkAccepted(status int, text []byte, err error, what string) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: it answered %d", ErrUnreachable, status)
	case status != http.StatusOK:
		const enough = 300
		return fmt.Errorf("%w %s: %d: %.*s", ErrKeyRejected, what, status, enough, strings.TrimSpace(string(text)))
	}

	return nil
}

// sendRequest sends a request and reads the answer: its status and its body.
func sendRequest(ctx context.Context, client *http.Client, method, target, key string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("request to the service: %w", err)
	}

	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}

	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}

	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("request to the service: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // the body was read

	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read the service's answer: %w", err)
	}

	return response.StatusCode, text, nil
}
