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

// The bounds of sending again: the number of rounds, the pause between them, and the number
// of failures in a row that end a round.
const (
	retryRounds   = 10
	retryPause    = time.Second
	retryFailures = 5
)

// resendUnanswered sends the unanswered events again, with their ids, until each has a verdict
// or all rounds have ended. It returns nil when there are no unanswered events.
func (r *run) resendUnanswered(ctx context.Context) *report.Retry {
	open := r.journal.Unanswered()
	if len(open) == 0 {
		return nil
	}

	result := &report.Retry{Events: int64(len(open))}
	client := r.newClient(r.transport, r.Timeout)
	for round := 0; round < retryRounds && len(open) > 0; round++ {
		if round > 0 && !sleepFor(ctx, retryPause) {
			break
		}

		r.printProgress("sending %d unanswered events again", len(open))
		failures := 0
		for indexes := range slices.Chunk(open, r.Batch) {
			if r.resendEvents(ctx, client, indexes, result) {
				failures = 0
			} else if failures++; failures == retryFailures || ctx.Err() != nil {
				break
			}
		}

		open = r.journal.Unanswered()
	}

	result.Unanswered = int64(len(open))

	return result
}

// resendEvents sends events again and reports whether all of them got a verdict.
func (r *run) resendEvents(ctx context.Context, client *http.Client, indexes []uint64, result *report.Retry) bool {
	body, err := r.renderBody(indexes)
	if err != nil {
		return false
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, http.NoBody)
	if err != nil {
		return false
	}

	r.setBody(request, body)
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // the body was read

	text, err := io.ReadAll(response.Body)
	if err != nil {
		return false
	}

	counts := r.recordAnswer(indexes, response.StatusCode, text)
	result.Stored += counts[reconcile.Stored]
	result.Duplicates += counts[reconcile.Duplicate]
	result.Refused += counts.Rejected()

	return counts[reconcile.Unanswered] == 0
}

// sleepFor waits, and reports whether it waited to the end.
func sleepFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
