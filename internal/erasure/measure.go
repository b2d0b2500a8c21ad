package erasure

import (
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// RegisterMetrics registers the metrics of erasures with a meter. It is called once.
func (e *Eraser) RegisterMetrics(meter metric.Meter) error {
	c := &e.counters
	set := instrument.NewSet(meter)

	set.AddGaugeIfKnown("theeye.erasures.unfinished", "{erasure}",
		"Unfinished erasures, on any replica",
		func() (int64, bool) {
			seen := c.backlog.Load()
			if seen == nil {
				return 0, false
			}

			return seen.Unfinished, true
		})
	set.AddSecondsIfKnown("theeye.erasures.oldest_unfinished.age",
		"Age of the oldest unfinished erasure; 0 when all are finished",
		func() (time.Duration, bool) {
			seen := c.backlog.Load()
			if seen == nil || seen.Unfinished == 0 {
				return 0, seen != nil
			}

			return seen.Oldest + e.deps.Now().Sub(seen.at), true
		})
	set.AddCounter("theeye.erasures.finished", "{erasure}",
		"Erasures that this replica finished", c.finished.Load)
	set.AddCounter("theeye.erasures.failed.steps", "{step}",
		"Steps of erasures that failed on this replica; they are retried", c.failed.Load)

	return set.Err()
}
