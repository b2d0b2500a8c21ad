package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// ErrUnreachable means that the service could not be reached, or could not answer now.
var ErrUnreachable = errors.New("the service cannot be reached")

// maxTypes bounds the answer with the registered types, in bytes.
const maxTypes = 256 << 20

// FetchEventTypes returns the registered event types of the service at a URL, which a client
// with a key of the scope read asks for. It returns an ErrURL for a URL that cannot be used.
func FetchEventTypes(ctx context.Context, client *http.Client, address, key string) ([]eventtype.Type, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%w: it must begin with http:// or https://", ErrURL)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("v1/event-types").String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}

	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	var answer struct {
		Types  []eventtype.Type `json:"event_types"`
		Detail string           `json:"detail"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, maxTypes)).Decode(&answer)
	switch {
	case response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: it answered %s: %s", ErrUnreachable, response.Status, answer.Detail)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the service answered %s: %s", response.Status, answer.Detail)
	case err != nil:
		return nil, fmt.Errorf("read the event types: %w", err)
	}

	return answer.Types, nil
}
