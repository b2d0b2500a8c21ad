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
	// scheduled and sent are over the whole step, in microseconds.
	scheduled, sent *hdrhistogram.Histogram
	// window is of the answers since it was taken last.
	window window
}

// window is a short part of a step.
type window struct {
	ok, other int64
	latency   *hdrhistogram.Histogram
}

func newTally(rate float64) *tally {
	return &tally{
		step:      report.Step{AskedRate: rate, Verdicts: map[string]int64{}, Statuses: map[string]int64{}, Errors: map[string]int64{}},
		scheduled: newHistogram(), sent: newHistogram(), window: window{latency: newHistogram()},
	}
}

// newHistogram makes a histogram of microseconds up to an hour, exact to three
// digits.
func newHistogram() *hdrhistogram.Histogram {
	const digits = 3
	return hdrhistogram.New(1, time.Hour.Microseconds(), digits)
}

func recordLatency(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), time.Hour.Microseconds())) // within its bounds
}

// countAnswer counts an answer, or what came in the place of one.
func (t *tally) countAnswer(r *vegeta.Result, late time.Duration, told *reconcile.Counts) {
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
	for v, n := range told {
		t.verdicts[v] += n
		events += n
	}

	t.step.Events += events
	if told.Acknowledged() < events {
		t.step.Failed++
	}

	recordLatency(t.scheduled, late)
	recordLatency(t.window.latency, late)
	recordLatency(t.sent, r.Latency)
}

// takeWindow returns what was counted since the last time.
func (t *tally) takeWindow() window {
	t.mu.Lock()
	defer t.mu.Unlock()

	w := t.window
	t.window = window{latency: newHistogram()}
	return w
}

// buildStep sums up, once all answers are in. sending is how long the sending
// took, or was to take if that is longer; whole is how long it was until the last
// answer.
func (t *tally) buildStep(sending, whole time.Duration, unsent, out int64) report.Step {
	t.mu.Lock()
	defer t.mu.Unlock()

	for v, n := range t.verdicts {
		if n > 0 {
			t.step.Verdicts[reconcile.Verdict(v).String()] = n
		}
	}

	t.step.Unsent, t.step.BytesOut, t.step.Seconds = unsent, out, whole.Seconds()
	t.step.ReachedRate = float64(t.step.Requests) / sending.Seconds()
	t.step.AnsweredRate = float64(t.step.Requests-t.step.Failed) / max(whole, sending).Seconds()
	t.step.Scheduled, t.step.Sent = report.SummarizeLatency(t.scheduled), report.SummarizeLatency(t.sent)
	return t.step
}

// normalizeError rids an error of what differs from one to the next: the request and the
// addresses.
func normalizeError(text string) string {
	if _, after, found := strings.Cut(text, `": `); found && strings.HasPrefix(text, "Post ") {
		text = after
	}

	return regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+`).ReplaceAllString(text, "*")
}
