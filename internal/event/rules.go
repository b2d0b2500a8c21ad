package event

import "time"

// Limits bound what a request may hold. They are published at /v1/limits.
type Limits struct {
	// BodyBytes bounds a request's body as received.
	BodyBytes int64 `json:"body_bytes"`
	// InflatedBytes bounds a compressed body after decompression.
	InflatedBytes int64 `json:"inflated_bytes"`
	// BatchEvents bounds the events of one request.
	BatchEvents int `json:"batch_events"`
	// EventBytes bounds the JSON text of one event.
	EventBytes int `json:"event_bytes"`
	// Depth bounds the nesting of an event, which itself counts as 1.
	Depth int `json:"json_depth"`
	// NumberDigits bounds the significant digits of a number: those from the first to the
	// last that is not zero.
	NumberDigits int `json:"number_digits"`
}

// Rules are the rules by which an event is validated.
type Rules struct {
	Limits
	// MaxAhead is how far a timestamp may lie in the future.
	MaxAhead time.Duration
	// MaxAge is how far a timestamp may lie in the past.
	MaxAge time.Duration
}

// Bounds that are part of the contract and cannot be configured.
const (
	// MaxNameLength bounds category and name, in characters (Unicode code points).
	MaxNameLength = 128
	// MaxViolations bounds the violations that are reported for one event.
	MaxViolations = 20
)

// DefaultRules returns the contract's defaults.
func DefaultRules() Rules {
	const tenYears = 10 * 365 * 24 * time.Hour
	return Rules{
		Limits: Limits{
			BodyBytes:     1 << 20,
			InflatedBytes: 10 << 20,
			BatchEvents:   1000,
			EventBytes:    64 << 10,
			Depth:         32,
			NumberDigits:  40,
		},
		MaxAhead: 5 * time.Second,
		MaxAge:   tenYears,
	}
}
