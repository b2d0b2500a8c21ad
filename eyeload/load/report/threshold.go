package report

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// Limits are the thresholds of a run.
type Limits struct {
	MaxFailures Failures
	// MaxP99 bounds the 99th percentile from the scheduled send; 0 means no limit.
	MaxP99 time.Duration
	// MinRate is the share of the requested rate that has to be reached; 0 means no limit.
	MinRate float64
}

// Failures is a number of requests or a share of them.
type Failures struct {
	Value float64
	Share bool
}

// ParseFailures reads a number (12), a share (0.01) or a percentage (1%).
func ParseFailures(text string) (Failures, error) {
	digits, percent := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(digits, 64)
	f := Failures{Value: value, Share: percent || strings.Contains(digits, ".")}
	if percent {
		f.Value /= 100
	}

	if err != nil || !(f.Value >= 0) || (f.Share && f.Value > 1) { // NaN is not >= 0
		return Failures{}, fmt.Errorf("%q is neither a number of requests (12) nor a share of them (0.01 or 1%%)", text)
	}

	return f, nil
}

// areWithin reports whether a number of failures is allowed for a number of requests.
func (f Failures) areWithin(failed, requests int64) bool {
	if f.Share {
		return float64(failed) <= f.Value*float64(requests)
	}

	return float64(failed) <= f.Value
}

// String returns the form that ParseFailures reads.
func (f Failures) String() string {
	if f.Share {
		return strconv.FormatFloat(f.Value*100, 'g', -1, 64) + "%"
	}

	return strconv.FormatFloat(f.Value, 'g', -1, 64)
}

// Threshold is a condition of a run, and whether it was kept.
type Threshold struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
}

// CheckThresholds checks a report against limits and records the outcome in it. Every step has
// to keep them, except the steps of a search, which is meant to exceed them.
func CheckThresholds(r *Report, limits Limits) {
	r.Thresholds = nil
	if r.Search != nil {
		r.addThreshold("a rate was found", r.Search.Rate > 0, fmt.Sprintf("%.0f requests/s", r.Search.Rate))
	} else {
		r.checkSteps(limits)
	}

	if r.Reconciliation.Outcome != reconcile.Skipped {
		r.addThreshold("reconciliation", r.Reconciliation.Outcome == reconcile.Consistent, describeReconciliation(&r.Reconciliation))
	}

	r.Passed = true
	for _, t := range r.Thresholds {
		r.Passed = r.Passed && t.Passed
	}
}

func (r *Report) addThreshold(name string, passed bool, detail string) {
	r.Thresholds = append(r.Thresholds, Threshold{Name: name, Passed: passed, Detail: detail})
}

func (r *Report) checkSteps(limits Limits) {
	var failed, rate, slow []string
	for _, s := range r.Steps {
		name := fmt.Sprintf("at %.6g/s ", s.AskedRate)
		if !limits.MaxFailures.areWithin(s.Failed, s.Requests) {
			failed = append(failed, fmt.Sprintf("%s%d of %d failed", name, s.Failed, s.Requests))
		}

		if s.ReachedRate < limits.MinRate*s.AskedRate {
			rate = append(rate, fmt.Sprintf("%sonly %.6g/s reached", name, s.ReachedRate))
		}

		if limits.MaxP99 > 0 && s.Scheduled.P99 > float64(limits.MaxP99)/float64(time.Millisecond) {
			slow = append(slow, name+FormatMillis(s.Scheduled.P99))
		}
	}

	step := func(name string, broken []string) {
		detail := strings.Join(broken, "; ")
		if len(broken) == 0 {
			detail = "in every step"
		}

		r.addThreshold(name, len(broken) == 0, detail)
	}

	step("at most "+limits.MaxFailures.String()+" requests failed", failed)
	if limits.MinRate > 0 {
		step(fmt.Sprintf("at least %.4g of the asked rate sent", limits.MinRate), rate)
	}

	if limits.MaxP99 > 0 {
		step(fmt.Sprintf("p99 from the scheduled send at most %s", limits.MaxP99), slow)
	}
}

// ErrThreshold means that a threshold was not kept.
var ErrThreshold = errors.New("a threshold was not kept")

// Err returns ErrThreshold with the thresholds that were not kept, or nil.
func (r *Report) Err() error {
	var failed []string
	for _, t := range r.Thresholds {
		if !t.Passed {
			failed = append(failed, t.Name)
		}
	}

	if len(failed) == 0 {
		return nil
	}

	return fmt.Errorf("%w: %s", ErrThreshold, strings.Join(failed, "; "))
}

// describeReconciliation describes the result of a reconciliation in one line.
func describeReconciliation(r *reconcile.Result) string {
	switch r.Outcome {
	case reconcile.Skipped:
		return "skipped"
	case reconcile.Unreadable:
		return "unreadable, so the result is unknown: " + r.Reason
	case reconcile.Inconsistent:
		return fmt.Sprintf("inconsistent: %d differences", r.Differences)
	case reconcile.Consistent:
	}

	text := fmt.Sprintf("consistent: %d acknowledged events found once, as sent, at the acknowledged sequences", r.Acknowledged)
	if r.Tables {
		text += "; the tables of sessions and events agree"
	}

	if r.Unanswered > 0 {
		text += fmt.Sprintf("; %d unanswered, of which %d are stored", r.Unanswered, r.UnansweredFound)
	}

	return text
}

// FormatMillis formats milliseconds with three digits, in a suitable unit.
func FormatMillis(ms float64) string {
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.3gs", ms/1000)
	case ms >= 1 || ms == 0:
		return fmt.Sprintf("%.3gms", ms)
	}

	return fmt.Sprintf("%.3gµs", ms*1000)
}
