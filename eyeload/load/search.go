package load

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/report"
)

// The bounds of a search: the precision of its result, and the lowest and the highest rate.
const (
	closeness   = 1.05
	lowestRate  = 1.0
	highestRate = 1 << 20
)

// FindHighestRate finds the highest rate that passes: starting at first it doubles until one
// fails, or halves until one passes, and then bisects until the two are within 5 %, or 1.
//
// It returns 0 when no rate passes. It ends early when try returns an error.
func FindHighestRate(first float64, try func(rate float64) (passed bool, err error)) (float64, error) {
	passed := 0.0
	failed := math.Inf(1)
	for rate := first; ; {
		ok, err := try(rate)
		if err != nil {
			return passed, err
		}

		if ok {
			passed = max(passed, rate)
		} else {
			failed = min(failed, rate)
		}

		switch {
		case passed == 0 && failed <= lowestRate, passed >= highestRate, failed <= max(passed*closeness, passed+1):
			return passed, nil
		case passed == 0:
			rate = max(failed/2, lowestRate)
		case math.IsInf(failed, 1):
			rate = min(passed*2, highestRate)
		default:
			rate = math.Sqrt(passed * failed)
		}
	}
}

// searchMaxRate finds the highest rate at which the service keeps up.
func (r *run) searchMaxRate(ctx context.Context) {
	s := &report.Search{MaxP99: float64(r.Limits.MaxP99) / float64(time.Millisecond)}
	r.report.Search = s
	s.Rate, _ = FindHighestRate(max(math.Round(r.Rates[0]), lowestRate), func(rate float64) (bool, error) { // an error means that ctx has ended
		rate = math.Round(rate)
		if !r.journalHasRoom(rate, r.Try) {
			return false, ErrOptions
		}

		step := r.runStep(ctx, rate, r.Try)
		r.addStep(step)
		if err := ctx.Err(); err != nil {
			return false, err
		}

		t := report.Try{Rate: rate, Reached: step.ReachedRate, P99: step.Scheduled.P99, Failed: step.Failed}
		t.Why = r.explainFailure(&step)
		t.Passed = t.Why == ""
		s.Tries = append(s.Tries, t)
		outcome := "passed"
		if !t.Passed {
			outcome = "failed: " + t.Why
		}

		r.printProgress("%.0f/s %s", rate, outcome)

		return t.Passed, nil
	})

	s.Rate = math.Round(s.Rate)
}

// explainFailure says why the service did not keep up in a step; it returns "" if it did.
func (r *run) explainFailure(s *report.Step) string {
	switch {
	case s.Failed > 0:
		return fmt.Sprintf("%d requests failed", s.Failed)
	case s.Requests == 0 || s.ReachedRate < r.Limits.MinRate*s.AskedRate:
		return "the load tester did not reach the rate"
	case s.Scheduled.P99 > float64(r.Limits.MaxP99)/float64(time.Millisecond):
		return "p99 " + report.FormatMillis(s.Scheduled.P99)
	}

	return ""
}
