package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// maxBody bounds the length of one replica's answer.
const maxBody = 16 << 20

// The timeout of an answer is the interval, within these bounds.
const (
	minTimeout = time.Second
	maxTimeout = 5 * time.Second
)

// reading is the sample of one replica, or the error of reading it.
type reading struct {
	target target
	at     time.Time
	sample sample
	err    error
}

// readReplicas reads all replicas at once, each within the timeout; the readings are in the
// order of the targets.
func readReplicas(ctx context.Context, d Deps, targets []target, timeout time.Duration) []reading {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	readings := make([]reading, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() {
			s, err := fetchMetrics(ctx, d.Client, t.metrics)
			readings[i] = reading{target: t, at: d.Now(), sample: s, err: err}
		})
	}

	all.Wait()
	return readings
}

// timeoutFor returns the timeout of an answer.
func timeoutFor(interval time.Duration) time.Duration {
	return min(max(interval, minTimeout), maxTimeout)
}

// fetchMetrics reads the metrics of one replica.
func fetchMetrics(ctx context.Context, client *http.Client, address string) (sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request metrics: %w", err)
	}

	request.Header.Set("Accept", "text/plain;version=0.0.4")
	response, err := client.Do(request)
	if err != nil {
		return nil, shortenError(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answers %d", response.StatusCode)
	}

	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, shortenError(err)
	}

	if len(body) > maxBody {
		return nil, fmt.Errorf("answers more than %s", bytesText(maxBody))
	}

	return parseMetrics(bytes.NewReader(body))
}

// shortenError removes the URL, which the view shows anyway, and the layers of an error.
func shortenError(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}

	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}

	symptom := "no answer"
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "dial" {
		symptom = "cannot connect"
		err = operation.Err
	}

	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}

	return fmt.Errorf("%s: %w", symptom, err)
}
