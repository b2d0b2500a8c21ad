package retention

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// counters counts the rounds of a Worker and the data it dropped. The counters are zero
// before the first failure, so that a rate shows it.
type counters struct {
	succeeded, failed  atomic.Int64
	events, partitions atomic.Int64
	// lastSuccess is the time of the last successful round, in seconds since 1970; 0
	// until then.
	lastSuccess atomic.Int64
	// roundFailed means that a part of the running round failed; only that round uses
	// it.
	roundFailed bool
}

// recordRound counts the finished round, unless it was cancelled.
func (c *counters) recordRound(ctx context.Context, now func() time.Time) {
	faulty := c.roundFailed
	c.roundFailed = false
	switch {
	case faulty:
		c.failed.Add(1)
	case ctx.Err() == nil:
		c.succeeded.Add(1)
		c.lastSuccess.Store(now().Unix())
	}
}

// RegisterMetrics registers the metrics of the worker with a meter. It is called once.
func (w *Worker) RegisterMetrics(meter metric.Meter) error {
	c := &w.counters
	set := instrument.NewSet(meter)

	set.AddCounters("theeye.retention.rounds", "{round}",
		"Rounds of retention, which make partitions and drop expired ones, by outcome: succeeded or failed",
		"outcome", map[string]*atomic.Int64{"succeeded": &c.succeeded, "failed": &c.failed})
	set.AddGaugeIfKnown("theeye.retention.last_success.timestamp", "s",
		"Unix time of the last successful round of retention",
		func() (int64, bool) {
			at := c.lastSuccess.Load()
			return at, at != 0
		})
	set.AddCounter("theeye.retention.expired.events", "{event}",
		"Expired events that this replica dropped", c.events.Load)
	set.AddCounter("theeye.retention.expired.error.partitions", "{partition}",
		"Partitions of expired errors that this replica dropped", c.partitions.Load)

	return set.Err()
}
