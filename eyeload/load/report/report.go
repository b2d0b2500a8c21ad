package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// Report is the result of a load test.
type Report struct {
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"seconds"`
	URL       string    `json:"url"`
	// Kind is the kind of traffic, and Seed decides its events.
	Kind  string `json:"kind"`
	Seed  uint64 `json:"seed"`
	Batch int    `json:"batch"`
	// Encoding is the encoding of the events: json or ndjson, and whether gzipped.
	Encoding  string `json:"encoding"`
	KeepAlive bool   `json:"keep_alive"`
	// Stopped is true when the sending was ended early.
	Stopped        bool             `json:"stopped,omitempty"`
	Steps          []Step           `json:"steps"`
	Timeline       []Second         `json:"timeline"`
	Retry          *Retry           `json:"retry,omitempty"`
	Search         *Search          `json:"search,omitempty"`
	Reconciliation reconcile.Result `json:"reconciliation"`
	Thresholds     []Threshold      `json:"thresholds"`
	Passed         bool             `json:"passed"`
}

// Step is the result of one rate.
type Step struct {
	AskedRate float64 `json:"asked_rate"`
	// ReachedRate is the number of sent requests divided by the planned time, or by the actual
	// time if that was longer; AnsweredRate is the number of successful requests divided by
	// the time until the last answer.
	ReachedRate  float64 `json:"reached_rate"`
	AnsweredRate float64 `json:"answered_rate"`
	Seconds      float64 `json:"seconds"`
	Requests     int64   `json:"requests"`
	// Unsent is the number of requests that the load tester gave up because it was too late.
	Unsent int64 `json:"unsent"`
	// Failed is the number of requests that were not answered with a success for every event.
	Failed   int64            `json:"failed"`
	Events   int64            `json:"events"`
	Verdicts map[string]int64 `json:"verdicts"`
	// Statuses counts answers by status code, and Errors the requests without an answer.
	Statuses map[string]int64 `json:"statuses"`
	Errors   map[string]int64 `json:"errors"`
	BytesOut int64            `json:"bytes_out"`
	BytesIn  int64            `json:"bytes_in"`
	// Scheduled counts from when a request was due, Sent from when it was sent.
	Scheduled Latency `json:"latency_from_scheduled_send"`
	Sent      Latency `json:"latency_from_actual_send"`
}

// Second is about one second of a run.
type Second struct {
	// At is its end, in seconds since the run began, and Length its length.
	At     float64 `json:"at"`
	Length float64 `json:"length"`
	// Step is the index of its step in the report.
	Step     int     `json:"step"`
	Asked    float64 `json:"asked_rate"`
	Reached  float64 `json:"reached_rate"`
	InFlight int64   `json:"in_flight"`
	OK       int64   `json:"answered_2xx"`
	Other    int64   `json:"others"`
	// The latencies of the answers in this time, from the scheduled send.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// Retry is the result of sending unanswered events again.
type Retry struct {
	Events     int64 `json:"events"`
	Stored     int64 `json:"stored"`
	Duplicates int64 `json:"duplicates"`
	Refused    int64 `json:"refused"`
	Unanswered int64 `json:"unanswered"`
}

// Search is the search for the highest rate at which the service keeps up.
type Search struct {
	MaxP99 float64 `json:"max_p99_ms"`
	Tries  []Try   `json:"tries"`
	// Rate is the highest rate that passed; 0 if none did.
	Rate float64 `json:"rate"`
}

// Try is one rate that was tried.
type Try struct {
	Rate    float64 `json:"rate"`
	Reached float64 `json:"reached_rate"`
	P99     float64 `json:"p99_ms"`
	Failed  int64   `json:"failed"`
	Passed  bool    `json:"passed"`
	Why     string  `json:"why,omitempty"`
}

// Latency summarizes a histogram.
type Latency struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min_ms"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p99_9_ms"`
	Max   float64 `json:"max_ms"`
	// Distribution has points from the median to the maximum, at ever smaller distances.
	Distribution []Point `json:"distribution"`
}

// Point says that a percentage of the requests took at most a number of milliseconds.
type Point struct {
	Percentile float64 `json:"percentile"`
	Millis     float64 `json:"ms"`
}

// SummarizeLatency summarizes a histogram of microseconds.
func SummarizeLatency(h *hdrhistogram.Histogram) Latency {
	n := h.TotalCount()
	if n == 0 {
		return Latency{}
	}

	at := func(percentile float64) float64 { return toMillis(h.ValueAtPercentile(percentile)) }
	l := Latency{
		Count: n,
		Min:   toMillis(h.Min()),
		Mean:  h.Mean() / microsPerMilli,
		P50:   at(50),
		P90:   at(90),
		P95:   at(95),
		P99:   at(99),
		P999:  at(99.9),
		Max:   toMillis(h.Max()),
	}

	const perDecade = 8.0
	for i := 0.0; ; i++ {
		beyond := math.Pow(10, -i/perDecade)
		if beyond*float64(n) < 1 {
			break
		}

		l.Distribution = append(l.Distribution, Point{100 * (1 - beyond), at(100 * (1 - beyond))})
	}

	l.Distribution = append(l.Distribution, Point{100, l.Max})

	return l
}

const microsPerMilli = 1000

func toMillis(micros int64) float64 { return float64(micros) / microsPerMilli }

// WriteJSON writes the report as JSON.
func WriteJSON(w io.Writer, r *Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}

	return nil
}
