package load

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
)

// Bounds of sending again: so many rounds with a pause between them, and the end of
// a round after so many failures in a row.
const (
	retryRounds   = 10
	retryPause    = time.Second
	retryFailures = 5
)

// retry sends the events that nobody answered for again, under their ids, until
// each has a verdict or it has been tried often enough. It returns nil when there
// are none.
func (r *run) retry(ctx context.Context) *report.Retry {
	open := r.ledger.Unanswered()
	if len(open) == 0 {
		return nil
	}
	result := &report.Retry{Events: int64(len(open))}
	client := r.client(r.transport, r.Timeout)
	for round := 0; round < retryRounds && len(open) > 0; round++ {
		if round > 0 && !pause(ctx, retryPause) {
			break
		}
		r.say("sending %d unanswered events again", len(open))
		failures := 0
		for indexes := range slices.Chunk(open, r.Batch) {
			if r.again(ctx, client, indexes, result) {
				failures = 0
			} else if failures++; failures == retryFailures || ctx.Err() != nil {
				break
			}
		}
		open = r.ledger.Unanswered()
	}
	result.Unanswered = int64(len(open))
	return result
}

// again sends events again and tells whether there was an answer that says what
// became of them.
func (r *run) again(ctx context.Context, client *http.Client, indexes []uint64, result *report.Retry) bool {
	body, err := r.body(indexes)
	if err != nil {
		return false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, http.NoBody)
	if err != nil {
		return false
	}
	r.write(request, body)
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return false
	}
	told := r.take(indexes, response.StatusCode, text)
	result.Stored += told[reconcile.Stored]
	result.Duplicates += told[reconcile.Duplicate]
	result.Refused += told.Refused()
	return told[reconcile.Unanswered] == 0
}

// pause waits, and tells whether it did so to the end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
