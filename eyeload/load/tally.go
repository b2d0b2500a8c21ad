package load

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
)

// tally counts the answers of a step. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	step     report.Step
	verdicts reconcile.Counts
	// scheduled and sent cover the untilLastAnswer step, in microseconds.
	scheduled, sent *hdrhistogram.Histogram
	// window covers the answers since the last call of takeWindow.
	window window
}

// window is a short part of a step.
type window struct {
	ok, other int64
	latency   *hdrhistogram.Histogram
}

func newTally(rate float64) *tally {
	return &tally{
		step: report.Step{
			AskedRate: rate,
			Verdicts:  map[string]int64{},
			Statuses:  map[string]int64{},
			Errors:    map[string]int64{},
		},
		scheduled: newHistogram(),
		sent:      newHistogram(),
		window:    window{latency: newHistogram()},
	}
}

// newHistogram makes a histogram of microseconds up to an hour, with three digits.
func newHistogram() *hdrhistogram.Histogram {
	const digits = 3
	return hdrhistogram.New(1, time.Hour.Microseconds(), digits)
}

func recordLatency(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), time.Hour.Microseconds())) // within its bounds
}

// countAnswer counts an answer, or the error in its place.
func (t *tally) countAnswer(r *vegeta.Result, late time.Duration, counts *reconcile.Counts) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.step.Requests++
	t.step.BytesIn += int64(r.BytesIn) //nolint:gosec // an answer's length
	if r.Code == 0 {
		t.step.Errors[normalizeError(r.Error)]++
	} else {
		t.step.Statuses[strconv.Itoa(int(r.Code))]++
	}

	if r.Code/100 == 2 {
		t.window.ok++
	} else {
		t.window.other++
	}

	events := int64(0)
	for v, n := range counts {
		t.verdicts[v] += n
		events += n
	}

	t.step.Events += events
	if counts.Acknowledged() < events {
		t.step.Failed++
	}

	recordLatency(t.scheduled, late)
	recordLatency(t.window.latency, late)
	recordLatency(t.sent, r.Latency)
}

// takeWindow returns the counts since the last call.
func (t *tally) takeWindow() window {
	t.mu.Lock()
	defer t.mu.Unlock()

	w := t.window
	t.window = window{latency: newHistogram()}

	return w
}

// buildStep sums up the step once all answers have arrived. sending is how long the sending
// took, or was planned to take if that is longer; untilLastAnswer is the time until the last
// answer.
func (t *tally) buildStep(sending, untilLastAnswer time.Duration, unsent, out int64) report.Step {
	t.mu.Lock()
	defer t.mu.Unlock()

	for v, n := range t.verdicts {
		if n > 0 {
			t.step.Verdicts[reconcile.Verdict(v).String()] = n
		}
	}

	t.step.Unsent = unsent
	t.step.BytesOut = out
	t.step.Seconds = untilLastAnswer.Seconds()
	t.step.ReachedRate = float64(t.step.Requests) / sending.Seconds()
	t.step.AnsweredRate = float64(t.step.Requests-t.step.Failed) / max(untilLastAnswer, sending).Seconds()
	t.step.Scheduled = report.SummarizeLatency(t.scheduled)
	t.step.Sent = report.SummarizeLatency(t.sent)

	return t.step
}

// normalizeError removes from an error the parts that differ from one to the next: the request
// and the addresses.
func normalizeError(text string) string {
	if _, after, found := strings.Cut(text, `": `); found && strings.HasPrefix(text, "Post ") {
		text = after
	}

	return regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+`).ReplaceAllString(text, "*")
}
